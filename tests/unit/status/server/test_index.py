"""The index on disk: what goes in comes out, in order, once; a torn file is set aside and told."""

import os
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plexguard.core.errors import IoFailed
from plexguard.core.events import FilePath, Mode, Priority
from plexguard.status.incidents import make_rules, occurrence_of
from plexguard.status.server.index import REPAIRED, Index, IndexTorn
from plexguard.status.server.parameters import EventQuery
from tests.fakes.ports import FakeJournal
from tests.fakes.told import EVENTS, tell

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
RULES = make_rules(EVENTS.values())


def minutes(number: float) -> datetime:
    return NOW + timedelta(minutes=number)


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path / "index.sqlite", FakeJournal())


def names(index: Index, **query: object) -> list[str]:
    return [kept.name for kept in index.find_events(EventQuery(**query))[0]]


def test_events_come_back_newest_first_with_all_they_had(index: Index) -> None:
    path = FilePath("/srv/\udcff<script>.mkv")
    repaired = tell("perms.repaired", minutes(1), path=path, old_mode=Mode(0o600), new_mode=Mode(0o644))
    recovered = tell("plex.recovered", minutes(2), downtime_s=12.5, restarts=2)

    assert index.add((repaired, recovered), places={"cursor": "x"}, count=True) == (repaired, recovered)

    (second, first), following = index.find_events(EventQuery())
    assert following is None and index.place("cursor") == "x" and index.place("other") == ""
    assert (first.id, first.at, first.name, first.priority) == (repaired.id, minutes(1), "perms.repaired", 5)
    assert (first.fields["old_mode"], first.fields["path"]) == ("0600", path)
    assert (second.fields["downtime_s"], second.fields["restarts"]) == (12.5, 2)
    assert (second.unit, second.host) == ("plexguard-plex.service", "media")


def test_the_same_event_is_kept_and_counted_once(index: Index) -> None:
    one = tell("plex.down", NOW)
    index.add((one,), places={}, count=True)
    assert index.add((one,), places={}, count=True) == ()
    assert index.counts() == {"plex.down": 1}


def test_repairs_are_counted_by_their_number(index: Index) -> None:
    index.add((tell("perms.repaired", NOW), tell("perms.repaired-many", NOW, count=40)), places={}, count=True)
    assert index.counts()[REPAIRED] == 41
    # What is old is no news: a counter that leaps at the first start would be an alert.
    index.add((tell("perms.repaired", minutes(-60)),), places={}, count=False)
    assert index.counts()[REPAIRED] == 41


def test_filters(index: Index) -> None:
    index.add(
        [tell(name, minutes(n)) for n, name in enumerate(["plex.down", "plex.hung", "perms.repaired", "plex.recovered"])],
        places={},
        count=False,
    )
    assert names(index, names=("plex.*",)) == ["plex.recovered", "plex.hung", "plex.down"]
    assert names(index, names=("perms.*", "plex.down")) == ["perms.repaired", "plex.down"]
    assert names(index, min_priority=Priority.WARNING) == ["plex.hung", "plex.down"]
    assert names(index, since=minutes(1), until=minutes(2)) == ["perms.repaired", "plex.hung"]
    assert names(index, names=("plex.nothing",)) == []


def test_pages_give_each_event_once_even_at_one_moment(index: Index) -> None:
    told = [tell("perms.repaired", minutes(n // 7), n) for n in range(50)]
    index.add(told, places={}, count=False)
    found, before = [], None
    while True:
        page, before = index.find_events(EventQuery(limit=8, before=before))
        found += [kept.id for kept in page]
        if before is None:
            break
    assert sorted(found) == sorted(one.id for one in told)


def test_what_is_open_before_a_time_is_carried_into_it(index: Index) -> None:
    days = timedelta(days=1)
    told = [
        tell("plex.down", NOW - 9 * days),
        tell("plex.recovered", NOW - 8 * days),
        tell("logs.unreadable", NOW - 7 * days, source="a"),
        tell("logs.readable", NOW - 6 * days, source="a"),
        tell("logs.unreadable", NOW - 5 * days, source="a"),
        tell("perms.repaired", NOW - 4 * days),
        tell("plex.recovered", NOW),
    ]
    index.add(told, places={}, count=False)
    carried, since = index.find_occurrences(NOW - days, NOW, RULES)
    assert since == NOW - days
    assert [occurrence_of(one) for one in (told[0], told[1], *told[3:5], told[6])] == list(carried)
    assert [(one.name, one.at) for one in carried] == [
        ("plex.down", NOW - 9 * days),
        ("plex.recovered", NOW - 8 * days),
        ("logs.readable", NOW - 6 * days),
        ("logs.unreadable", NOW - 5 * days),
        ("plex.recovered", NOW),
    ]


def test_of_too_many_events_the_newest_are_given_and_what_goes_on_before_them(index: Index) -> None:
    told = [tell("logs.unreadable", minutes(-60), part="a"), *(tell("plex.down", minutes(n)) for n in range(-50, 0))]
    index.add(told, places={}, count=False)
    found, since = index.find_occurrences(minutes(-100), NOW, RULES, most=10)
    assert since == minutes(-10)
    assert [(one.name, one.at) for one in found] == [
        ("logs.unreadable", minutes(-60)),
        ("plex.down", minutes(-11)),
        *(("plex.down", minutes(n)) for n in range(-10, 0)),
    ]


def test_what_is_too_old_or_too_much_goes_and_its_count_stays(index: Index) -> None:
    index.add([tell("plex.down", minutes(n)) for n in range(10)], places={}, count=True)
    index.trim(minutes(10), age=timedelta(minutes=8), events=5)
    assert [kept.at for kept in index.find_events(EventQuery())[0]] == [minutes(n) for n in (9, 8, 7, 6, 5)]
    assert index.counts() == {"plex.down": 10}


def test_it_is_there_after_a_restart(tmp_path: Path) -> None:
    index = Index(tmp_path / "i", FakeJournal())
    index.add((tell("plex.down", NOW),), places={"covered": "x"}, count=True)
    index.close()
    journal = FakeJournal()
    again = Index(tmp_path / "i", journal)
    assert (names(again), again.counts(), again.place("covered"), journal.names) == (["plex.down"], {"plex.down": 1}, "x", [])


def _foreign(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE other (x)")


def _from_the_future(path: Path) -> None:
    Index(path, FakeJournal()).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")


def _torn(path: Path) -> None:
    index = Index(path, FakeJournal())
    index.add([tell("plex.down", minutes(n)) for n in range(500)], places={}, count=True)
    index.close()
    content = bytearray(path.read_bytes())
    content[4096 : 5 * 4096] = os.urandom(4 * 4096)
    path.write_bytes(content)


@pytest.mark.parametrize(
    "spoil", [lambda p: p.write_bytes(b"x" * 5000), _foreign, _from_the_future, _torn], ids=["rubbish", "foreign", "future", "torn"]
)
def test_what_cannot_be_used_is_set_aside_and_begun_anew(tmp_path: Path, spoil) -> None:
    path, journal = tmp_path / "index.sqlite", FakeJournal()
    spoil(path)
    index = Index(path, journal)
    assert journal.names == ["state.set-aside"]
    assert names(index) == [] and index.add((tell("plex.down", NOW),), places={}, count=True)
    assert (tmp_path / "index.sqlite.bad").exists()


def test_an_empty_or_cut_file_is_an_index_without_events(tmp_path: Path) -> None:
    (tmp_path / "i").touch()
    assert names(Index(tmp_path / "i", FakeJournal())) == []


def test_a_file_that_turns_out_torn_says_so_and_can_be_renewed(tmp_path: Path) -> None:
    path, journal = tmp_path / "index.sqlite", FakeJournal()
    index = Index(path, journal)
    index.add([tell("plex.down", minutes(n)) for n in range(500)], places={}, count=True)
    index._database.execute("DROP TABLE events")
    with pytest.raises(IndexTorn):
        index.find_events(EventQuery())
    index.renew("torn")
    assert names(index) == [] and journal.names == ["state.set-aside"]


@pytest.mark.parametrize("place", ["missing/index.sqlite", "folder"])
def test_without_a_disk_it_is_in_memory(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder/x").mkdir(parents=True)
    index = Index(tmp_path / place, FakeJournal())
    assert place in index.no_disk
    assert index.add((tell("plex.down", NOW),), places={}, count=True) and names(index) == ["plex.down"]
    with pytest.raises(IoFailed):
        index.counts()


def test_memory_is_not_taken_without_end(tmp_path: Path) -> None:
    index = Index(tmp_path / "missing/index.sqlite", FakeJournal())
    with pytest.raises(IoFailed):
        for number in range(100):
            index.add([tell("plex.hung", NOW, 1000 * number + n, detail="x" * 2000) for n in range(200)], places={}, count=False)
    assert names(index)
