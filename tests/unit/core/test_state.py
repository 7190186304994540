"""State on disk: the old record or the new one, never half; what cannot be used is set aside and told."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from plexguard.core.errors import IoFailed, NoPermission, TryAgain
from plexguard.core.state import (
    MAX_STATE_BYTES,
    PUBLISHED,
    History,
    StateFile,
    exclusive_lock,
    make_folder,
    runtime_directory,
    state_directory,
    write_atomic,
)
from tests.fakes.ports import FakeJournal


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    restarts: int = 0
    why: str = ""


RECORD = Counted(restarts=2, why="hung ü \udcff")


def state_file(folder: Path, journal: FakeJournal | None = None, *, schema: int = 3) -> StateFile[Counted]:
    return StateFile(folder / "state.json", Counted, schema=schema, journal=journal or FakeJournal())


def assert_set_aside(folder: Path, content: bytes) -> None:
    """Load a state of that content: it must give nothing, be told once, and be kept beside."""
    journal = FakeJournal()
    file = state_file(folder, journal)
    file.path.write_bytes(content)

    assert file.load() is None

    assert journal.names == ["state.set-aside"]
    assert journal.values("state.set-aside")["path"] == str(file.path)
    assert not file.path.exists()
    assert (folder / "state.json.bad").read_bytes() == content
    # And from then on it is as if the program ran for the first time.
    assert file.load() is None
    assert journal.names == ["state.set-aside"]


# -- one record -------------------------------------------------------------------------------------------------------


def test_saved_record_is_loaded(tmp_path: Path) -> None:
    state_file(tmp_path).save(RECORD)

    assert state_file(tmp_path).load() == RECORD


def test_record_that_was_never_saved_is_none_and_nothing_is_told(tmp_path: Path) -> None:
    journal = FakeJournal()

    assert state_file(tmp_path, journal).load() is None
    assert journal.names == []


def test_saved_file_is_readable_for_others_and_alone_in_its_folder(tmp_path: Path) -> None:
    outer = os.umask(0o077)
    try:
        state_file(tmp_path).save(RECORD)
    finally:
        os.umask(outer)

    assert [(f.name, f.stat().st_mode & 0o7777) for f in tmp_path.iterdir()] == [("state.json", PUBLISHED)]


def test_saved_file_carries_its_schema(tmp_path: Path) -> None:
    state_file(tmp_path).save(RECORD)

    assert json.loads((tmp_path / "state.json").read_text()) == {"schema": 3, "restarts": 2, "why": "hung ü \udcff"}


def test_file_cut_at_any_byte_is_set_aside_or_still_whole(tmp_path: Path) -> None:
    state_file(tmp_path).save(RECORD)
    whole = (tmp_path / "state.json").read_bytes()

    for length in range(len(whole)):
        folder = tmp_path / str(length)
        folder.mkdir()
        if whole[:length].rstrip() == whole.rstrip():  # only the last line end is missing
            (folder / "state.json").write_bytes(whole[:length])
            assert state_file(folder).load() == RECORD
        else:
            assert_set_aside(folder, whole[:length])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 512,
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"restarts": 2}',
        b'{"schema": 2, "restarts": 2}',
        b'{"schema": 4, "restarts": 2}',
        b'{"schema": "3", "restarts": 2}',
        b'{"schema": 3, "restarts": "two"}',
        b'{"schema": 3, "restarts": ' + b"9" * 5000 + b"}",
        b'{"schema": 3, "why": "\xff"}',
        b"\xff\xfe{",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"<html>",
    ],
    ids=[
        "empty", "zeros", "null", "list", "text", "no schema", "foreign", "past", "future", "schema as text", "wrong type",
        "endless number", "not utf-8", "utf-16", "deep list", "deep object", "html",
    ],
)  # fmt: skip
def test_file_that_is_no_record_is_set_aside(tmp_path: Path, content: bytes) -> None:
    assert_set_aside(tmp_path, content)


def test_file_that_is_far_too_large_is_set_aside(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    with file.open("wb") as hollow:
        hollow.truncate(MAX_STATE_BYTES + 1)
    journal = FakeJournal()

    assert state_file(tmp_path, journal).load() is None

    assert journal.values("state.set-aside")["reason"] == "far too large"


def test_second_file_that_is_set_aside_replaces_the_first(tmp_path: Path) -> None:
    assert_set_aside(tmp_path, b"first")
    assert_set_aside(tmp_path, b"second")


def test_folder_in_place_of_the_state_is_a_failure_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "state.json").mkdir()
    (tmp_path / "state.json/x").touch()

    with pytest.raises(IoFailed, match="Is a directory"):
        state_file(tmp_path).load()
    with pytest.raises(IoFailed, match="Is a directory"):
        state_file(tmp_path).save(RECORD)
    assert [f.name for f in tmp_path.iterdir()] == ["state.json"]


def test_state_that_cannot_be_set_aside_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("torn")
    (tmp_path / "state.json.bad/x").mkdir(parents=True)

    with pytest.raises(IoFailed, match="Failed to set aside"):
        state_file(tmp_path).load()


# -- atomic writes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place", ["missing/state.json", "file/state.json", "x" * 300], ids=["no folder", "file for folder", "name too long"]
)
def test_write_where_none_is_possible_is_a_failure_of_its_own_kind(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(IoFailed, match="Failed to write"):
        write_atomic(tmp_path / place, b"new", mode=0o644)

    assert [f.name for f in tmp_path.iterdir()] == ["file"]


def test_write_does_not_follow_a_link_that_lies_in_its_way(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / f".state.json.{os.getpid()}").symlink_to(victim)

    with pytest.raises(IoFailed):
        write_atomic(tmp_path / "state.json", b"new", mode=0o644)

    assert victim.read_text() == "precious"
    # The link is gone with that, so the next write succeeds.
    write_atomic(tmp_path / "state.json", b"new", mode=0o644)
    assert (tmp_path / "state.json").read_bytes() == b"new"


def test_write_replaces_a_link_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "state.json").symlink_to(tmp_path / "victim")

    write_atomic(tmp_path / "state.json", b"new", mode=0o600)

    assert not (tmp_path / "state.json").is_symlink()
    assert (tmp_path / "victim").read_text() == "precious"


def test_write_gives_exactly_the_mode_that_was_asked(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "a").chmod(0o777)

    write_atomic(tmp_path / "a", b"new", mode=0o640)

    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o640


# -- histories --------------------------------------------------------------------------------------------------------


def history(folder: Path, keep: int = 3) -> History[Counted]:
    return History(folder / "history.jsonl", Counted, keep=keep)


def test_history_that_never_was_is_empty(tmp_path: Path) -> None:
    assert history(tmp_path).read() == ()


def test_history_keeps_the_newest_in_order(tmp_path: Path) -> None:
    for n in range(5):
        history(tmp_path).append(Counted(restarts=n))

    assert [record.restarts for record in history(tmp_path).read()] == [2, 3, 4]
    assert len((tmp_path / "history.jsonl").read_text().splitlines()) == 3


def test_history_is_one_line_a_record_whatever_it_holds(tmp_path: Path) -> None:
    record = Counted(why='two\nlines, "quotes" {braces} \u2028 \x85 \udcff')

    history(tmp_path).append(record)
    history(tmp_path).append(Counted(restarts=1))

    assert history(tmp_path).read() == (record, Counted(restarts=1))


def test_history_cut_at_any_byte_loses_at_most_its_last_record(tmp_path: Path) -> None:
    records = tuple(Counted(restarts=n, why="x") for n in range(3))
    for record in records:
        history(tmp_path).append(record)
    file = tmp_path / "history.jsonl"
    whole = file.read_bytes()
    starts_last = whole.rstrip().rfind(b"\n") + 1

    for length in range(starts_last, len(whole)):
        file.write_bytes(whole[:length])
        assert history(tmp_path).read() in (records[:2], records)


def test_history_leaves_out_foreign_lines_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").write_bytes(b'{"restarts": 1}\nnonsense\n[]\n\n{"restarts": "x"}\n\xff\n{"restarts": 2}\n{"rest')

    history(tmp_path).append(Counted(restarts=3))

    assert [record.restarts for record in history(tmp_path).read()] == [1, 2, 3]


def test_history_that_cannot_be_written_keeps_the_old_one(tmp_path: Path) -> None:
    history(tmp_path).append(Counted(restarts=1))
    (tmp_path / f".history.jsonl.{os.getpid()}").mkdir()

    with pytest.raises(IoFailed):
        history(tmp_path).append(Counted(restarts=2))

    assert [record.restarts for record in history(tmp_path).read()] == [1]


# -- a disk that takes nothing ------------------------------------------------------------------------------------------


def on_disk_that_is_away(folder: Path) -> StateFile[Counted]:
    """Return a state whose folder cannot be written to until `folder/disk` is made."""
    return StateFile(folder / "disk/state.json", Counted, schema=1, journal=FakeJournal(), spare=folder / "memory.json")


def test_what_the_disk_does_not_take_is_kept_and_that_is_news_once(tmp_path: Path) -> None:
    file = on_disk_that_is_away(tmp_path)

    with pytest.raises(IoFailed):
        file.keep(Counted(restarts=1))
    file.keep(Counted(restarts=2))

    assert file.is_kept
    assert file.load() == file.peek() == Counted(restarts=2)


def test_what_must_be_on_disk_is_not_kept(tmp_path: Path) -> None:
    file = on_disk_that_is_away(tmp_path)

    with pytest.raises(IoFailed):
        file.save(Counted(restarts=1))

    assert not file.is_kept
    assert file.load() is None


@pytest.mark.parametrize("way", ["save", "keep"])
def test_a_disk_that_takes_it_again_holds_what_counts(tmp_path: Path, way: str) -> None:
    file = on_disk_that_is_away(tmp_path)
    with pytest.raises(IoFailed):
        file.keep(Counted(restarts=1))
    (tmp_path / "disk").mkdir()

    getattr(file, way)(Counted(restarts=2))

    assert not file.is_kept
    assert file.read() == file.load() == Counted(restarts=2)
    # Full again, which is news again.
    (tmp_path / "disk").rename(tmp_path / "away")
    with pytest.raises(IoFailed):
        file.keep(Counted(restarts=3))


@pytest.mark.parametrize("text", ["", "{", '{"schema": 2}', '{"schema": 1, "restarts": "x"}'])
def test_what_is_kept_and_cannot_be_used_is_not_missed(tmp_path: Path, text: str) -> None:
    file = on_disk_that_is_away(tmp_path)
    (tmp_path / "disk").mkdir()
    file.save(RECORD)
    (tmp_path / "memory.json").write_text(text)

    assert file.load() == file.peek() == RECORD


def test_without_a_place_in_memory_each_failure_is_news(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "disk/state.json", Counted, schema=1, journal=FakeJournal())

    for _ in range(2):
        with pytest.raises(IoFailed):
            file.keep(Counted())
    assert not file.is_kept


def test_a_record_that_stays_in_memory_is_never_followed_by_an_act(tmp_path: Path) -> None:
    """What counts must not be forgotten for what was only kept."""
    file = on_disk_that_is_away(tmp_path)
    (tmp_path / "disk").mkdir()
    (tmp_path / "memory.json").mkdir()

    with pytest.raises(IoFailed, match="Failed to remove"):
        file.save(RECORD)


# -- locks and places -------------------------------------------------------------------------------------------------


def test_lock_that_another_holds_is_tried_again_later(tmp_path: Path) -> None:
    with exclusive_lock(tmp_path / "lock"), pytest.raises(TryAgain, match="held by another run"), exclusive_lock(tmp_path / "lock"):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
def test_what_root_locks_by_hand_can_be_locked_by_the_service(tmp_path: Path) -> None:
    os.chown(tmp_path, 4711, 4712)
    (tmp_path / "foreign").touch()

    for name in ("lock", "foreign"):
        with exclusive_lock(tmp_path / name):
            pass

    status, foreign = (tmp_path / "lock").stat(), (tmp_path / "foreign").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (4711, 4712, 0o600)
    # Only what it made itself: the service's user may have put anything there.
    assert foreign.st_uid == 0


def test_lock_is_free_again_after_its_holder_failed(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), exclusive_lock(tmp_path / "lock"):
        raise RuntimeError

    with exclusive_lock(tmp_path / "lock"):
        pass


@pytest.mark.parametrize("place", ["missing/lock", "folder", "link"])
def test_lock_that_cannot_be_opened_is_a_failure_and_no_traceback(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("target")

    with pytest.raises(IoFailed, match="Failed to open"), exclusive_lock(tmp_path / place):
        pass
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(
    ("variable", "folder"),
    [(None, "/var/lib/plexguard/x"), ("", "/var/lib/plexguard/x"), ("/srv/a", "/srv/a"), ("/srv/a:/srv/b", "/srv/a")],
)
def test_state_directory_is_the_one_of_the_unit_else_the_one_it_would_have(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, folder: str
) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    if variable is not None:
        monkeypatch.setenv("STATE_DIRECTORY", variable)

    assert state_directory("x") == Path(folder)


@pytest.mark.parametrize(
    ("variable", "folder"), [(None, "/run/plexguard/x"), ("", "/run/plexguard/x"), ("/run/a:/run/b", "/run/a")]
)
def test_what_a_reboot_forgets_has_a_place_of_its_own(monkeypatch: pytest.MonkeyPatch, variable: str | None, folder: str) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    if variable is not None:
        monkeypatch.setenv("RUNTIME_DIRECTORY", variable)

    assert runtime_directory("x") == Path(folder)


def test_a_folder_is_made_where_its_unit_never_ran(tmp_path: Path) -> None:
    folder = tmp_path / "plexguard/reboot"

    assert make_folder(folder) == make_folder(folder) == folder
    assert folder.is_dir()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(IoFailed, match="Failed to make"):
        make_folder(tmp_path / "file/reboot")


def test_a_person_without_the_right_to_make_a_folder_is_told_who_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)

    with pytest.raises(NoPermission) as told:
        make_folder(tmp_path / "speed-test")

    assert told.value.hint == "run it as root"


def test_of_several_folders_a_program_has_the_one_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/plexguard/plex-hold:/var/lib/plexguard/rclone-watchdog/films")
    assert state_directory("rclone-watchdog/films") == Path("/var/lib/plexguard/rclone-watchdog/films")
    assert state_directory("films") == Path("/var/lib/plexguard/rclone-watchdog/films")
    assert state_directory("shows") == Path("/var/lib/plexguard/plex-hold")
