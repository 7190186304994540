"""The record of what stays unreadable: made once, cleared once, and one restart asked for at most."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from plexguard.core.errors import IoFailed, TryAgain
from plexguard.core.manager import Unit
from plexguard.core.state import StateFile, exclusive_lock
from plexguard.core.unreadable import MOST_PATHS, Record, Unreadable, open_record
from plexguard.perms_audit import unhealthy
from plexguard.perms_audit.unhealthy import LASTING_S, PLEX_RESTART
from tests.fakes.ports import FakeClock, FakeJournal, FakeManager

FILM = "/srv/media/film.mkv"


@dataclass
class Book:
    """The record, the flag, and all that goes with them."""

    folder: Path
    journal: FakeJournal = field(default_factory=FakeJournal)
    clock: FakeClock = field(default_factory=FakeClock)
    manager: FakeManager = field(default_factory=FakeManager)

    @property
    def file(self) -> StateFile[Record]:
        return open_record(self.journal, self.folder / "unreadable.json")

    @property
    def public(self) -> Path:
        return self.folder / "health/unreadable"

    @property
    def paths(self) -> list[str]:
        return list((self.file.load() or Record()).paths)

    def flag(self, path: str = FILM) -> None:
        unhealthy.flag(path, "no r for others", journal=self.journal, clock=self.clock, file=self.file, public=self.public)

    def clear(self, path: str = FILM) -> None:
        unhealthy.clear(path, "readable again", journal=self.journal, clock=self.clock, file=self.file, public=self.public)

    def try_again(self, **reasons: str | Exception) -> None:
        def prove(path: str) -> str:
            reason = reasons[path]
            if isinstance(reason, Exception):
                raise reason
            return reason

        unhealthy.try_again(prove, journal=self.journal, clock=self.clock, file=self.file, public=self.public)

    def ask_restart(self) -> None:
        unhealthy.ask_restart(manager=self.manager, journal=self.journal, clock=self.clock, file=self.file)


@pytest.fixture
def book(tmp_path: Path) -> Book:
    (tmp_path / "health").mkdir()
    return Book(tmp_path)


def test_what_stays_unreadable_is_told_once_and_flagged(book: Book) -> None:
    book.flag()
    book.flag()

    assert book.journal.names == ["perms.unhealthy"]
    assert book.journal.values("perms.unhealthy") == {"path": FILM, "reason": "no r for others"}
    assert book.public.read_text() == f"1 unreadable, such as {FILM}\n"
    assert book.public.stat().st_mode & 0o777 == 0o644


def test_what_is_cured_is_told_once_with_its_downtime_and_the_flag_goes_with_the_last(book: Book) -> None:
    book.flag()
    book.flag("/srv/media/other.mkv")
    book.clock.pass_time(90.0)

    book.clear()
    assert book.public.read_text().startswith("1 unreadable, such as /srv/media/other.mkv")
    book.clear()
    book.clear("/srv/media/other.mkv")

    assert [event.name for event, _ in book.journal.sent][2:] == ["perms.healthy"] * 2
    assert book.journal.sent[2][1] == {"path": FILM, "state": "readable again", "downtime_s": 90.0}
    assert not book.public.exists()
    assert book.paths == []


def test_what_was_never_flagged_is_not_told_as_cured(book: Book) -> None:
    book.clear()

    assert book.journal.names == []
    assert not book.file.path.exists()


def test_odd_names_stand_in_the_flag_on_one_line(book: Book) -> None:
    book.flag("/srv/media/a\nb\udcff")

    assert book.public.read_bytes() == b"1 unreadable, such as /srv/media/a\\nb\\xff\n"
    book.clear("/srv/media/a\nb\udcff")
    assert not book.public.exists()


def test_without_a_folder_for_the_flag_there_is_nobody_to_tell(book: Book) -> None:
    book.public.parent.rmdir()

    book.flag()
    book.clear()

    assert book.journal.names == ["perms.unhealthy", "perms.healthy"]


def test_the_record_has_an_end(book: Book) -> None:
    entry = Unreadable(since=book.clock.moment(), reason="no r for others")
    book.file.save(Record(paths={f"/srv/media/{number}": entry for number in range(MOST_PATHS - 1)}))

    for name in ("last", "one too many"):
        book.flag(name)

    assert book.paths[-2:] == [f"/srv/media/{MOST_PATHS - 2}", "last"]
    assert book.public.read_text().startswith(f"{MOST_PATHS} unreadable")


def test_each_path_is_tried_again_and_cleared_when_it_is_cured_or_gone(book: Book) -> None:
    for name in ("a", "b", "c", "d", "e"):
        book.flag(name)

    book.try_again(a="", b="no r for others", c=FileNotFoundError(2, "gone"), d=OSError(107, "not connected"), e=TryAgain("hangs"))

    assert book.paths == ["b", "d", "e"]
    assert [values["state"] for event, values in book.journal.sent if event.name == "perms.healthy"] == [
        "readable again",
        "no longer there",
    ]


def test_a_flagged_path_is_found_below_its_root_by_whole_names(book: Book) -> None:
    book.flag()

    assert unhealthy.find_flagged(book.file, ("/srv/med", "/srv/media2")) == []
    assert unhealthy.find_flagged(book.file, ("/srv/med", "/srv/media")) == [FILM]


def test_a_record_that_others_hold_for_long_is_not_waited_for_for_ever(book: Book) -> None:
    with exclusive_lock(book.file.path.with_suffix(".lock")), pytest.raises(TryAgain):
        book.flag()

    assert 0 < sum(book.clock.slept) < 5


@pytest.mark.parametrize(
    "text", ["", "{", '{"schema": 99}', '{"schema": 1, "paths": 5}'], ids=["empty", "cut", "future", "foreign"]
)
def test_a_record_that_cannot_be_used_is_set_aside_and_begun_anew(book: Book, text: str) -> None:
    book.file.path.write_text(text)

    book.flag()

    assert book.paths == [FILM]
    assert json.loads(book.file.path.read_text())["schema"] == 1


# -- a restart of Plex ------------------------------------------------------------------------------------------------


def test_a_restart_is_asked_for_once_a_path_when_it_lasts(book: Book) -> None:
    book.flag()
    book.clock.pass_time(LASTING_S - 1)
    book.ask_restart()
    assert book.manager.asked == []

    book.clock.pass_time(1)
    book.ask_restart()
    book.clock.pass_time(LASTING_S)
    book.ask_restart()

    assert book.manager.asked == [("start", PLEX_RESTART)]
    assert book.journal.values("perms.restart-asked") == {"count": 1, "path": FILM}


def test_another_path_asks_again(book: Book) -> None:
    book.flag()
    book.clock.pass_time(LASTING_S)
    book.ask_restart()
    book.flag("/srv/media/other.mkv")
    book.clock.pass_time(LASTING_S)
    book.ask_restart()

    assert book.manager.asked == [("start", PLEX_RESTART)] * 2
    assert [values["path"] for event, values in book.journal.sent if event.name == "perms.restart-asked"] == [
        FILM,
        "/srv/media/other.mkv",
    ]


def test_an_ask_that_was_put_off_is_made_again(book: Book) -> None:
    book.flag()
    book.clock.pass_time(LASTING_S)
    book.ask_restart()
    book.manager.units[PLEX_RESTART] = Unit(name=PLEX_RESTART, exit_code=75)

    book.ask_restart()

    assert book.manager.asked == [("start", PLEX_RESTART)] * 2


def test_an_ask_that_cannot_be_counted_is_not_made(book: Book) -> None:
    book.flag()
    book.clock.pass_time(LASTING_S)
    file = book.file

    class Full(StateFile[Record]):
        def save(self, record: Record) -> None:
            raise IoFailed("No space left on device")

    full = Full(file.path, Record, schema=1, journal=book.journal)
    with pytest.raises(IoFailed):
        unhealthy.ask_restart(manager=book.manager, journal=book.journal, clock=book.clock, file=full)

    assert book.manager.asked == []
