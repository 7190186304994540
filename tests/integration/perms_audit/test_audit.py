"""One audit from beginning to end, on real trees."""

import dataclasses
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plexguard.core.events import Mode
from plexguard.core.mounts import MountPoint, read_mounts
from plexguard.perms_audit.audit import Account, Audit, Cause
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.observe import Root
from plexguard.perms_audit.roots import RootFault
from tests.fakes import lying_fuse
from tests.fakes.ports import FakeJournal
from tests.integration.perms_audit.support import (
    Result,
    ShiftedClock,
    audit,
    become_nobody,
    leave_mounts,
    make_file,
    make_folder,
    make_read_only,
    mode_of,
    mount,
    mount_fuse,
    needs_mounts,
    run_child,
    snapshot,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_file(tmp_path / "root/Show/good.mkv", 0o644)
    make_file(tmp_path / "root/Show/bad.mkv", 0o000)
    make_file(tmp_path / "root/Closed/film.mkv", 0o600)
    make_folder(tmp_path / "root/Closed", 0o700)
    (tmp_path / "root").chmod(0o755)
    return tmp_path / "root"


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that an ordinary user can come to."""
    folder = Path(tempfile.mkdtemp(prefix="plexguard-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


# -- what is repaired and told ----------------------------------------------------------------------------------------


def test_everything_wrong_is_repaired_and_every_repair_told_with_both_modes(root: Path) -> None:
    result = audit(root)

    assert [values for name, values in result.told if name == "perms.repaired"] == [
        {"path": f"{root}/Closed", "old_mode": 0o700, "new_mode": 0o755},
        {"path": f"{root}/Closed/film.mkv", "old_mode": 0o600, "new_mode": 0o644},
        {"path": f"{root}/Show/bad.mkv", "old_mode": 0o000, "new_mode": 0o644},
    ]
    summary = result.values("perms.audited")
    seconds = summary.pop("seconds")
    assert summary == {"files": 3, "folders": 3, "wrong": 3, "repaired": 3, "failed": 0, "roots": 1}
    assert isinstance(seconds, float)
    assert result.account.is_well
    assert mode_of(root / "Closed/film.mkv") == 0o644


def test_a_healthy_tree_leaves_one_line(root: Path) -> None:
    audit(root)

    assert audit(root).names() == ["perms.audited"]


def test_a_dry_run_tells_the_same_and_changes_nothing(root: Path) -> None:
    before = snapshot(root)

    result = audit(root, config=Config(dry_run=True))

    assert snapshot(root) == before
    assert result.names() == ["perms.found"] * 3 + ["perms.audited"]
    assert (result.account.wrong, result.account.repaired, result.account.failed) == (3, 0, 0)
    assert result.account.changes == [
        (f"{root}/Closed", Mode(0o700), Mode(0o755)),
        (f"{root}/Closed/film.mkv", Mode(0o600), Mode(0o644)),
        (f"{root}/Show/bad.mkv", Mode(0o000), Mode(0o644)),
    ]


def test_modes_are_the_configured_ones(root: Path) -> None:
    audit(root, config=Config(file_mode=Mode(0o664), dir_mode=Mode(0o2775)))

    assert mode_of(root / "Show/bad.mkv") == 0o664
    assert mode_of(root / "Closed") == 0o2775
    assert mode_of(root / "Show/good.mkv") == 0o644


def test_set_id_files_are_left_and_counted(root: Path) -> None:
    make_file(root / "tool", 0o4700)

    result = audit(root)

    assert mode_of(root / "tool") == 0o4700
    assert result.values("perms.not-repaired")["path"] == f"{root}/tool"
    assert (result.account.failed, result.account.is_well) == (1, False)


def test_setgid_of_a_folder_survives_its_repair(root: Path) -> None:
    make_folder(root / "Shared", 0o2770)

    audit(root)

    assert mode_of(root / "Shared") == 0o2775


def test_a_cause_is_told_once_with_how_many_it_concerns(root: Path) -> None:
    for number in range(20):
        make_file(root / f"tool{number}", 0o4700)

    assert audit(root).values("perms.not-repaired")["count"] == 20


def test_odd_names_are_repaired_and_reported(root: Path) -> None:
    names = [b"a\nb", b"\xff\xfe", b"-rf", b" ", b"x" * 255]
    for name in names:
        make_file(os.fsencode(root) + b"/" + name, 0o000)

    result = audit(root)

    assert all(mode_of(os.fsencode(root) + b"/" + name) == 0o644 for name in names)
    report = json.loads(result.account.to_json())
    paths = {os.fsencode(change["path"]) for change in report["changes"]}
    assert {os.fsencode(root) + b"/" + name for name in names} <= paths


def test_a_file_far_deeper_than_a_path_can_be_long_is_repaired(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "root")
    fd = os.open(root, os.O_RDONLY)
    for _ in range(320):
        os.mkdir(b"n" * 50, 0o700, dir_fd=fd)
        inner = os.open(b"n" * 50, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(os.open("bad.mkv", os.O_WRONLY | os.O_CREAT, 0o000, dir_fd=fd))

    result = audit(root)

    assert os.stat("bad.mkv", dir_fd=fd).st_mode & 0o7777 == 0o644
    assert (result.account.wrong, result.account.repaired) == (321, 321)
    os.close(fd)
    subprocess.run(["rm", "-rf", str(root)], check=True)


# -- hard links -------------------------------------------------------------------------------------------------------


def test_a_file_with_all_its_names_below_the_roots_is_repaired_once(root: Path, tmp_path: Path) -> None:
    more = make_folder(tmp_path / "more")
    os.link(root / "Show/bad.mkv", more / "same.mkv")

    result = audit(root, more)

    assert mode_of(more / "same.mkv") == 0o644
    assert (result.account.wrong, result.account.repaired, result.account.failed) == (3, 3, 0)


def test_a_file_that_has_a_name_outside_the_roots_is_left(root: Path, tmp_path: Path) -> None:
    make_file(tmp_path / "secret", 0o600)
    os.link(tmp_path / "secret", root / "film.mkv")

    result = audit(root)

    assert mode_of(tmp_path / "secret") == 0o600
    assert "hard link" in str(result.values("perms.not-repaired")["reason"])


def test_roots_that_lie_one_in_the_other_do_not_count_a_name_twice(root: Path, tmp_path: Path) -> None:
    make_file(tmp_path / "secret", 0o600)
    os.link(tmp_path / "secret", root / "Show/film.mkv")

    result = audit(root, root / "Show")

    assert mode_of(tmp_path / "secret") == 0o600
    assert (result.account.wrong, result.account.repaired, result.account.failed) == (4, 3, 1)


# -- roots ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [[], ["folder/inner"]], ids=["nothing", "only folders"])
def test_a_root_without_any_file_is_never_all_well(tmp_path: Path, content: list[str]) -> None:
    for name in content:
        make_folder(tmp_path / "root" / name)
    root = make_folder(tmp_path / "root")

    result = audit(root)

    assert result.account.root_faults == {str(root): RootFault.EMPTY}
    assert not result.account.is_well
    assert result.names() == ["perms.root-fault", "perms.audited"]


def test_a_bad_root_is_told_and_the_others_are_repaired(root: Path, tmp_path: Path) -> None:
    make_file(tmp_path / "file")

    result = audit(tmp_path / "missing", root, tmp_path / "file")

    assert result.account.root_faults == {
        str(tmp_path / "missing"): RootFault.MISSING,
        str(tmp_path / "file"): RootFault.NOT_A_FOLDER,
    }
    assert result.account.repaired == 3


def test_a_root_that_is_known_to_be_bad_is_not_walked(root: Path) -> None:
    result = audit(Root(path=str(root), fault=RootFault.NOT_MOUNTED))

    assert mode_of(root / "Show/bad.mkv") == 0o000
    assert result.account.root_faults == {str(root): RootFault.NOT_MOUNTED}
    assert result.account.files == 0


def test_a_mount_missing_below_a_root_is_told_and_the_rest_is_repaired(root: Path) -> None:
    result = audit(Root(path=str(root), part_missing=f"{root}/Disk"))

    assert result.account.root_faults == {f"{root}/Disk": RootFault.NOT_MOUNTED}
    assert result.account.repaired == 3


# -- recent changes ---------------------------------------------------------------------------------------------------

FIVE_HOURS = timedelta(hours=5)


def test_a_file_that_went_bad_now_is_recent_however_old_it_says_it_is(root: Path) -> None:
    # given: an unpacker set the mtime; only ctime tells that the file is new
    os.utime(root / "Show/bad.mkv", (1_000_000_000, 1_000_000_000))

    result = audit(root, recent=True)

    assert mode_of(root / "Show/bad.mkv") == 0o644
    assert result.account.files == 3


def test_what_changed_before_that_time_is_not_looked_at(root: Path) -> None:
    result = audit(root, recent=True, later=FIVE_HOURS)

    assert mode_of(root / "Show/bad.mkv") == 0o000
    assert result.account.files == 0
    assert result.account.is_well


def test_a_newer_mtime_makes_a_file_recent_too(root: Path) -> None:
    in_five_hours = os.stat(root / "Show/bad.mkv").st_ctime + FIVE_HOURS.total_seconds()
    os.utime(root / "Show/bad.mkv", (in_five_hours, in_five_hours))

    result = audit(root, recent=True, later=FIVE_HOURS)

    assert mode_of(root / "Show/bad.mkv") == 0o644
    assert result.account.files == 1


def test_folders_are_looked_at_whatever_their_age(root: Path) -> None:
    audit(root, recent=True, later=FIVE_HOURS)

    assert mode_of(root / "Closed") == 0o755


def test_what_counts_as_recent_is_configured(root: Path) -> None:
    audit(root, config=Config(changed_within=timedelta(hours=6)), recent=True, later=FIVE_HOURS)

    assert mode_of(root / "Show/bad.mkv") == 0o644


def test_the_health_check_looks_at_recent_changes_only_when_told_so(root: Path) -> None:
    assert check(root, recent=False, later=FIVE_HOURS) is not None
    assert check(root, recent=True, later=timedelta()) is not None

    (root / "Closed").chmod(0o755)
    assert check(root, recent=True, later=FIVE_HOURS) is None


def check(root: Path, *, recent: bool, later: timedelta) -> str | None:
    work = Audit((Root(path=str(root)),), Config(), read_mounts(), journal=FakeJournal(), clock=ShiftedClock(later), workers=1)
    return work.find_first(recent=recent)[0]


# -- other file systems -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["nfs4", "fuse.rclone"])
def test_nothing_on_a_fuse_or_network_mount_is_changed(root: Path, kind: str) -> None:
    before = snapshot(root)

    result = audit(root, mounts=(MountPoint(path="/", type="ext4"), MountPoint(path=str(root / "Closed"), type=kind)))

    assert mode_of(root / "Show/bad.mkv") == 0o644
    assert mode_of(root / "Closed") == 0o700
    assert mode_of(root / "Closed/film.mkv") == 0o600
    assert {path for path, kept in snapshot(root).items() if before[path] != kept} == {os.fsencode(root / "Show/bad.mkv")}
    assert kind in str(result.values("perms.not-repaired")["reason"])
    assert result.account.failed == 2


@needs_mounts
def test_a_mode_that_does_not_hold_is_a_failure_and_no_repair(tmp_path: Path) -> None:
    disk = make_folder(tmp_path / "disk")

    def attempt() -> Result:
        leave_mounts()
        fd = mount_fuse(disk, "fuse.lying")
        if os.fork() == 0:
            lying_fuse.serve(fd)
            os._exit(0)
        # Taken for a local one, as a file system of the kernel that lies would be.
        return audit(disk, mounts=())

    result = run_child(attempt)

    assert (result.account.wrong, result.account.repaired, result.account.failed) == (1, 0, 1)
    assert "did not make it" in str(result.values("perms.not-repaired")["reason"])


@needs_mounts
def test_on_a_read_only_disk_every_finding_is_left_under_one_cause(tmp_path: Path) -> None:
    disk = make_folder(tmp_path / "disk")

    def attempt() -> Result:
        leave_mounts()
        mount("test", disk, "tmpfs", "mode=0755")
        for number in range(5):
            make_file(disk / f"{number}.mkv", 0o000)
        make_read_only(disk)
        return audit(disk)

    result = run_child(attempt)

    assert (result.account.wrong, result.account.repaired, result.account.failed) == (5, 0, 5)
    assert result.values("perms.not-repaired")["count"] == 5
    assert "read-only" in str(result.values("perms.not-repaired")["reason"])


@needs_mounts
def test_a_hung_root_is_told_while_the_others_are_repaired(root: Path, tmp_path: Path) -> None:
    dead = make_folder(tmp_path / "dead")

    def attempt() -> Result:
        leave_mounts()
        mount_fuse(dead)
        return audit(dead, root, config=Config(stall_timeout=timedelta(seconds=2)))

    result = run_child(attempt)

    assert result.account.root_faults == {str(dead): RootFault.HUNG}
    assert result.account.repaired == 3


# -- without root's rights --------------------------------------------------------------------------------------------


def hand_over(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, 65534, 65534)


def audit_as_nobody(*roots: Path, config: Config | None = None) -> Result:
    def attempt() -> Result:
        become_nobody()
        return audit(*roots, config=config)

    return run_child(attempt)


@pytest.mark.parametrize("mode", [0o000, 0o200, 0o400, 0o600, 0o644, 0o311], ids=lambda mode: f"{mode:04o}")
def test_an_ordinary_user_repairs_their_own_closed_folder_and_then_looks_inside(public: Path, mode: int) -> None:
    make_file(public / "Show/Inner/film.mkv", 0o000)
    make_file(public / "Show/other.mkv", 0o600)
    hand_over(public)
    (public / "Show/Inner").chmod(mode)
    (public / "Show").chmod(mode)

    result = audit_as_nobody(public)

    assert mode_of(public / "Show/Inner/film.mkv") == 0o644
    assert mode_of(public / "Show/other.mkv") == 0o644
    assert (result.account.wrong, result.account.repaired, result.account.failed) == (4, 4, 0)
    assert (result.account.files, result.account.folders) == (2, 3)
    assert result.account.unseen == {}
    assert result.account.root_faults == {}
    assert result.account.is_well


def test_what_lies_in_a_closed_folder_of_somebody_else_is_unseen_and_told(public: Path) -> None:
    make_file(public / "mine/film.mkv", 0o644)
    hand_over(public)
    make_file(public / "theirs/film.mkv", 0o000)
    make_folder(public / "theirs", 0o700)

    result = audit_as_nobody(public)

    assert result.values("perms.unseen")["path"] == f"{public}/theirs"
    assert "somebody else" in str(result.values("perms.not-repaired")["reason"])
    assert not result.account.is_well


def test_the_example_of_what_is_unseen_is_one_that_still_is(public: Path) -> None:
    # given: one closed folder that can be repaired, and one that cannot, in the same batch
    make_file(public / "a mine/film.mkv", 0o600)
    hand_over(public)
    (public / "a mine").chmod(0o000)
    make_file(public / "b theirs/film.mkv")
    make_folder(public / "b theirs", 0o700)

    result = audit_as_nobody(public)

    told = result.values("perms.unseen")
    assert told == {"root": str(public), "path": f"{public}/b theirs", "reason": "Permission denied", "count": 1}
    assert mode_of(public / "a mine/film.mkv") == 0o644


def test_a_dry_run_tells_that_it_could_not_look_into_a_closed_folder(public: Path) -> None:
    make_file(public / "Show/film.mkv", 0o000)
    hand_over(public)
    (public / "Show").chmod(0o000)

    result = audit_as_nobody(public, config=Config(dry_run=True))

    assert result.values("perms.unseen")["path"] == f"{public}/Show"
    # and it does not say that there is no file at all, which nobody knows
    assert result.account.root_faults == {}


# -- any tree at all --------------------------------------------------------------------------------------------------

FILES = st.dictionaries(st.sampled_from(["a", "b", "d/a", "d/b", "d/e/a", "f/a"]), st.integers(0, 0o1777), min_size=1)
FOLDERS = st.fixed_dictionaries({}, optional={name: st.integers(0, 0o3777) for name in ("d", "d/e", "f", "g", "")})


@settings(max_examples=25, deadline=None, database=None, derandomize=True)
@given(FILES, FOLDERS)
def test_after_one_audit_everything_has_the_wanted_bits_and_a_second_one_finds_nothing(
    files: dict[str, int], folders: dict[str, int]
) -> None:
    base = Path(tempfile.mkdtemp(prefix="plexguard-test-"))
    try:
        root = base / "root"
        for name, mode in files.items():
            make_file(root / name, mode)
        for name in folders:
            make_folder(root / name)
        for name, mode in sorted(folders.items(), reverse=True):
            (root / name).chmod(mode)
        before = snapshot(root)

        first, after = audit(root), snapshot(root)
        second = audit(root)

        assert first.account.is_well
        assert after.keys() == before.keys()
        for path, (mode, *kept) in after.items():
            old, *kept_before = before[path]
            assert kept == kept_before
            need, wanted = (0o555, 0o755) if os.path.isdir(path) else (0o444, 0o644)
            assert mode == (old if old & need == need else old | wanted)  # type: ignore[operator]
        assert snapshot(root) == after
        assert (second.account.wrong, second.account.repaired) == (0, 0)
    finally:
        shutil.rmtree(base)


def test_the_report_for_programs_holds_every_cause(root: Path, tmp_path: Path) -> None:
    make_file(root / "tool", 0o4700)

    report = json.loads(audit(root, tmp_path / "missing").account.to_json())

    assert report.pop("seconds") >= 0
    assert report == {
        "files": 4,
        "folders": 3,
        "wrong": 4,
        "repaired": 3,
        "failed": 1,
        "root_faults": [{"root": f"{tmp_path}/missing", "fault": "missing"}],
        "left": [{"root": str(root), "reason": "is a set-id file, which is no media", "count": 1, "example": f"{root}/tool"}],
        "unseen": [],
        "changes": [
            {"path": f"{root}/Closed", "old_mode": "0700", "new_mode": "0755"},
            {"path": f"{root}/Closed/film.mkv", "old_mode": "0600", "new_mode": "0644"},
            {"path": f"{root}/Show/bad.mkv", "old_mode": "0000", "new_mode": "0644"},
        ],
    }


def test_an_account_is_well_only_without_failures_faults_and_gaps() -> None:
    account = Account()

    assert account.is_well
    assert not dataclasses.replace(account, failed=1).is_well
    assert not dataclasses.replace(account, root_faults={"/a": RootFault.EMPTY}).is_well
    assert not dataclasses.replace(account, unseen={("/a", "Permission denied"): Cause(1, "/a/b")}).is_well
