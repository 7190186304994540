"""What the audit finds, what it proves and what it reckons is what the kernel says to a process that really is that user."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plexguard.perms_audit.access import LIST, READ, Guise, Identity, Ownership, allows
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.open import find_blocked
from plexguard.perms_audit.prove import Prover, find_place, prove
from plexguard.perms_audit.roots import Root
from tests.integration.perms_audit.support import (
    NOBODY,
    READER,
    audit,
    become,
    can_read,
    find,
    make_file,
    make_folder,
    mode_of,
    policy_of,
    readable,
    run_child,
    set_acl,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

UIDS = (0, READER.uid, NOBODY)
GIDS = (0, READER.gids[0], READER.gids[1], NOBODY)


# -- trees of any modes, owners and ACLs ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """Mode, owner and ACL of a path. users, groups: permission bits by id, with `mask` over them; no ACL where both are empty."""

    mode: int
    uid: int
    gid: int
    users: dict[int, int] = field(default_factory=dict)
    groups: dict[int, int] = field(default_factory=dict)
    mask: int = 7


BITS = st.integers(0, 7)
# Half of all folders stand open, so that what lies deep is reached as well.
FILE_MODES = st.one_of(st.sampled_from([0o644, 0o640, 0o600, 0o604]), st.integers(0, 0o777))
FOLDER_MODES = st.one_of(st.sampled_from([0o755, 0o750, 0o711, 0o755]), st.integers(0, 0o777))
ACLS = {
    "users": st.dictionaries(st.sampled_from([READER.uid, NOBODY]), BITS, max_size=2),
    "groups": st.dictionaries(st.sampled_from(READER.gids), BITS, max_size=2),
    "mask": BITS,
}


def entries(modes: st.SearchStrategy[int]) -> st.SearchStrategy[Entry]:
    plain = st.builds(Entry, modes, st.sampled_from(UIDS), st.sampled_from(GIDS))
    return st.one_of(plain, st.builds(Entry, modes, st.sampled_from(UIDS), st.sampled_from(GIDS), **ACLS))


FOLDERS = ("", "Show", "Show/Season", "Film")
FILES = ("a.mkv", "Show/b.mkv", "Show/Season/c.mkv", "Show/Season/d.mkv", "Film/e.mkv")
TREES = st.tuples(
    st.fixed_dictionaries({name: entries(FOLDER_MODES) for name in FOLDERS}),
    st.fixed_dictionaries({name: entries(FILE_MODES) for name in FILES}),
)


def make_tree(root: Path, folders: dict[str, Entry], files: dict[str, Entry]) -> None:
    for name in files:
        make_file(root / name)
        (root / name).write_bytes(b"film")
    for name, entry in {**folders, **files}.items():
        path = root / name
        os.chown(path, entry.uid, entry.gid)
        path.chmod(entry.mode)
        if entry.users or entry.groups:
            set_acl(path, users=entry.users, groups=entry.groups, mask=entry.mask)


def all_paths(root: Path) -> list[Path]:
    return [root / name for name in (*FOLDERS, *FILES)]


def refused(root: Path) -> set[Path]:
    """Return what the reader cannot read of what it can come to: all folders on the way let themselves be listed."""
    known = all_paths(root)
    open_ones = readable(READER, known)
    return {path for path in known if path not in open_ones and all(p in open_ones for p in path.parents if p.is_relative_to(root))}


@settings(max_examples=40, deadline=None, database=None, derandomize=True)
@given(TREES)
def test_the_audit_finds_exactly_what_that_user_cannot_open(tree: tuple[dict[str, Entry], dict[str, Entry]]) -> None:
    with TemporaryRoot() as root:
        make_tree(root, *tree)

        assert {Path(root, finding.path) for finding in find(root, identity=READER)} == refused(root)


@settings(max_examples=15, deadline=None, database=None, derandomize=True)
@given(TREES)
def test_after_an_audit_that_user_opens_everything_but_what_was_left(tree: tuple[dict[str, Entry], dict[str, Entry]]) -> None:
    with TemporaryRoot() as root:
        make_tree(root, *tree)

        account = audit(root, identity=READER).account

        left = {Path(cause.example) for cause in account.left.values()}
        shut = refused(root)
        assert left <= {path for path in all_paths(root) if path not in readable(READER, all_paths(root))}
        assert (account.failed > 0) is bool(shut)
        assert account.wrong == account.repaired + account.failed
        # and what was changed to no use is as it was
        for path in shut:
            entry = {**tree[0], **tree[1]}[str(path.relative_to(root)).removeprefix(".")]
            assert mode_of(path) == entry_mode(entry)


def entry_mode(entry: Entry) -> int:
    """Return the mode that stat shows: with an ACL, its mask stands where the group's bits are."""
    return entry.mode & 0o707 | entry.mask << 3 if entry.users or entry.groups else entry.mode


@settings(max_examples=25, deadline=None, database=None, derandomize=True)
@given(TREES)
def test_a_single_path_is_proven_readable_exactly_when_that_user_can_open_it(
    tree: tuple[dict[str, Entry], dict[str, Entry]],
) -> None:
    with TemporaryRoot() as root:
        make_tree(root, *tree)
        policy = policy_of(root, identity=READER)

        def prove_all() -> set[Path]:
            guise = Guise(READER)
            guise.prepare()
            prover = Prover(policy, guise)
            places = {path: find_place(str(path), policy) for path in all_paths(root)}
            return {path for path, place in places.items() if place is not None and not prover.why_unreadable(place)}

        assert run_child(prove_all) == readable(READER, all_paths(root))


class TemporaryRoot:
    """A folder that everybody can come to, gone at the end whatever its modes."""

    def __enter__(self) -> Path:
        self._base = Path(tempfile.mkdtemp(prefix="plexguard-test-"))
        self._base.chmod(0o755)
        return make_folder(self._base / "root")

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._base)


# -- the bits alone ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_folder", [False, True], ids=["files", "folders"])
def test_without_acls_the_bits_say_what_the_kernel_does(public: Path, is_folder: bool) -> None:
    # given: every mode in every relation to the user: owner, first group, further group, other
    owned: dict[Path, Ownership] = {}
    for uid, gid in ((READER.uid, 0), (READER.uid, READER.gids[0]), (0, READER.gids[0]), (0, READER.gids[1]), (0, 0)):
        for mode in range(0o1000):
            path = public / f"{uid}-{gid}-{mode:03o}"
            make_folder(path) if is_folder else make_file(path)
            os.chown(path, uid, gid)
            path.chmod(mode)
            owned[path] = Ownership(mode, uid, gid)

    allowed = {path for path, o in owned.items() if allows(o, READER, LIST if is_folder else READ)}

    assert allowed == readable(READER, list(owned))


def test_an_ordinary_users_audit_for_somebody_else_goes_by_the_bits(public: Path) -> None:
    for name, mode, gid in (("a", 0o640, READER.gids[1]), ("b", 0o640, NOBODY), ("c", 0o604, READER.gids[0]), ("d", 0o644, 0)):
        make_file(public / name, mode)
        os.chown(public / name, NOBODY, gid)
    os.chown(public, NOBODY, NOBODY)

    def look() -> list[str]:
        become(Identity(NOBODY, (NOBODY,)))
        return sorted(finding.path for finding in find(public, identity=READER))

    assert run_child(look) == ["b", "c"]


# -- by what right ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uid", "gid", "mode", "acl", "found"),
    [
        pytest.param(0, READER.gids[1], 0o640, {}, False, id="a further group is enough"),
        pytest.param(0, 0, 0o640, {}, True, id="another group is not"),
        pytest.param(0, 0, 0o640, {"users": {READER.uid: 4}, "mask": 4}, False, id="an ACL for the user is enough"),
        pytest.param(0, 0, 0o640, {"users": {READER.uid: 4}, "mask": 0}, True, id="a mask takes it away"),
        pytest.param(0, 0, 0o640, {"groups": {READER.gids[1]: 4}, "mask": 4}, False, id="an ACL for a group is enough"),
        pytest.param(0, 0, 0o644, {"users": {READER.uid: 0}}, True, id="an ACL can shut out one for whom others' bits stand"),
        pytest.param(READER.uid, 0, 0o044, {}, True, id="an owner who shut himself out"),
    ],
)
def test_by_whatever_right_a_user_reads_it_counts(
    public: Path, uid: int, gid: int, mode: int, acl: dict[str, dict[int, int]], found: bool
) -> None:
    make_file(public / "film.mkv")
    os.chown(public / "film.mkv", uid, gid)
    (public / "film.mkv").chmod(mode)
    if acl:
        set_acl(public / "film.mkv", **acl)  # type: ignore[arg-type]

    assert [finding.path for finding in find(public, identity=READER)] == (["film.mkv"] if found else [])


def test_a_file_in_a_folder_that_is_closed_to_that_user_alone_is_reached_after_the_folder(public: Path) -> None:
    make_file(public / "Show/film.mkv", 0o640)
    make_folder(public / "Show", 0o750)

    account = audit(public, identity=READER).account

    assert [(path, new) for path, _, new in account.changes] == [(f"{public}/Show", 0o755), (f"{public}/Show/film.mkv", 0o644)]
    assert readable(READER, [public / "Show/film.mkv"])


def test_a_dry_run_tells_what_lies_in_closed_folders_too(public: Path) -> None:
    make_file(public / "Show/Season/film.mkv", 0o640)
    make_file(public / "Show/good.mkv", 0o644)
    for name in ("Show/Season", "Show"):
        make_folder(public / name, 0o700)

    account = audit(public, identity=READER, config=Config(dry_run=True)).account

    assert [path for path, _, _ in account.changes] == [
        f"{public}/{name}" for name in ("Show", "Show/Season", "Show/Season/film.mkv")
    ]
    assert (account.wrong, account.files, account.folders) == (3, 2, 3)
    assert account.unseen == {}


def test_what_lies_in_a_folder_that_stays_closed_is_repaired_by_its_bits(public: Path) -> None:
    # given: an ACL that no mode outdoes
    make_file(public / "Show/film.mkv", 0o600)
    set_acl(public / "Show", users={READER.uid: 0})
    set_acl_mode = mode_of(public / "Show")

    account = audit(public, identity=READER).account

    assert mode_of(public / "Show/film.mkv") == 0o644
    assert mode_of(public / "Show") == set_acl_mode
    assert (account.wrong, account.repaired, account.failed) == (2, 1, 1)


# -- above the root ---------------------------------------------------------------------------------------------------


def blocked(root: Root, identity: Identity | None = READER) -> tuple[str, str] | None:
    def look() -> tuple[str, str] | None:
        guise = Guise(identity)
        guise.prepare()
        return find_blocked(root, guise)

    return run_child(look)


@pytest.fixture
def deep(public: Path) -> Path:
    make_file(public / "a/b/media/film.mkv")
    for name in ("a", "a/b", "a/b/media"):
        (public / name).chmod(0o755)
    return public / "a/b/media"


def test_a_folder_above_the_root_that_cannot_be_passed_is_named_with_its_bit(deep: Path) -> None:
    assert blocked(Root(path=str(deep))) is None

    deep.parent.parent.chmod(0o754)

    assert blocked(Root(path=str(deep))) == (str(deep.parent.parent), "no x for others (it is root:root, 0754)")


def test_a_folder_above_need_only_be_passed_and_the_root_is_no_folder_above(deep: Path) -> None:
    deep.parent.parent.chmod(0o711)
    deep.chmod(0o700)

    assert blocked(Root(path=str(deep))) is None


def test_folders_above_a_containers_bind_mount_are_not_in_its_way(deep: Path) -> None:
    deep.parent.parent.chmod(0o700)

    assert blocked(Root(path=str(deep), seen_from=str(deep.parent))) is None
    assert blocked(Root(path=str(deep), seen_from=str(deep))) is None

    deep.parent.chmod(0o700)
    assert blocked(Root(path=str(deep), seen_from=str(deep.parent))) == (
        str(deep.parent),
        "no x for others (it is root:root, 0700)",
    )
    assert blocked(Root(path=str(deep), seen_from=str(deep))) is None


def test_an_acl_above_the_root_is_named_as_such(deep: Path) -> None:
    set_acl(deep.parent, users={READER.uid: 0})

    found = blocked(Root(path=str(deep)))

    assert found is not None
    assert found[0] == str(deep.parent)
    assert "ACL" in found[1]


def test_where_nobody_knows_as_whom_to_look_nothing_above_is_judged(deep: Path) -> None:
    deep.parent.chmod(0o700)

    assert blocked(Root(path=str(deep)), None) is None


def test_an_audit_tells_once_what_is_in_the_way_and_changes_nothing_above_the_root(deep: Path) -> None:
    deep.parent.chmod(0o700)

    result = audit(deep, identity=READER)

    assert result.values("perms.blocked") == {
        "root": str(deep),
        "folder": str(deep.parent),
        "reason": "no x for others (it is root:root, 0700)",
    }
    assert mode_of(deep.parent) == 0o700
    assert not result.account.is_well


# -- a single path, explained -----------------------------------------------------------------------------------------


@pytest.fixture
def film(public: Path) -> Iterator[Path]:
    make_file(public / "root/Show/film.mkv")
    (public / "root").chmod(0o755)
    (public / "root/Show").chmod(0o755)
    yield public / "root/Show/film.mkv"


def why(film: Path) -> str:
    policy = policy_of(film.parent.parent, identity=READER)
    return run_child(lambda: prove(policy, str(film)))


def test_what_can_be_read_needs_no_explanation(film: Path) -> None:
    assert why(film) == ""


def test_the_file_itself_is_named(film: Path) -> None:
    film.chmod(0o640)
    assert why(film) == f"{film}: no r for others (it is root:root, 0640)"


def test_the_folder_on_the_way_is_named_and_not_the_file_behind_it(film: Path) -> None:
    film.chmod(0o000)
    film.parent.chmod(0o700)
    assert why(film) == f"{film.parent}: no r and x for others (it is root:root, 0700)"


def test_a_folder_that_can_only_be_passed_is_not_in_the_way(film: Path) -> None:
    film.parent.chmod(0o711)
    assert why(film) == ""


def test_a_folder_of_a_group_names_the_group(film: Path) -> None:
    os.chown(film.parent, 0, READER.gids[1])
    film.parent.chmod(0o705)
    assert why(film) == f"{film.parent}: no r and x for group 54400 (it is root:54400, 0705)"


def test_an_acl_is_named(film: Path) -> None:
    set_acl(film, users={READER.uid: 0})
    assert why(film) == f"{film}: its ACL (getfacl) keeps 54322 (uid 54322) out"


def test_a_folder_above_the_root_is_named(film: Path) -> None:
    film.parents[2].chmod(0o750)
    assert why(film) == f"{film.parents[2]}: no x for others (it is root:root, 0750)"


def test_who_wears_another_identity_is_oneself_again_afterwards(public: Path) -> None:
    make_file(public / "film.mkv", 0o600)

    def look() -> tuple[bool, bool, bool, bool]:
        guise = Guise(READER)
        guise.prepare()
        before = can_read(public / "film.mkv")
        with guise.worn():
            worn = can_read(public / "film.mkv")
            with guise.doffed():
                doffed = can_read(public / "film.mkv")
        return before, worn, doffed, can_read(public / "film.mkv")

    assert run_child(look) == (True, False, True, True)
