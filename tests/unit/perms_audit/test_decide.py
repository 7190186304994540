"""What is done about each finding, as a table, and plans that are stopped after any step."""

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.core.events import Mode
from plexguard.core.mounts import MountPoint
from plexguard.perms_audit.decide import Leave, Plan, Policy, Repair, decide, decide_linked, full_path
from plexguard.perms_audit.walk import FILE_NEED, FOLDER_NEED, Finding

ROOT = MountPoint(path="/", type="ext4")
POLICY = Policy(file_mode=Mode(0o644), dir_mode=Mode(0o755), roots=("/srv/media", "/srv/more"), mounts=(ROOT,))


def found_file(mode: int, *, path: str = "a.mkv", root: int = 0, inode: int = 10, links: int = 1) -> Finding:
    return Finding(root, path, False, Mode(mode), 1, inode, links, False)


def found_folder(mode: int, *, path: str = "Films", root: int = 0, inode: int = 20) -> Finding:
    return Finding(root, path, True, Mode(mode), 1, inode, 2, True)


def new_mode(finding: Finding, policy: Policy = POLICY) -> int:
    (step,) = decide([finding], policy).steps
    assert isinstance(step, Repair)
    return int(step.new_mode)


def reason(plan: Plan) -> str:
    (step,) = plan.steps
    assert isinstance(step, Leave)
    return step.reason


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
    policy = dataclasses.replace(POLICY, file_mode=Mode(0o664), dir_mode=Mode(0o775))

    assert new_mode(found_file(0o000), policy) == 0o664
    assert new_mode(found_folder(0o700), policy) == 0o775


@pytest.mark.parametrize("mode", [0o4000, 0o2000, 0o6000, 0o4600, 0o2640])
def test_decide_leaves_set_id_files_alone(mode: int) -> None:
    assert "set-id" in reason(decide([found_file(mode)], POLICY))


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse", "fuse.rclone", "fuse.mergerfs", "fuseblk", "9p", "autofs"])
@pytest.mark.parametrize("finding", [found_file(0o000), found_folder(0o000)], ids=["file", "folder"])
def test_decide_repairs_nothing_on_fuse_and_network_mounts(finding: Finding, kind: str) -> None:
    policy = dataclasses.replace(POLICY, mounts=(ROOT, MountPoint(path="/srv/media", type=kind)))

    assert kind in reason(decide([finding], policy))


def test_decide_judges_by_the_mount_a_path_lies_on_and_not_by_its_roots_mount() -> None:
    policy = dataclasses.replace(POLICY, mounts=(ROOT, MountPoint(path="/srv/media/Films", type="fuse.rclone")))

    plan = decide([found_file(0o000, path="Films/a.mkv"), found_file(0o000, path="Films of 1990/a.mkv", inode=11)], policy)

    assert [type(step) for step in plan.steps] == [Repair, Leave] or [type(step) for step in plan.steps] == [Leave, Repair]
    (left,) = [step for step in plan.steps if isinstance(step, Leave)]
    assert left.finding.path == "Films/a.mkv"


def test_decide_repairs_a_local_disk_below_a_network_mount() -> None:
    mounts = (ROOT, MountPoint(path="/srv", type="nfs4"), MountPoint(path="/srv/media", type="xfs"))

    assert new_mode(found_file(0o000), dataclasses.replace(POLICY, mounts=mounts)) == 0o644


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

    (step,) = decide_linked(names, POLICY).steps

    assert step == Repair(names[0], Mode(0o644))


def test_decide_linked_leaves_a_file_that_also_has_a_name_outside_the_roots() -> None:
    assert "outside the roots" in reason(decide_linked([found_file(0o000, links=2)], POLICY))


def test_decide_linked_counts_a_name_once_when_one_root_lies_in_the_other() -> None:
    # given: /srv/media and /srv/media/Films are both roots, and the file's second name is outside of both
    policy = dataclasses.replace(POLICY, roots=("/srv/media", "/srv/media/Films"))
    met_twice = [found_file(0o000, path="Films/a.mkv", links=2), found_file(0o000, path="a.mkv", root=1, links=2)]

    plan = decide_linked(met_twice, policy)

    assert "outside the roots" in reason(plan)


def test_decide_linked_tells_equal_inodes_of_two_file_systems_apart() -> None:
    here = found_file(0o000, path="a.mkv", links=2)
    there = dataclasses.replace(here, path="b.mkv", device=2)

    assert [type(step) for step in decide_linked([here, there], POLICY).steps] == [Leave, Leave]


def test_decide_linked_leaves_set_id_files_alone() -> None:
    names = [found_file(0o4000, path="a", links=2), found_file(0o4000, path="b", links=2)]

    assert "set-id" in reason(decide_linked(names, POLICY))


@pytest.mark.parametrize(
    ("root", "path", "whole"),
    [("/srv/media", "a/b.mkv", "/srv/media/a/b.mkv"), ("/srv/media", "", "/srv/media"), ("/", "a", "/a")],
    ids=["below", "the root itself", "below the root folder"],
)
def test_full_path_joins_root_and_path(root: str, path: str, whole: str) -> None:
    assert full_path((root,), found_file(0, path=path)) == whole


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
        need = FOLDER_NEED if is_folder else FILE_NEED
        if mode & need != need:
            findings.append(Finding(0, path, is_folder, Mode(mode), 1, inode, 1, True))
    return findings


def carry_out(plan: Plan, tree: dict[str, tuple[bool, int]], steps: int) -> dict[str, tuple[bool, int]]:
    done = dict(tree)
    for step in plan.steps[:steps]:
        if isinstance(step, Repair):
            done[step.finding.path] = (step.finding.is_folder, int(step.new_mode))
    return done


@given(TREES)
def test_a_plan_stopped_after_any_step_and_begun_anew_ends_in_the_same_state(tree: dict[str, tuple[bool, int]]) -> None:
    plan = decide(find_wrong(tree), POLICY)
    end = carry_out(plan, tree, len(plan.steps))

    for steps in range(len(plan.steps) + 1):
        stopped = carry_out(plan, tree, steps)
        again = decide(find_wrong(stopped), POLICY)
        assert carry_out(again, stopped, len(again.steps)) == end


@given(TREES)
def test_no_step_of_a_plan_takes_a_bit_away(tree: dict[str, tuple[bool, int]]) -> None:
    for step in decide(find_wrong(tree), POLICY).steps:
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
