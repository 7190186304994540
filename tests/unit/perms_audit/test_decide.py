"""What is done about each finding, as a table, and plans that are stopped after any step."""

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.core.events import Mode
from plexguard.perms_audit.access import Identity, Ownership, allows
from plexguard.perms_audit.decide import (
    DOES_NOT_HOLD,
    HAS_NEW_NAME,
    IS_BARE,
    Finding,
    Leave,
    Link,
    Plan,
    Repair,
    decide,
    decide_linked,
    full_path,
)
from plexguard.perms_audit.policy import Policy, Want
from plexguard.perms_audit.roots import Root, RootFault

POLICY = Policy(roots=(Root(path="/srv/media"), Root(path="/srv/more")))
PLEX = Identity(997, (997, 44))
ANNA, MEDIA = 1000, 44
# When a walk began, and when what it finds was last changed.
BEGAN_NS, LONG_AGO_NS = 100_000_000_000, 90_000_000_000
AS_PLEX = dataclasses.replace(POLICY, identity=PLEX)


def found_file(
    mode: int,
    *,
    path: str = "a.mkv",
    root: int = 0,
    inode: int = 10,
    links: int = 1,
    uid: int = ANNA,
    gid: int = 1000,
    acl: bool = False,
    denied: bool = True,
    folder: int = 0,
    changed_ns: int = LONG_AGO_NS,
) -> Finding:
    link = Link(folder or 100 + root, path.rpartition("/")[2], changed_ns)
    return Finding(root, path, False, Ownership(mode, uid, gid, acl), denied, 1, inode, links, link=link)


def found_folder(
    mode: int, *, path: str = "Films", root: int = 0, inode: int = 20, uid: int = ANNA, gid: int = 1000, denied: bool = True
) -> Finding:
    return Finding(root, path, True, Ownership(mode, uid, gid), denied, 1, inode, 2, True)


def wanting(want: Want, *, identity: Identity | None = None) -> Policy:
    return dataclasses.replace(POLICY, want=want, identity=identity)


def new_mode(finding: Finding, policy: Policy = POLICY) -> int:
    (step,) = decide([finding], policy).steps
    assert isinstance(step, Repair)
    return int(step.new_mode)


def reason(plan: Plan) -> str:
    (step,) = plan.steps
    assert isinstance(step, Leave)
    return step.reason


def repair_of(plan: Plan) -> Repair:
    (step,) = plan.steps
    assert isinstance(step, Repair)
    return step


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        pytest.param(0o000, 0o644, id="nothing at all"),
        pytest.param(0o600, 0o644, id="only the owner"),
        pytest.param(0o640, 0o644, id="owner and group"),
        pytest.param(0o200, 0o644, id="a drop box"),
        pytest.param(0o711, 0o755, id="executable bits stay"),
        pytest.param(0o660, 0o664, id="the group's write bit stays"),
        pytest.param(0o662, 0o666, id="everybody's write bit stays"),
        pytest.param(0o1600, 0o1644, id="sticky bit stays"),
    ],
)
def test_decide_adds_what_a_file_lacks_and_takes_nothing_away(mode: int, wanted: int) -> None:
    assert new_mode(found_file(mode)) == wanted


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        pytest.param(0o000, 0o755, id="nothing at all"),
        pytest.param(0o700, 0o755, id="only the owner"),
        pytest.param(0o644, 0o755, id="listed and not searched"),
        pytest.param(0o711, 0o755, id="searched and not listed"),
        pytest.param(0o770, 0o775, id="the group's write bit stays"),
        pytest.param(0o2770, 0o2775, id="setgid of a folder stays"),
        pytest.param(0o1770, 0o1775, id="sticky bit stays"),
        pytest.param(0o4700, 0o4755, id="setuid of a folder means nothing and stays"),
    ],
)
def test_decide_adds_what_a_folder_lacks_and_takes_nothing_away(mode: int, wanted: int) -> None:
    assert new_mode(found_folder(mode)) == wanted


def test_decide_gives_the_configured_modes() -> None:
    policy = wanting(Want(file_mode=Mode(0o664), dir_mode=Mode(0o775)))

    assert new_mode(found_file(0o000), policy) == 0o664
    assert new_mode(found_folder(0o700), policy) == 0o775


@pytest.mark.parametrize("mode", [0o4000, 0o2000, 0o6000, 0o4600, 0o2640])
def test_decide_leaves_set_id_files_alone(mode: int) -> None:
    assert "set-id" in reason(decide([found_file(mode)], POLICY))


# -- whom it must help ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owned", "want", "helps"),
    [
        pytest.param((0o600, ANNA, 1000), Want(), True, id="others get in by their bit"),
        pytest.param((0o600, ANNA, MEDIA), Want(file_mode=Mode(0o640)), True, id="the group's bit is enough for a member"),
        pytest.param((0o600, ANNA, 1000), Want(file_mode=Mode(0o640)), False, id="the group's bit is no use to others"),
        pytest.param((0o600, ANNA, MEDIA), Want(file_mode=Mode(0o604)), False, id="the others' bit is no use to a member"),
        pytest.param((0o000, 997, 1000), Want(file_mode=Mode(0o400)), True, id="the owner's bit is enough for the owner"),
        pytest.param((0o000, 997, 1000), Want(file_mode=Mode(0o444)), True, id="the owner's bit counts for the owner"),
        pytest.param((0o600, ANNA, 1000), Want(file_mode=Mode(0o640), gid=MEDIA), True, id="in the right group it helps"),
        pytest.param((0o400, ANNA, 1000), Want(file_mode=Mode(0o400), uid=997), True, id="of the right owner it helps"),
    ],
)
def test_a_change_is_made_only_where_it_lets_plex_in(owned: tuple[int, int, int], want: Want, helps: bool) -> None:
    mode, uid, gid = owned

    (step,) = decide([found_file(mode, uid=uid, gid=gid)], wanting(want, identity=PLEX)).steps

    assert isinstance(step, Repair) is helps


def test_a_configured_mode_that_would_not_help_is_named_with_what_stays_in_the_way() -> None:
    policy = wanting(Want(file_mode=Mode(0o640), dir_mode=Mode(0o750)), identity=PLEX)

    assert reason(decide([found_file(0o600)], policy)).startswith("file_mode 0640 would not let it in either: no r for others")
    assert reason(decide([found_folder(0o700)], policy)).startswith(
        "dir_mode 0750 would not let it in either: no r and x for others"
    )


def test_what_stands_open_and_is_denied_all_the_same_is_left_with_that_reason() -> None:
    assert "the system does not" in reason(decide([found_file(0o644)], AS_PLEX))


def test_with_an_acl_only_trying_tells() -> None:
    assert repair_of(decide([found_file(0o640, acl=True)], wanting(Want(file_mode=Mode(0o660)), identity=PLEX))).new_mode == 0o660
    assert "ACL" in reason(decide([found_file(0o644, acl=True)], AS_PLEX))


@pytest.mark.parametrize("kind", ["nfs4", "fuse.rclone", "cifs"])
def test_a_ghost_on_a_remote_file_system_gets_the_same_mode_once_more(kind: str) -> None:
    policy = dataclasses.replace(AS_PLEX, roots=(Root(path="/srv/media", remote=kind),))

    assert repair_of(decide([found_file(0o777)], policy)).new_mode == 0o777
    assert repair_of(decide([found_folder(0o755)], policy)).new_mode == 0o755


def test_a_repair_says_what_was_wrong() -> None:
    assert repair_of(decide([found_file(0o640)], AS_PLEX)).reason.startswith("no r for others")
    assert repair_of(decide([found_file(0o640)], POLICY)).reason.startswith("not everybody may read it")


# -- more than access -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("finding", "wanted"),
    [
        pytest.param(found_file(0o666, denied=False), 0o644, id="a file that is too open is closed"),
        pytest.param(found_file(0o755, denied=False), 0o644, id="executable bits go"),
        pytest.param(found_file(0o600), 0o644, id="a file that is too closed is opened"),
        pytest.param(found_folder(0o777, denied=False), 0o755, id="a folder that is too open is closed"),
        pytest.param(found_folder(0o2770), 0o2755, id="a folder keeps its setgid bit"),
        pytest.param(found_folder(0o1777, denied=False), 0o1755, id="a folder keeps its sticky bit"),
    ],
)
def test_with_exact_every_mode_is_as_configured(finding: Finding, wanted: int) -> None:
    assert new_mode(finding, wanting(Want(exact=True))) == wanted


def test_a_file_of_the_wrong_owner_keeps_its_mode() -> None:
    step = repair_of(decide([found_file(0o660, denied=False)], wanting(Want(uid=997, gid=MEDIA))))

    assert (step.uid, step.gid, step.reason) == (997, MEDIA, "another owner or group is wanted")
    assert step.finding.mode & step.new_mode == step.finding.mode


def test_the_innermost_override_holds() -> None:
    policy = dataclasses.replace(
        POLICY,
        overrides=(
            ("/srv/media/Films/Kids", Want(file_mode=Mode(0o604))),
            ("/srv/media/Films", Want(file_mode=Mode(0o640))),
            ("/srv/media/Film", Want(file_mode=Mode(0o400))),
        ),
    )

    assert new_mode(found_file(0o000, path="Films/Kids/a.mkv"), policy) == 0o604
    assert new_mode(found_file(0o000, path="Films/a.mkv"), policy) == 0o640
    assert new_mode(found_file(0o000, path="Music/a.mkv"), policy) == 0o644


# -- what is left alone -----------------------------------------------------------------------------------------------


def test_what_was_repaired_lately_is_left_file_folder_and_linked_file_alike() -> None:
    lately = {("/srv/media/a.mkv", 10), ("/srv/media/Films", 20)}

    assert reason(decide([found_file(0o000)], POLICY, lately)) == DOES_NOT_HOLD
    assert reason(decide([found_folder(0o700)], POLICY, lately)) == DOES_NOT_HOLD
    assert reason(decide_linked([found_file(0o000, links=1)], POLICY, lately, began_ns=BEGAN_NS)) == DOES_NOT_HOLD
    assert isinstance(decide([found_file(0o000, root=1)], POLICY, lately).steps[0], Repair)


def test_another_file_of_the_name_of_one_that_was_repaired_lately_is_repaired() -> None:
    assert isinstance(decide([found_file(0o000, inode=11)], POLICY, {("/srv/media/a.mkv", 10)}).steps[0], Repair)


@pytest.mark.parametrize(
    ("configured", "uid", "mode", "private"),
    [
        (False, 0, 0o700, True),
        (False, 0, 0o600, True),
        (True, 0, 0o700, False),
        (False, ANNA, 0o700, False),
        (False, 0, 0o750, True),
        (False, 0, 0o751, False),
    ],
    ids=[
        "root's own",
        "not even searched",
        "named by the administrator",
        "somebody else's",
        "open to a group",
        "searched by others",
    ],
)
def test_a_private_folder_that_only_plex_names_a_library_is_left(configured: bool, uid: int, mode: int, private: bool) -> None:
    policy = dataclasses.replace(POLICY, roots=(Root(path="/srv/media", configured=configured),))

    (step,) = decide([found_folder(mode, path="", uid=uid)], policy).steps

    assert (isinstance(step, Leave) and step.reason == RootFault.PRIVATE.value) is private


@pytest.mark.parametrize(
    ("mode", "path", "left"),
    [(0o700, "cloud", True), (0o755, "cloud", True), (0o700, "local", True), (0o755, "local", False)],
    ids=["shut", "open", "of a mount that is not known yet", "of whoever else"],
)
def test_the_folder_of_a_mount_keeps_owner_and_mode_when_the_mount_has_just_gone(mode: int, path: str, left: bool) -> None:
    policy = dataclasses.replace(wanting(Want(uid=ANNA)), guarded=("/srv/media/cloud",), guard_uid=MEDIA)

    (step,) = decide([found_folder(mode, path=path, uid=MEDIA, denied=False)], policy).steps

    assert (isinstance(step, Leave) and step.reason == IS_BARE) is left


def test_a_folder_below_a_library_is_opened_whoever_it_belongs_to() -> None:
    policy = dataclasses.replace(POLICY, roots=(Root(path="/srv/media", configured=False),))

    assert new_mode(found_folder(0o700, path="Film", uid=0), policy) == 0o755


# -- order and hard links ---------------------------------------------------------------------------------------------


def test_decide_opens_outer_folders_before_inner_ones_and_files_last() -> None:
    findings = [
        found_file(0o000, path="a.mkv", inode=1),
        found_folder(0o000, path="b/c/d", inode=2),
        found_file(0o000, path="b/c/e.mkv", inode=3),
        found_folder(0o000, path="b", inode=4),
        found_folder(0o000, path="", inode=5),
        found_folder(0o000, path="b/c", inode=6),
    ]

    plan = decide(findings, POLICY)

    assert [step.finding.path for step in plan.steps] == ["", "b", "b/c", "b/c/d", "a.mkv", "b/c/e.mkv"]


def test_decide_holds_files_with_several_names_back_until_all_names_are_known() -> None:
    linked = found_file(0o000, links=2)

    assert decide([linked], POLICY) == Plan((), (linked,))


def test_decide_does_not_hold_folders_back_for_their_links() -> None:
    assert decide([found_folder(0o000)], POLICY).held_back == ()


def test_decide_linked_repairs_a_file_once_when_all_its_names_are_below_the_roots() -> None:
    names = [found_file(0o000, path="a.mkv", links=2), found_file(0o000, path="b.mkv", root=1, links=2)]

    (step,) = decide_linked(names, POLICY, began_ns=BEGAN_NS).steps

    assert isinstance(step, Repair)
    assert (step.finding, step.new_mode) == (names[0], 0o644)


def test_decide_linked_leaves_a_file_that_also_has_a_name_outside_the_roots() -> None:
    assert "outside the roots" in reason(decide_linked([found_file(0o000, links=2)], POLICY, began_ns=BEGAN_NS))


def test_decide_linked_counts_a_name_once_when_one_root_lies_in_the_other() -> None:
    # given: /srv/media and /srv/media/Films are both roots, and the file's second name is outside of both
    policy = dataclasses.replace(POLICY, roots=(Root(path="/srv/media"), Root(path="/srv/media/Films")))
    met_twice = [
        found_file(0o000, path="Films/a.mkv", links=2, folder=7),
        found_file(0o000, path="a.mkv", root=1, links=2, folder=7),
    ]

    plan = decide_linked(met_twice, policy, began_ns=BEGAN_NS)

    assert "outside the roots" in reason(plan)


def test_decide_linked_leaves_a_name_that_was_carried_on_before_the_walk() -> None:
    # given: one name, met, renamed, and met again; or its folder was renamed, which leaves the file's ctime as it was
    renamed = [found_file(0o000, path="a", links=2), found_file(0o000, path="b", links=2, changed_ns=BEGAN_NS + 1)]
    carried = [found_file(0o000, path="Old/a", links=2, folder=7), found_file(0o000, path="New/a", links=2, folder=7)]

    assert reason(decide_linked(renamed, POLICY, began_ns=BEGAN_NS)) == HAS_NEW_NAME
    assert "outside the roots" in reason(decide_linked(carried, POLICY, began_ns=BEGAN_NS))


@pytest.mark.parametrize("ago_ns", [0, 1_500_000_000], ids=["during the walk", "just before it"])
def test_decide_linked_leaves_names_that_are_too_new_to_be_sure_of(ago_ns: int) -> None:
    names = [found_file(0o000, path=name, links=2, changed_ns=BEGAN_NS - ago_ns) for name in "ab"]

    assert reason(decide_linked(names, POLICY, began_ns=BEGAN_NS)) == HAS_NEW_NAME


def test_decide_linked_tells_equal_inodes_of_two_file_systems_apart() -> None:
    here = found_file(0o000, path="a.mkv", links=2)
    there = dataclasses.replace(here, path="b.mkv", device=2)

    assert [type(step) for step in decide_linked([here, there], POLICY, began_ns=BEGAN_NS).steps] == [Leave, Leave]


def test_decide_linked_leaves_set_id_files_alone() -> None:
    names = [found_file(0o4000, path="a", links=2), found_file(0o4000, path="b", links=2)]

    assert "set-id" in reason(decide_linked(names, POLICY, began_ns=BEGAN_NS))


@pytest.mark.parametrize(
    ("root", "path", "whole"),
    [("/srv/media", "a/b.mkv", "/srv/media/a/b.mkv"), ("/srv/media", "", "/srv/media"), ("/", "a", "/a")],
    ids=["below", "the root itself", "below the root folder"],
)
def test_full_path_joins_root_and_path(root: str, path: str, whole: str) -> None:
    assert full_path(Policy(roots=(Root(path=root),)), found_file(0, path=path)) == whole


# -- a plan that is stopped after any of its steps --------------------------------------------------------------------

MODES = st.integers(min_value=0, max_value=0o7777)
TREES = st.dictionaries(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["", "/x", "/x/y", "/z"])).map("".join),
    st.tuples(st.booleans(), MODES),
    max_size=9,
)


def find_wrong(tree: dict[str, tuple[bool, int]]) -> list[Finding]:
    """Return the findings of a walk over a tree of modes by path, as the walk would make them."""
    findings = []
    for inode, (path, (is_folder, mode)) in enumerate(sorted(tree.items())):
        owned = Ownership(mode, ANNA, 1000)
        if not allows(owned, PLEX, 5 if is_folder else 4):
            findings.append(Finding(0, path, is_folder, owned, True, 1, inode, 1, True))
    return findings


def carry_out(plan: Plan, tree: dict[str, tuple[bool, int]], steps: int) -> dict[str, tuple[bool, int]]:
    done = dict(tree)
    for step in plan.steps[:steps]:
        if isinstance(step, Repair):
            done[step.finding.path] = (step.finding.is_folder, int(step.new_mode))
    return done


@given(TREES)
def test_a_plan_stopped_after_any_step_and_begun_anew_ends_in_the_same_state(tree: dict[str, tuple[bool, int]]) -> None:
    plan = decide(find_wrong(tree), AS_PLEX)
    end = carry_out(plan, tree, len(plan.steps))

    for steps in range(len(plan.steps) + 1):
        stopped = carry_out(plan, tree, steps)
        again = decide(find_wrong(stopped), AS_PLEX)
        assert carry_out(again, stopped, len(again.steps)) == end


@given(TREES)
def test_no_step_of_a_plan_takes_a_bit_away(tree: dict[str, tuple[bool, int]]) -> None:
    for step in decide(find_wrong(tree), AS_PLEX).steps:
        if isinstance(step, Repair):
            assert step.finding.mode & ~step.new_mode == 0
            assert step.new_mode & ~step.finding.mode & ~(0o755 if step.finding.is_folder else 0o644) == 0


@given(st.permutations(range(6)))
def test_the_order_of_findings_changes_nothing_in_the_plan(order: list[int]) -> None:
    findings = [found_file(0o000, path=f"f{n}", inode=n) for n in range(3)]
    findings += [found_folder(0o000, path=path, inode=9) for path in ("d", "d/e", "d/e/f")]

    assert decide([findings[n] for n in order], POLICY) == decide(findings, POLICY)


def test_every_finding_is_judged_exactly_once() -> None:
    findings = [
        found_file(mode, path=f"{mode:o}-{links}", inode=mode * 3 + links, links=links)
        for mode, links in itertools.product((0o000, 0o4000, 0o640), (1, 2))
    ]

    plan = decide(findings, POLICY)

    judged = [step.finding for step in plan.steps] + list(plan.held_back)
    assert sorted(f.inode for f in judged) == sorted(f.inode for f in findings)
