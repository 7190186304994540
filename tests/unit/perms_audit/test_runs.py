"""The undo lists: what is written is read again, whatever became of the rest of the file."""

import contextlib
import os
from datetime import timedelta
from pathlib import Path

import pytest

from plexguard.core.errors import DataError, IoFailed, MissingInput
from plexguard.perms_audit.runs import KEPT_FOR, KEPT_RUNS, Change, Lately, Owned, RunLog, list_runs, read_run, trim
from tests.fakes.ports import FakeClock

HOUR = timedelta(hours=1)
INODE = 7


def change(clock: FakeClock, path: str = "a.mkv", *, root: str = "/srv/media") -> Change:
    old, new = Owned(mode=0o600, uid=1000, gid=1000), Owned(mode=0o644, uid=1000, gid=1000)
    return Change(root=root, path=path, device=2049, inode=INODE, old=old, new=new, at=clock.now())


def write(folder: Path, clock: FakeClock, *paths: str, by: str = "audit") -> str:
    with contextlib.closing(RunLog(folder, by, clock)) as runs:
        for path in paths:
            runs.note([change(clock, path)])
        return runs.run


def test_what_is_noted_is_read_again_with_any_name(tmp_path: Path) -> None:
    clock = FakeClock()
    paths = ("a.mkv", "a\nb", "a\udcff", "", '"', "a\u2028b")

    run = write(tmp_path / "runs", clock, *paths)

    found = read_run(tmp_path / "runs", run)
    assert found.changes == tuple(change(clock, path) for path in paths)
    assert (found.head.run, found.head.by, found.head.began) == (run, "audit", clock.now())
    assert found.changes[3].full_path == "/srv/media"


def test_a_run_that_changes_nothing_leaves_no_list(tmp_path: Path) -> None:
    with contextlib.closing(RunLog(tmp_path / "runs", "audit", FakeClock())) as runs:
        runs.note([])
        assert not runs.is_begun

    assert list_runs(tmp_path / "runs") == []


def test_lists_are_published_and_kept_from_being_written_by_others(tmp_path: Path) -> None:
    run = write(tmp_path, FakeClock(), "a")

    assert (tmp_path / f"{run}.jsonl").stat().st_mode & 0o777 == 0o644


def test_a_renewed_run_has_another_id_and_another_list(tmp_path: Path) -> None:
    clock = FakeClock()
    with contextlib.closing(RunLog(tmp_path, "guard", clock)) as runs:
        runs.renew()
        first = runs.run
        runs.note([change(clock, "a")])
        runs.renew()
        runs.note([change(clock, "b")])

        assert {run: [c.path for c in read_run(tmp_path, run).changes] for run in list_runs(tmp_path)} == {
            first: ["a"],
            runs.run: ["b"],
        }


# -- lists that are not whole -----------------------------------------------------------------------------------------


def test_a_list_that_is_cut_off_anywhere_gives_every_whole_line(tmp_path: Path) -> None:
    run = write(tmp_path, FakeClock(), "a", "b", "c")
    file = tmp_path / f"{run}.jsonl"
    text = file.read_bytes()
    head, *lines = [len(line) + 1 for line in text.split(b"\n")[:-1]]

    for length in range(head, len(text)):
        file.write_bytes(text[:length])
        whole = sum(head + sum(lines[: number + 1]) - 1 <= length for number in range(3))
        assert [c.path for c in read_run(tmp_path, run).changes] == ["a", "b", "c"][:whole]


@pytest.mark.parametrize(
    "line", ["", "{", "5", "[]", '{"root": "/srv"}', '{"root": 5}', "[" * 100_000, "\0\0\0"], ids=lambda line: repr(line[:12])
)
def test_a_line_in_the_middle_that_makes_no_sense_is_passed_over(tmp_path: Path, line: str) -> None:
    run = write(tmp_path, FakeClock(), "a", "b")
    file = tmp_path / f"{run}.jsonl"
    head, first, second, _ = file.read_text().split("\n")
    file.write_text("\n".join([head, first, line, second, ""]))

    assert [c.path for c in read_run(tmp_path, run).changes] == ["a", "b"]


@pytest.mark.parametrize("head", ["", "{", "5", '{"schema": 2, "run": "x", "by": "audit", "began": "2026-03-01T12:00:00+00:00"}'])
def test_a_list_without_a_head_that_is_understood_is_no_list(tmp_path: Path, head: str) -> None:
    run = write(tmp_path, FakeClock(), "a")
    file = tmp_path / f"{run}.jsonl"
    file.write_text("\n".join([head, *file.read_text().split("\n")[1:]]))

    with pytest.raises(DataError):
        read_run(tmp_path, run)


@pytest.mark.parametrize(
    "run",
    ["../passwd", "../../etc/passwd", "/etc/passwd", "", ".", "..", "20260301T120000-abcd/../x", "20260301T120000-abcd\n", "20260301T120000-ABCD", "2026030\u0661T120000-abcd"],
)  # fmt: skip
def test_a_run_that_is_a_path_is_no_run(tmp_path: Path, run: str) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "passwd.jsonl").write_text("secret")

    with pytest.raises(MissingInput, match="no such run"):
        read_run(tmp_path / "runs", run)


def test_other_files_in_the_folder_are_no_runs(tmp_path: Path) -> None:
    run = write(tmp_path, FakeClock(), "a")
    for name in ("notes.jsonl", f"{run}.jsonl.bad", f"{run}.txt", ".jsonl"):
        (tmp_path / name).write_text("")

    assert list_runs(tmp_path) == [run]
    assert list_runs(tmp_path / "missing") == []


# -- lists that cannot be written -------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_made_is_an_error_before_any_change(tmp_path: Path) -> None:
    clock = FakeClock()
    (tmp_path / "runs").write_text("a file is in its place")

    with contextlib.closing(RunLog(tmp_path / "runs", "audit", clock)) as runs, pytest.raises(IoFailed, match=runs.run):
        runs.note([change(clock)])


def test_a_list_is_never_written_through_a_link(tmp_path: Path) -> None:
    clock = FakeClock()
    (tmp_path / "target").write_text("secret")
    with contextlib.closing(RunLog(tmp_path, "audit", clock)) as runs:
        (tmp_path / f"{runs.run}.jsonl").symlink_to("target")
        with pytest.raises(IoFailed):
            runs.note([change(clock)])

    assert (tmp_path / "target").read_text() == "secret"


# -- what was repaired lately -----------------------------------------------------------------------------------------


def lately(folder: Path, clock: FakeClock) -> Lately:
    # Lists are passed over by the time of their last write, which is the real one.
    for file in folder.glob("*.jsonl"):
        os.utime(file, (clock.now().timestamp(),) * 2)
    found = Lately(folder, clock, within=HOUR)
    found.refresh()
    return found


@pytest.mark.parametrize("by", ["audit", "guard", "request", "undo"])
def test_what_any_run_changed_is_known_until_its_time_has_passed(tmp_path: Path, by: str) -> None:
    clock = FakeClock()
    write(tmp_path, clock, "a.mkv", by=by)
    known = lately(tmp_path, clock)

    clock.pass_time(3599)
    assert ("/srv/media/a.mkv", INODE) in known
    assert ("/srv/media/b.mkv", INODE) not in known
    assert ("/srv/media/a.mkv", INODE + 1) not in known

    clock.pass_time(1)
    assert ("/srv/media/a.mkv", INODE) not in known


def test_what_others_do_meanwhile_is_known_after_a_refresh(tmp_path: Path) -> None:
    clock = FakeClock()
    known = lately(tmp_path, clock)
    run = write(tmp_path, clock, "a.mkv")
    assert ("/srv/media/a.mkv", INODE) not in known

    os.utime(tmp_path / f"{run}.jsonl", (clock.now().timestamp(),) * 2)
    known.refresh()
    assert ("/srv/media/a.mkv", INODE) in known

    (tmp_path / f"{run}.jsonl").unlink()
    known.refresh()
    assert ("/srv/media/a.mkv", INODE) not in known


def test_a_list_that_grows_is_read_again(tmp_path: Path) -> None:
    clock = FakeClock()
    known = lately(tmp_path, clock)
    with contextlib.closing(RunLog(tmp_path, "guard", clock)) as runs:
        for path in ("a.mkv", "b.mkv"):
            runs.note([change(clock, path)])
            os.utime(tmp_path / f"{runs.run}.jsonl", (clock.now().timestamp(),) * 2)
            known.refresh()
            assert (f"/srv/media/{path}", INODE) in known


def test_ones_own_repairs_are_known_without_a_list_that_was_written_ahead_of_them(tmp_path: Path) -> None:
    clock = FakeClock()
    run = write(tmp_path, clock, "a.mkv")
    os.utime(tmp_path / f"{run}.jsonl", (clock.now().timestamp(),) * 2)
    known = Lately(tmp_path, clock, within=HOUR)

    known.refresh(own_run=run)
    assert ("/srv/media/a.mkv", INODE) not in known
    known.add("/srv/media/a.mkv", INODE)
    assert ("/srv/media/a.mkv", INODE) in known
    clock.pass_time(3600)
    assert ("/srv/media/a.mkv", INODE) not in known


def test_a_clock_that_was_wrong_does_not_hold_paths_back_for_ever(tmp_path: Path) -> None:
    clock = FakeClock()
    clock.pass_time(10 * 86_400)
    write(tmp_path, clock, "a.mkv")
    known = lately(tmp_path, clock)

    clock.wall -= timedelta(days=10)
    assert ("/srv/media/a.mkv", INODE) not in known


def test_a_torn_list_of_another_run_holds_nothing_back(tmp_path: Path) -> None:
    clock = FakeClock()
    run = write(tmp_path, clock, "a.mkv")
    (tmp_path / f"{run}.jsonl").write_text("{")

    assert ("/srv/media/a.mkv", INODE) not in lately(tmp_path, clock)


# -- how long they are kept -------------------------------------------------------------------------------------------


def test_lists_are_kept_for_their_time_and_then_deleted(tmp_path: Path) -> None:
    clock = FakeClock()
    old = write(tmp_path, clock, "a")
    clock.pass_time(KEPT_FOR.total_seconds() - 60)
    new = write(tmp_path, clock, "b")

    trim(tmp_path, clock.now())
    assert list_runs(tmp_path) == [old, new]

    clock.pass_time(120)
    trim(tmp_path, clock.now())
    assert list_runs(tmp_path) == [new]


def test_too_many_lists_are_the_newest_ones(tmp_path: Path) -> None:
    clock = FakeClock()
    for number in range(KEPT_RUNS + 3):
        (tmp_path / f"20260301T12{number // 60:02}{number % 60:02}-abcd.jsonl").touch()
    (tmp_path / "notes.jsonl").touch()

    trim(tmp_path, clock.now())

    left = list_runs(tmp_path)
    assert (len(left), left[0]) == (KEPT_RUNS, "20260301T120003-abcd")
    assert (tmp_path / "notes.jsonl").exists()
