"""One audit from beginning to end, on real trees."""

import dataclasses
import json
import os
import shutil
import subprocess
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plexguard.core.events import Mode
from plexguard.perms_audit.access import name_user
from plexguard.perms_audit.audit import Account, Audit
from plexguard.perms_audit.config import Config, Override
from plexguard.perms_audit.report import Cause
from plexguard.perms_audit.roots import Root, RootFault
from tests.fakes import names
from tests.fakes.ports import FakeJournal
from tests.integration.perms_audit.support import (
    READER,
    Result,
    ShiftedClock,
    audit,
    become_nobody,
    keep_capabilities,
    leave_mounts,
    make_file,
    make_folder,
    make_read_only,
    mode_of,
    mount,
    mount_fuse,
    needs_mounts,
    policy_of,
    run_child,
    slow_disk,
    snapshot,
    unit_capabilities,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_file(tmp_path / "root/Show/good.mkv", 0o644)
    make_file(tmp_path / "root/Show/bad.mkv", 0o000)
    make_file(tmp_path / "root/Closed/film.mkv", 0o600)
    make_folder(tmp_path / "root/Closed", 0o700)
    (tmp_path / "root").chmod(0o755)
    return tmp_path / "root"


# -- what is repaired and told ----------------------------------------------------------------------------------------


def test_everything_wrong_is_repaired_and_every_repair_told_with_both_modes(root: Path) -> None:
    result = audit(root)

    assert result.all("perms.repaired") == [
        {"path": f"{root}/{path}", "old_mode": old, "new_mode": new, "reason": not_everybody(old), "run": ""}
        for path, old, new in (
            ("Closed", 0o700, 0o755),
            ("Closed/film.mkv", 0o600, 0o644),
            ("Show/bad.mkv", 0o000, 0o644),
        )
    ]
    summary = result.values("perms.audited")
    seconds = summary.pop("seconds")
    assert summary == {"files": 3, "folders": 3, "wrong": 3, "repaired": 3, "failed": 0, "roots": 1, "run": ""}
    assert isinstance(seconds, float)
    assert result.account.is_well
    assert mode_of(root / "Closed/film.mkv") == 0o644


def not_everybody(mode: int) -> str:
    return f"not everybody may read it (it is root:root, {mode:04o})"


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
    planted = names.plant_all(root)

    result = audit(root)

    assert {path for path in planted if mode_of(path) not in (0o644, 0o755)} == set()
    report = json.loads(result.account.to_json())
    assert planted <= {os.fsencode(change["path"]) for change in report["changes"]}


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


# -- how media should be ----------------------------------------------------------------------------------------------


def exact(**options: object) -> Config:
    return dataclasses.replace(Config(policy="exact"), **options)  # type: ignore[arg-type]


def test_with_exact_modes_are_repaired_in_either_direction(root: Path) -> None:
    make_file(root / "Show/wide.mkv", 0o777)
    make_folder(root / "Wide", 0o777)
    (root / "Show").chmod(0o2775)

    result = audit(root, config=exact())

    assert [mode_of(root / name) for name in ("Show/wide.mkv", "Show/bad.mkv", "Show/good.mkv", "Wide", "Closed")] == [
        0o644,
        0o644,
        0o644,
        0o755,
        0o755,
    ]
    assert mode_of(root / "Show") == 0o2755
    assert {v["reason"] for v in result.all("perms.repaired") if v["old_mode"] == 0o777} == {
        "mode 0644 is wanted",
        "mode 0755 is wanted",
    }
    assert audit(root, config=exact()).names() == ["perms.audited"]


def test_with_exact_what_plex_could_read_is_held_to_its_mode_too(public: Path) -> None:
    make_file(public / "film.mkv", 0o640)
    os.chown(public / "film.mkv", 0, READER.gids[1])

    audit(public, identity=READER)
    assert mode_of(public / "film.mkv") == 0o640

    audit(public, identity=READER, config=exact())
    assert mode_of(public / "film.mkv") == 0o644


def test_with_exact_a_mode_that_shuts_plex_out_is_not_made(public: Path) -> None:
    make_file(public / "film.mkv", 0o600)

    result = audit(public, identity=READER, config=exact(file_mode=Mode(0o640)))

    assert mode_of(public / "film.mkv") == 0o600
    assert str(result.values("perms.not-repaired")["reason"]).startswith("file_mode 0640 would not let it in either")


def test_owner_and_group_are_repaired_and_what_only_lacked_them_keeps_its_mode(root: Path) -> None:
    make_file(root / "Show/private.mkv", 0o660)
    config = Config(owner="1234", group="4321", file_mode=Mode(0o440), dir_mode=Mode(0o550))

    audit(root, config=config)

    owners = {(s.st_uid, s.st_gid) for s in map(os.stat, [root, *root.rglob("*")])}
    assert owners == {(1234, 4321)}
    assert mode_of(root / "Show/private.mkv") == 0o660
    assert audit(root, config=config).names() == ["perms.audited"]


def test_a_file_that_plex_reads_by_its_group_is_not_opened_to_all_for_its_owner(public: Path) -> None:
    make_file(public / "film.mkv", 0o640)
    os.chown(public / "film.mkv", 1000, READER.gids[1])

    audit(public, identity=READER, config=Config(owner="1234"))
    assert (mode_of(public / "film.mkv"), os.stat(public / "film.mkv").st_uid) == (0o640, 1234)

    # and where Plex would lose it by the new group, it gets what it lacks at once
    audit(public, identity=READER, config=Config(group="4321"))
    assert (mode_of(public / "film.mkv"), os.stat(public / "film.mkv").st_gid) == (0o644, 4321)


def test_what_holds_below_one_folder_does_not_hold_beside_it(root: Path) -> None:
    for name in ("Show/Kids/a.mkv", "Shows/b.mkv"):
        make_file(root / name, 0o666)
        (root / name).parent.chmod(0o777)
    overrides = (
        Override(path=str(root / "Show"), policy="exact", file_mode=Mode(0o640), dir_mode=Mode(0o750)),
        Override(path=str(root / "Show/Kids"), group="4321"),
    )

    audit(root, config=Config(overrides=overrides))

    assert (mode_of(root / "Show/bad.mkv"), mode_of(root / "Show/good.mkv"), mode_of(root / "Show")) == (0o640, 0o640, 0o750)
    assert (mode_of(root / "Show/Kids/a.mkv"), os.stat(root / "Show/Kids/a.mkv").st_gid) == (0o666, 4321)
    assert (mode_of(root / "Shows/b.mkv"), os.stat(root / "Shows/b.mkv").st_gid) == (0o666, 0)


def test_a_file_of_a_setgid_folder_of_another_group_keeps_the_folders_bit_with_the_rights_of_the_unit(public: Path) -> None:
    # given: the capabilities that the unit leaves, and a group that neither root nor Plex is in
    make_file(public / "Show/film.mkv", 0o640)
    os.chown(public / "Show", 1000, 4321)
    (public / "Show").chmod(0o2770)
    capabilities = unit_capabilities("plexguard-perms-audit.service")

    def attempt() -> Account:
        keep_capabilities(capabilities)
        return audit(public, identity=READER).account

    account = run_child(attempt)

    assert (account.repaired, account.failed) == (2, 0)
    assert mode_of(public / "Show") == 0o2775
    assert mode_of(public / "Show/film.mkv") == 0o644


# -- what is left out -------------------------------------------------------------------------------------------------


def test_what_is_excluded_by_name_or_path_is_neither_looked_at_nor_changed(root: Path) -> None:
    for name in ("Show/half.part", "incoming/a.mkv", "Show/incoming/b.mkv", "Closed/keep.mkv", "lost+found/c.mkv"):
        make_file(root / name, 0o000)
    make_folder(root / "lost+found", 0o700)
    os.mkfifo(root / "Show/control.part")
    config = Config(excludes=("*.part", "incoming", "lost+found", str(root / "Closed/keep.mkv")))
    before = snapshot(root)

    result = audit(root, config=config)

    changed = {os.fsdecode(path) for path, kept in snapshot(root).items() if before[path] != kept}
    assert changed == {f"{root}/{name}" for name in ("Show/bad.mkv", "Closed", "Closed/.", "Closed/film.mkv")}
    assert (result.account.failed, result.account.no_media, result.account.is_well) == (0, {}, True)


def test_lost_and_found_is_left_out_by_default(root: Path) -> None:
    make_file(root / "lost+found/x", 0o000)
    make_folder(root / "lost+found", 0o700)

    audit(root)

    assert (mode_of(root / "lost+found"), mode_of(root / "lost+found/x")) == (0o700, 0o000)


def test_a_private_folder_of_roots_that_only_plex_names_a_library_stays_closed(root: Path) -> None:
    root.chmod(0o700)

    result = audit(Root(path=str(root), configured=False))

    assert (mode_of(root), mode_of(root / "Show/bad.mkv")) == (0o700, 0)
    assert result.account.root_faults == {str(root): RootFault.PRIVATE}

    audit(root)
    assert mode_of(root) == 0o755


# -- told before it matters, and told short ---------------------------------------------------------------------------


def test_special_files_are_told_by_kind_and_nothing_is_wrong_for_them(root: Path) -> None:
    for number in range(3):
        os.mkfifo(root / f"pipe{number}", 0o000)
    os.mknod(root / "device", 0o020000, os.makedev(1, 5))

    result = audit(root)

    told = {(v["reason"], v["count"]) for v in result.all("perms.no-media")}
    assert told == {("is a pipe (FIFO)", 3), ("is a character device", 1)}
    assert (result.account.failed, result.account.is_well) == (0, True)
    assert mode_of(root / "device") == 0o000


@needs_mounts
def test_a_read_only_disk_is_told_before_anything_is_wrong_on_it(tmp_path: Path) -> None:
    disk = make_folder(tmp_path / "disk")

    def attempt(*, dry_run: bool = False) -> list[str]:
        leave_mounts()
        mount("test", disk, "tmpfs", "mode=0755")
        make_file(disk / "film.mkv")
        make_read_only(disk)
        return audit(disk, config=Config(dry_run=dry_run)).names()

    assert run_child(attempt) == ["perms.read-only", "perms.audited"]
    assert run_child(lambda: attempt(dry_run=True)) == ["perms.audited"]


def test_a_burst_is_told_singly_at_first_then_in_sums_and_with_its_cause(root: Path) -> None:
    for number in range(300):
        make_file(root / f"Burst {number % 3}/{number}.mkv", 0o000)
        os.chown(root / f"Burst {number % 3}/{number}.mkv", 65534, 65534)

    result = audit(root)

    assert len(result.all("perms.repaired")) == 50
    assert sum(int(str(v["count"])) for v in result.all("perms.repaired-many")) == result.account.repaired - 50
    cause = result.values("perms.one-cause")
    assert (cause["count"], cause["owner"], cause["umask"]) == (300, name_user(65534), 0o666)
    assert len(result.told) <= 50 + 10 + 2


def test_a_change_that_helps_nobody_is_one_cause_however_many_paths_it_concerns(public: Path) -> None:
    for number in range(40):
        make_file(public / f"{number}.mkv", 0o600)

    result = audit(public, identity=READER, config=Config(file_mode=Mode(0o640)))

    assert {mode_of(path) for path in public.iterdir()} == {0o600}
    assert result.names() == ["perms.not-repaired", "perms.audited"]
    assert result.values("perms.not-repaired")["count"] == 40


# -- hard links -------------------------------------------------------------------------------------------------------


def test_a_file_with_all_its_names_below_the_roots_is_repaired_once(root: Path, tmp_path: Path) -> None:
    more = make_folder(tmp_path / "more")
    os.link(root / "Show/bad.mkv", more / "same.mkv")

    # A name that is younger than two seconds is left for the next audit.
    result = audit(root, more, later=timedelta(seconds=3))

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


def age(*paths: Path) -> None:
    """Make the content of paths look old; when their status changed, only the clock can tell."""
    for path in paths:
        os.utime(path, (1_000_000_000, 1_000_000_000))


RECENT = Config(changed_within=timedelta(seconds=1))


def test_all_of_a_folder_that_was_moved_in_is_recent_however_old_it_is(root: Path, tmp_path: Path) -> None:
    # given: mv changes the ctime of the folder alone, neither its mtime nor anything in it
    make_file(tmp_path / "download/Season/film.mkv", 0o600)
    age(tmp_path / "download/Season/film.mkv", tmp_path / "download/Season", tmp_path / "download", root / "Show/bad.mkv")
    time.sleep(1.2)
    (tmp_path / "download").rename(root / "New")

    audit(root, config=RECENT, recent=True)

    assert mode_of(root / "New/Season/film.mkv") == 0o644
    assert mode_of(root / "Show/bad.mkv") == 0o000


def test_a_file_that_was_moved_in_is_recent_with_those_beside_it_and_not_with_all_below(root: Path, tmp_path: Path) -> None:
    make_file(root / "Show/Season/old.mkv", 0o600)
    make_file(tmp_path / "film.mkv", 0o600)
    age(tmp_path / "film.mkv", root / "Show/Season/old.mkv", root / "Show/Season")
    time.sleep(1.2)
    (tmp_path / "film.mkv").rename(root / "Show/film.mkv")

    audit(root, config=RECENT, recent=True)

    assert mode_of(root / "Show/film.mkv") == 0o644
    assert mode_of(root / "Show/Season/old.mkv") == 0o600


def test_what_counts_as_recent_is_configured(root: Path) -> None:
    audit(root, config=Config(changed_within=timedelta(hours=6)), recent=True, later=FIVE_HOURS)

    assert mode_of(root / "Show/bad.mkv") == 0o644


def test_the_health_check_looks_at_recent_changes_only_when_told_so(root: Path) -> None:
    assert check(root, recent=False, later=FIVE_HOURS) is not None
    assert check(root, recent=True, later=timedelta()) is not None

    (root / "Closed").chmod(0o755)
    assert check(root, recent=True, later=FIVE_HOURS) is None


def check(root: Path, *, recent: bool, later: timedelta) -> str | None:
    work = Audit(policy_of(root), Config(), journal=FakeJournal(), clock=ShiftedClock(later), workers=1)
    return work.find_first(recent=recent)[0]


# -- other file systems -----------------------------------------------------------------------------------------------


@needs_mounts
def test_a_mode_that_does_not_hold_is_a_failure_and_no_repair(tmp_path: Path) -> None:
    with slow_disk(tmp_path, {"film.mkv": b"film"}) as disk:
        disk.lie()
        result = audit(disk.target)

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
    os.mkfifo(root / "pipe")

    report = json.loads(audit(root, tmp_path / "missing").account.to_json())

    assert report.pop("seconds") >= 0
    assert report == {
        "run": "",
        "files": 4,
        "folders": 3,
        "wrong": 4,
        "repaired": 3,
        "failed": 1,
        "root_faults": [{"root": f"{tmp_path}/missing", "fault": "missing"}],
        "left": [{"root": str(root), "reason": "is a set-id file, which is no media", "count": 1, "example": f"{root}/tool"}],
        "unseen": [],
        "blocked": [],
        "no_media": [{"root": str(root), "reason": "is a pipe (FIFO)", "count": 1, "example": f"{root}/pipe"}],
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
    assert not dataclasses.replace(account, blocked={"/a/b": ("/a", "no x for others")}).is_well
    assert dataclasses.replace(account, no_media={("/a", "is a socket"): Cause(1, "/a/b")}).is_well
    assert not dataclasses.replace(account, unseen={("/a", "Permission denied"): Cause(1, "/a/b")}).is_well
