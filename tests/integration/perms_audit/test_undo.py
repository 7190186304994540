"""Taking back: what a run changed and nobody since, and nothing else. And no change without a way back."""

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from plexguard.core.errors import IoFailed
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.decide import DOES_NOT_HOLD
from plexguard.perms_audit.runs import Change, Owned, RunLog, list_runs, read_run
from plexguard.perms_audit.undo import Summary, Undone, undo
from tests.integration.perms_audit.support import (
    Result,
    ShiftedClock,
    audit,
    command,
    leave_mounts,
    make_file,
    make_folder,
    make_read_only,
    mode_of,
    mount,
    needs_mounts,
    run_child,
    snapshot,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_file(tmp_path / "root/Show/film.mkv", 0o600)
    make_file(tmp_path / "root/Show/other.mkv", 0o640)
    make_folder(tmp_path / "root/Show", 0o2750)
    make_folder(tmp_path / "root", 0o755)
    return tmp_path / "root"


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def audit_writing(root: Path, lists: Path, *, config: Config | None = None) -> Result:
    with contextlib.closing(RunLog(lists, "audit", ShiftedClock())) as runs:
        return audit(root, config=config, runs=runs)


def repair(root: Path, lists: Path, *, config: Config | None = None) -> str:
    """Audit a root, and return the id of the run."""
    return audit_writing(root, lists, config=config).account.run


def take_back(lists: Path, run: str, *, dry_run: bool = False, changes: list[Change] | None = None) -> tuple[Summary, str]:
    with contextlib.closing(RunLog(lists, "undo", ShiftedClock())) as runs:
        summary = undo(read_run(lists, run).changes if changes is None else changes, runs, ShiftedClock(), dry_run=dry_run)
        return summary, runs.run


def counts(summary: Summary) -> dict[Undone, int]:
    return dict(summary.counts)


def modes(root: Path) -> dict[bytes, object]:
    return {path: kept[0] for path, kept in snapshot(root).items()}


# -- what is restored -------------------------------------------------------------------------------------------------


def test_everything_is_as_it_was_before_the_run(root: Path, lists: Path) -> None:
    before = snapshot(root)
    run = repair(root, lists)
    assert snapshot(root) != before

    summary, _ = take_back(lists, run)

    assert counts(summary) == {Undone.RESTORED: 3}
    assert snapshot(root) == before


def test_owners_come_back_with_their_modes(root: Path, lists: Path) -> None:
    os.chown(root / "Show/film.mkv", 1000, 1001)
    before = snapshot(root)
    run = repair(root, lists, config=Config(owner="2000", group="2001"))
    assert os.stat(root / "Show/film.mkv").st_uid == 2000

    take_back(lists, run)

    assert snapshot(root) == before


def test_what_was_changed_twice_by_a_run_is_as_it_was_before_the_first_time(root: Path, lists: Path) -> None:
    # given: a run of the guard, which goes on for a day
    run = repair(root, lists)
    (change,) = [change for change in read_run(lists, run).changes if "film" in change.path]
    between = Owned(mode=0o640, uid=0, gid=0)
    changes = [dataclasses.replace(change, new=between), dataclasses.replace(change, old=between)]

    assert counts(take_back(lists, run, changes=changes)[0]) == {Undone.RESTORED: 2}
    assert mode_of(root / "Show/film.mkv") == 0o600


def test_a_dry_run_tells_the_same_and_restores_nothing(root: Path, lists: Path) -> None:
    run = repair(root, lists)
    before = snapshot(root)

    summary, _ = take_back(lists, run, dry_run=True)

    assert counts(summary) == {Undone.RESTORED: 3}
    assert snapshot(root) == before
    assert list_runs(lists) == [run]


def test_an_undo_can_be_undone(root: Path, lists: Path) -> None:
    run = repair(root, lists)
    repaired = snapshot(root)
    _, undo_run = take_back(lists, run)
    assert read_run(lists, undo_run).head.by == "undo"

    summary, _ = take_back(lists, undo_run)

    assert counts(summary) == {Undone.RESTORED: 3}
    assert snapshot(root) == repaired


def test_what_was_undone_once_is_not_undone_again(root: Path, lists: Path) -> None:
    run = repair(root, lists)
    take_back(lists, run)

    assert counts(take_back(lists, run)[0]) == {Undone.AS_BEFORE: 3}


# -- what is left alone -----------------------------------------------------------------------------------------------


def test_what_was_changed_since_is_left_alone(root: Path, lists: Path) -> None:
    run = repair(root, lists)
    (root / "Show/film.mkv").chmod(0o664)
    os.chown(root / "Show/other.mkv", 1000, -1)

    assert counts(take_back(lists, run)[0]) == {Undone.RESTORED: 1, Undone.CHANGED: 2}
    assert mode_of(root / "Show/film.mkv") == 0o664
    assert mode_of(root / "Show/other.mkv") == 0o644


def test_what_is_gone_is_counted_as_gone(root: Path, lists: Path) -> None:
    run = repair(root, lists)
    (root / "Show/film.mkv").unlink()
    (root / "Show/other.mkv").rename(root / "elsewhere.mkv")

    assert counts(take_back(lists, run)[0]) == {Undone.RESTORED: 1, Undone.GONE: 2}
    assert mode_of(root / "elsewhere.mkv") == 0o644


@pytest.mark.parametrize("what", ["link", "folder", "pipe", "parent is a link", "parent is a file", "root is gone"])
def test_what_took_the_place_of_a_repaired_file_is_left_alone(root: Path, lists: Path, tmp_path: Path, what: str) -> None:
    run = repair(root, lists)
    make_file(tmp_path / "outside/film.mkv", 0o644)
    film = root / "Show/film.mkv"
    if what in ("link", "folder", "pipe"):
        film.unlink()
    if what == "link":
        film.symlink_to(tmp_path / "outside/film.mkv")
    elif what == "folder":
        make_folder(film)
    elif what == "pipe":
        os.mkfifo(film, 0o644)
    elif what == "root is gone":
        root.rename(tmp_path / "moved")
    else:
        shutil.rmtree(root / "Show")
        (root / "Show").symlink_to(tmp_path / "outside") if what == "parent is a link" else make_file(root / "Show")

    summary, _ = take_back(lists, run)

    assert summary.counts[Undone.GONE] >= 1
    assert summary.failed == []
    assert mode_of(tmp_path / "outside/film.mkv") == 0o644


def test_a_new_file_with_the_name_and_the_inode_number_of_the_old_one_is_another_file(root: Path, lists: Path) -> None:
    # given: a file system that gives the number of a deleted file to the next one, as ext4 does
    run = repair(root, lists)
    (root / "Show/film.mkv").unlink()
    make_file(root / "Show/film.mkv", 0o644)
    status = os.stat(root / "Show/film.mkv")
    changes = [dataclasses.replace(change, inode=status.st_ino) for change in read_run(lists, run).changes if "film" in change.path]

    assert counts(take_back(lists, run, changes=changes)[0]) == {Undone.GONE: 1}
    assert mode_of(root / "Show/film.mkv") == 0o644


def test_a_list_that_leads_out_of_its_root_restores_nothing(root: Path, lists: Path, tmp_path: Path) -> None:
    run = repair(root, lists)
    make_file(tmp_path / "outside.mkv", 0o644)
    status = os.stat(tmp_path / "outside.mkv")
    (change,) = [change for change in read_run(lists, run).changes if "film" in change.path]
    forged = [
        dataclasses.replace(change, path=path, inode=status.st_ino)
        for path in ("../outside.mkv", "Show/../../outside.mkv", "/" + str(tmp_path / "outside.mkv"))
    ]

    assert counts(take_back(lists, run, changes=forged)[0]) == {Undone.GONE: 3}
    assert mode_of(tmp_path / "outside.mkv") == 0o644


@pytest.mark.parametrize("path", ["..", "Show/..", "Show/../..", ".", "Show/."])
def test_a_list_whose_path_ends_in_dots_restores_nothing(root: Path, lists: Path, tmp_path: Path, path: str) -> None:
    run = repair(root, lists)
    (change,) = [change for change in read_run(lists, run).changes if change.path == "Show"]
    target = (root / path).resolve()
    target.chmod(0o755)
    forged = dataclasses.replace(change, path=path, inode=target.stat().st_ino, new=Owned(mode=0o755, uid=0, gid=0))

    assert counts(take_back(lists, run, changes=[forged])[0]) == {Undone.GONE: 1}
    assert mode_of(target) == 0o755


# -- runs that were cut off -------------------------------------------------------------------------------------------


def test_a_run_that_died_between_writing_down_and_changing_has_nothing_to_undo(root: Path, lists: Path) -> None:
    run = repair(root, lists)
    (root / "Show/film.mkv").chmod(0o600)

    assert counts(take_back(lists, run)[0]) == {Undone.AS_BEFORE: 1, Undone.RESTORED: 2}


def test_a_list_whose_last_line_is_torn_undoes_what_it_holds(root: Path, lists: Path) -> None:
    run = repair(root, lists)
    file = lists / f"{run}.jsonl"
    file.write_bytes(file.read_bytes()[:-20])

    assert counts(take_back(lists, run)[0]) == {Undone.RESTORED: 2}


def test_every_change_stands_on_the_list_before_it_is_made(root: Path, lists: Path) -> None:
    # given: a list that looks, when a line has just been written, at what it is about
    found: list[bool] = []

    class WatchedLog(RunLog):
        def note(self, changes: Iterable[Change]) -> None:
            noted = list(changes)
            super().note(noted)
            listed = {change.full_path for change in read_run(lists, self.run).changes}
            found.extend(c.full_path in listed and mode_of(Path(c.full_path)) == c.old.mode for c in noted)

    with contextlib.closing(WatchedLog(lists, "audit", ShiftedClock())) as runs:
        audit(root, runs=runs)

    assert found == [True] * 3


# -- no change without a way back -------------------------------------------------------------------------------------


def test_where_no_list_can_be_made_nothing_is_changed(root: Path, lists: Path) -> None:
    lists.write_text("a file is in its place")
    before = snapshot(root)

    result = audit_writing(root, lists)

    assert snapshot(root) == before
    assert "undo list" in str(result.values("perms.not-repaired")["reason"])


@needs_mounts
@pytest.mark.parametrize("way", ["read-only", "full"])
def test_where_the_list_cannot_be_written_nothing_is_changed(root: Path, tmp_path: Path, way: str) -> None:
    disk = make_folder(tmp_path / "disk")
    before = modes(root)

    def attempt() -> str:
        leave_mounts()
        mount("test", disk, "tmpfs", "size=4k,mode=0755")
        if way == "read-only":
            make_read_only(disk)
        else:
            (disk / "ballast").write_bytes(bytes(4096))
        return str(audit_writing(root, disk).values("perms.not-repaired")["reason"])

    assert run_child(attempt).startswith("Failed to write the undo list of run")
    assert modes(root) == before


@needs_mounts
def test_a_disk_that_is_full_for_a_while_spoils_no_line_of_the_list(root: Path, tmp_path: Path) -> None:
    disk = make_folder(tmp_path / "disk")
    (change, *_) = read_run(tmp_path / "runs", repair(root, tmp_path / "runs")).changes

    def attempt() -> list[str]:
        leave_mounts()
        mount("test", disk, "tmpfs", "size=12k,mode=0755")
        with contextlib.closing(RunLog(disk, "guard", ShiftedClock())) as runs:
            runs.note([dataclasses.replace(change, path="first")])
            with contextlib.suppress(OSError):
                (disk / "ballast").write_bytes(bytes(1 << 20))
            with pytest.raises(IoFailed):
                runs.note(dataclasses.replace(change, path=str(number)) for number in range(100))
            (disk / "ballast").unlink()
            runs.note([dataclasses.replace(change, path="second")])
            return [noted.path for noted in read_run(disk, runs.run).changes]

    assert run_child(attempt) == ["first", "second"]


@needs_mounts
def test_a_disk_that_was_full_at_the_first_line_leaves_no_list_without_a_head(root: Path, tmp_path: Path) -> None:
    disk = make_folder(tmp_path / "disk")
    (change, *_) = read_run(tmp_path / "runs", repair(root, tmp_path / "runs")).changes

    def attempt() -> tuple[list[str], list[str]]:
        leave_mounts()
        mount("test", disk, "tmpfs", "size=8k,mode=0755")
        with contextlib.closing(RunLog(disk, "guard", ShiftedClock())) as runs:
            with contextlib.suppress(OSError):
                (disk / "ballast").write_bytes(bytes(1 << 20))
            with pytest.raises(IoFailed):
                runs.note([change])
            left = list_runs(disk)
            (disk / "ballast").unlink()
            runs.note([change])
            return left, [noted.path for noted in read_run(disk, runs.run).changes]

    assert run_child(attempt) == ([], [change.path])


# -- repairs that do not hold -----------------------------------------------------------------------------------------


def test_what_is_closed_again_soon_after_its_repair_is_left_with_the_reason(root: Path, lists: Path) -> None:
    repair(root, lists)
    (root / "Show/film.mkv").chmod(0o600)

    result = audit(root, lately=lists)

    assert mode_of(root / "Show/film.mkv") == 0o600
    assert result.values("perms.not-repaired")["reason"] == DOES_NOT_HOLD
    assert (result.account.wrong, result.account.repaired, result.account.failed) == (1, 0, 1)


def test_after_a_while_it_is_repaired_again(root: Path, lists: Path) -> None:
    repair(root, lists)
    (root / "Show/film.mkv").chmod(0o600)

    audit(root, lately=lists, later=timedelta(minutes=59))
    assert mode_of(root / "Show/film.mkv") == 0o600

    audit(root, lately=lists, later=timedelta(minutes=61))
    assert mode_of(root / "Show/film.mkv") == 0o644


def test_another_file_of_that_name_is_repaired_at_once(root: Path, lists: Path) -> None:
    # given: an upgrade of the film, as a download client brings it
    repair(root, lists)
    make_file(root / "Show/new.mkv", 0o600)
    (root / "Show/new.mkv").replace(root / "Show/film.mkv")

    audit(root, lately=lists)

    assert mode_of(root / "Show/film.mkv") == 0o644


def test_how_long_is_configured(root: Path, lists: Path) -> None:
    repair(root, lists)
    (root / "Show/film.mkv").chmod(0o600)

    audit(root, lately=lists, later=timedelta(minutes=11), config=Config(repeat_after=timedelta(minutes=10)))

    assert mode_of(root / "Show/film.mkv") == 0o644


def test_what_was_undone_is_left_as_it_is_for_that_time(root: Path, lists: Path) -> None:
    run = repair(root, lists)
    take_back(lists, run)

    audit(root, lately=lists, later=timedelta(minutes=30))

    assert mode_of(root / "Show/film.mkv") == 0o600
    assert mode_of(root / "Show") == 0o2750


# -- the commands -----------------------------------------------------------------------------------------------------

FINE, FOUND, NO_INPUT = 0, 1, 66


def test_a_run_is_told_listed_shown_and_undone_by_its_id(root: Path, tmp_path: Path) -> None:
    before = snapshot(root)
    run = command(tmp_path, "--format", "json", str(root)).report["run"]

    listed = command(tmp_path, "list")
    shown = command(tmp_path, "list", run)
    undone = command(tmp_path, "undo", run)

    assert listed.out == f"{run}  audit          3 changes, such as {root}/Show\n"
    assert shown.out.splitlines() == [
        f"2750 -> 2755  {root}/Show",
        f"0600 -> 0644  {root}/Show/film.mkv",
        f"0640 -> 0644  {root}/Show/other.mkv",
    ]
    assert (undone.code, undone.out) == (FINE, "3 restored\n")
    assert f"Run {run} was undone: 3 restored" in undone.err
    assert snapshot(root) == before
    assert command(tmp_path, "list").out.count("\n") == 2


def test_by_hand_what_does_not_hold_is_repaired_at_once(root: Path, tmp_path: Path) -> None:
    command(tmp_path, str(root))
    (root / "Show/film.mkv").chmod(0o600)

    assert command(tmp_path, str(root)).code == FINE
    assert mode_of(root / "Show/film.mkv") == 0o644


def test_a_dry_run_of_the_undo_writes_nothing_down(root: Path, tmp_path: Path) -> None:
    run = command(tmp_path, "--format", "json", str(root)).report["run"]
    before = snapshot(root)

    undone = command(tmp_path, "undo", "--dry-run", run)

    assert (undone.code, undone.out, undone.err) == (FINE, "3 restored\n", "")
    assert snapshot(root) == before
    assert list_runs(tmp_path / "state/runs") == [run]


@pytest.mark.parametrize("what", ["undo", "list"])
@pytest.mark.parametrize("run", ["../../etc/passwd", "/etc/passwd", "20260301T120000-abcd", "x"])
def test_a_run_that_is_none_is_refused(tmp_path: Path, what: str, run: str) -> None:
    done = command(tmp_path, what, run)

    assert done.code == NO_INPUT
    assert "no such run" in done.err


def test_a_list_that_was_cut_off_at_its_head_does_not_hide_the_others(root: Path, tmp_path: Path) -> None:
    run = command(tmp_path, "--format", "json", str(root)).report["run"]
    (tmp_path / "state/runs/20260301T120000-abcd.jsonl").write_text("{")

    listed = command(tmp_path, "list", "--format", "json")

    assert [entry["run"] for entry in json.loads(listed.out)] == [run]
    assert "20260301T120000-abcd" in listed.err


def test_a_dry_run_and_a_healthy_tree_leave_no_run(root: Path, tmp_path: Path) -> None:
    done = command(tmp_path, "--dry-run", "--format", "json", str(root))
    assert done.report["run"] == ""

    for path in (root / "Show/film.mkv", root / "Show/other.mkv"):
        path.chmod(0o644)
    (root / "Show").chmod(0o755)
    command(tmp_path, str(root))

    assert command(tmp_path, "list").out == ""
