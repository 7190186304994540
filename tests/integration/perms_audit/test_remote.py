"""Network and FUSE file systems: repaired where they are proven alive, left alone where they are not, given up where they hang."""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from plexguard.core.mounts import MountPoint
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.observe import judge_roots
from plexguard.perms_audit.roots import RootFault
from plexguard.perms_audit.runs import Change, RunLog
from plexguard.perms_audit.state import State
from tests.fakes.slow_fuse import SlowFuse
from tests.integration.perms_audit.support import (
    READER,
    ShiftedClock,
    audit,
    make_file,
    make_folder,
    mode_of,
    needs_mounts,
    readable,
    slow_disk,
    snapshot,
)

pytestmark = needs_mounts
FILMS = {"Show/film.mkv": b"film", "Show/other.mkv": b"film"}
SOON = Config(stall_timeout=timedelta(seconds=2))


@pytest.fixture
def disk(public: Path) -> Iterator[SlowFuse]:
    """A FUSE mount that judges by itself, with two films that only root may read."""
    with slow_disk(public, FILMS, judge=True) as disk:
        yield disk


@pytest.fixture
def local(public: Path) -> Path:
    make_file(public / "local/film.mkv", 0o600)
    (public / "local").chmod(0o755)
    return public / "local"


class MeddlingLog(RunLog):
    """Has something happen just before the first repair below a root, when it is written down."""

    def __init__(self, folder: Path, root: Path, meddle: Callable[[], object]) -> None:
        super().__init__(folder, "audit", ShiftedClock())
        self._root = str(root)
        self._meddle = meddle
        self._is_done = False

    def note(self, changes: Iterable[Change]) -> None:
        noted = list(changes)
        super().note(noted)
        if not self._is_done and any(change.root == self._root for change in noted):
            self._is_done = True
            self._meddle()


def chosen(path: Path) -> list[str]:
    return [f"{path}/Show/{name}.mkv" for name in ("film", "other")]


# -- alive ------------------------------------------------------------------------------------------------------------


def test_a_mount_that_is_alive_is_repaired_as_a_disk_is(disk: SlowFuse) -> None:
    result = audit(disk.target, identity=READER)

    assert [change[0] for change in result.account.changes] == chosen(disk.target)
    assert readable(READER, [Path(path) for path in chosen(disk.target)]) == {Path(path) for path in chosen(disk.target)}


def test_the_same_mode_once_more_cures_a_ghost(disk: SlowFuse) -> None:
    film = disk.target / "Show/film.mkv"
    film.chmod(0o777)
    (disk.target / "Show/other.mkv").chmod(0o777)
    disk.deny(READER.uid, "Show/film.mkv")

    result = audit(disk.target, identity=READER)

    assert result.values("perms.repaired")["path"] == str(film)
    assert (result.values("perms.repaired")["old_mode"], result.values("perms.repaired")["new_mode"]) == (0o777, 0o777)
    assert "its mode lets 54322 (uid 54322) in, and the system does not" in str(result.values("perms.repaired")["reason"])
    assert readable(READER, [film]) == {film}
    assert audit(disk.target, identity=READER).names() == ["perms.audited"]


def test_a_ghost_of_a_folder_is_cured_with_all_that_is_below_it(disk: SlowFuse) -> None:
    disk.deny(READER.uid, "Show")

    account = audit(disk.target, identity=READER).account

    assert [change[0] for change in account.changes] == [f"{disk.target}/Show", *chosen(disk.target)]
    assert (account.failed, account.is_well) == (0, True)


def test_a_ghost_on_a_local_disk_is_no_reason_to_set_the_same_mode_again(disk: SlowFuse) -> None:
    # given: what the table says is a local disk
    for path in chosen(disk.target):
        Path(path).chmod(0o777)
    disk.deny(READER.uid, "Show/film.mkv")
    (root,) = judge_roots([str(disk.target)], State(), (MountPoint(path="/", type="ext4"),), ())

    result = audit(root, identity=READER)

    assert "the system does not" in str(result.values("perms.not-repaired")["reason"])
    assert readable(READER, [Path(chosen(disk.target)[0])]) == set()


def test_a_mount_that_lies_is_told_and_its_modes_are_as_they_were(disk: SlowFuse) -> None:
    disk.lie()

    result = audit(disk.target, identity=READER)

    assert result.values("perms.not-repaired")["count"] == 2
    assert "did not make it" in str(result.values("perms.not-repaired")["reason"])
    assert result.names().count("perms.repaired") == 0


def test_a_mount_below_a_local_root_is_repaired_as_a_root_of_its_own(public: Path) -> None:
    make_file(public / "film.mkv", 0o600)
    with slow_disk(public, FILMS, judge=True) as disk:
        account = audit(public, identity=READER, config=Config(excludes=("source",))).account

    assert [change[0] for change in account.changes] == [f"{public}/film.mkv", *chosen(disk.target)]
    assert account.root_faults == {}


# -- not proven alive -------------------------------------------------------------------------------------------------


def test_a_mount_of_which_no_byte_can_be_read_is_left_as_it_is(public: Path) -> None:
    # given: all files are listed and empty, as on a mount whose backend has lost them
    with slow_disk(public, {"a.mkv": b"", "Show/b.mkv": b""}) as disk:
        before = snapshot(disk.target)

        result = audit(disk.target, identity=READER)

        assert snapshot(disk.target) == before
    assert result.values("perms.not-repaired")["count"] == 2
    assert "not proven alive" in str(result.values("perms.not-repaired")["reason"])


def test_nothing_of_a_dead_mount_is_changed_and_the_others_are_repaired(disk: SlowFuse, local: Path) -> None:
    disk.die()

    account = audit(disk.target, local, identity=READER).account

    assert account.root_faults == {str(disk.target): RootFault.FAILED}
    assert [change[0] for change in account.changes] == [f"{local}/film.mkv"]


def test_a_mount_that_hangs_is_told_in_time_and_the_others_are_repaired(disk: SlowFuse, local: Path) -> None:
    disk.hang()
    began_s = time.monotonic()

    account = audit(disk.target, local, identity=READER, config=SOON).account

    assert account.root_faults == {str(disk.target): RootFault.HUNG}
    assert [change[0] for change in account.changes] == [f"{local}/film.mkv"]
    assert time.monotonic() - began_s < 8


# -- in the middle of it ----------------------------------------------------------------------------------------------


def test_a_mount_that_hangs_in_the_middle_of_repairs_gives_up_that_root_alone(disk: SlowFuse, local: Path, tmp_path: Path) -> None:
    began_s = time.monotonic()
    with contextlib.closing(MeddlingLog(tmp_path / "runs", disk.target, disk.hang)) as runs:
        account = audit(disk.target, local, identity=READER, config=SOON, runs=runs, workers=1).account
        taken_s = time.monotonic() - began_s
    disk.recover()

    assert account.root_faults == {str(disk.target): RootFault.HUNG}
    assert [change[0] for change in account.changes] == [f"{local}/film.mkv"]
    assert account.failed == 2
    assert taken_s < 8
    assert [mode_of(path) for path in map(Path, chosen(disk.target))] == [0o600, 0o600]


def test_a_mount_that_dies_in_the_middle_of_repairs_is_told_and_the_others_are_repaired(
    disk: SlowFuse, local: Path, tmp_path: Path
) -> None:
    with contextlib.closing(MeddlingLog(tmp_path / "runs", disk.target, disk.die)) as runs:
        result = audit(disk.target, local, identity=READER, runs=runs)

    assert [change[0] for change in result.account.changes] == [f"{local}/film.mkv"]
    assert result.account.failed == 2
    assert "not proven alive" in str(result.values("perms.not-repaired")["reason"])
    assert not result.account.is_well


def test_a_ghost_that_was_cured_meanwhile_is_not_touched(disk: SlowFuse, tmp_path: Path) -> None:
    for path in chosen(disk.target):
        Path(path).chmod(0o777)
    disk.deny(READER.uid, "Show/film.mkv")
    film = disk.target / "Show/film.mkv"

    changed_ns: list[int] = []

    def cure() -> None:
        film.chmod(0o777)
        changed_ns.append(os.stat(film).st_ctime_ns)

    with contextlib.closing(MeddlingLog(tmp_path / "runs", disk.target, cure)) as runs:
        result = audit(disk.target, identity=READER, runs=runs)

    assert result.names() == ["perms.audited"]
    assert (result.account.wrong, result.account.repaired, result.account.failed) == (0, 0, 0)
    assert [os.stat(film).st_ctime_ns] == changed_ns


# -- bursts -----------------------------------------------------------------------------------------------------------


def test_a_nas_that_restores_its_modes_by_itself_leaves_nothing_to_repair_and_nothing_to_tell(public: Path, tmp_path: Path) -> None:
    # given: 1,320 files whose modes were zeroed, and come back while the audit is at it
    films = [public / f"Show {number % 20}" / f"{number}.mkv" for number in range(1320)]
    for film in films:
        make_file(film, 0o000)
    for folder in public.iterdir():
        make_folder(folder)

    def restore() -> None:
        for film in films:
            film.chmod(0o644)

    with contextlib.closing(MeddlingLog(tmp_path / "runs", public, restore)) as runs:
        result = audit(public, identity=READER, runs=runs, workers=1)

    assert result.names() == ["perms.audited"]
    assert (result.account.wrong, result.account.repaired, result.account.failed) == (0, 0, 0)
    assert result.account.is_well
