"""Following the journal: the last day first, everything at last, each event told and counted once."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from plexguard.core.errors import IoFailed
from plexguard.core.told import Told
from plexguard.status.server.follow import FIRST, Follower, read_covered
from plexguard.status.server.index import Index
from plexguard.status.server.parameters import EventQuery
from tests.fakes.ports import FakeClock, FakeJournal
from tests.fakes.told import FakeEvents, every, tell

HOUR = timedelta(hours=1)


class Case:
    """A journal, an index, and what was passed on."""

    def __init__(self, folder: Path, journal: FakeEvents) -> None:
        self.clock = FakeClock()
        self.journal = journal
        self.folder = folder
        self.passed: list[Told] = []
        self.index = Index(folder / "index.sqlite", FakeJournal())
        self.start()

    def start(self) -> None:
        self.follower = Follower(self.index, self.journal.open, self.clock, self.passed.extend)

    def run(self, cycles: int = 400) -> None:
        for _ in range(cycles):
            self.follower.cycle(0)

    @property
    def kept(self) -> set[str]:
        found, before = set(), None
        while True:
            page, before = self.index.find_events(EventQuery(limit=500, before=before))
            found |= {kept.id for kept in page}
            if before is None:
                return found

    @property
    def is_complete(self) -> bool:
        return self.follower.covered is not None and self.follower.covered < datetime(1971, 1, 1, tzinfo=UTC)


NOW = FakeClock().now()


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path, FakeEvents(every(HOUR, "perms.repaired", NOW - timedelta(days=20), NOW)))


def ids(told: list[Told]) -> set[str]:
    return {one.id for one in told}


def test_the_last_day_is_there_after_the_first_cycle_and_nothing_of_it_is_news(case: Case) -> None:
    case.follower.cycle(0)
    assert case.kept == ids([one for one in case.journal.told if one.at >= NOW - FIRST])
    assert case.follower.covered == NOW - FIRST
    assert case.passed == [] and case.index.counts() == {}


def test_the_rest_comes_backwards_day_by_day(case: Case) -> None:
    case.follower.cycle(0)
    covered = [case.follower.covered]
    while not case.is_complete:
        case.follower.cycle(0)
        if case.follower.covered != covered[-1]:
            covered.append(case.follower.covered)
            assert case.kept >= ids([one for one in case.journal.told if one.at >= covered[-1]])
    assert covered == sorted(covered, reverse=True) and len(covered) > 15
    assert case.kept == ids(case.journal.told)
    assert case.passed == [] and case.index.counts() == {}


def test_what_is_new_is_passed_on_and_counted_even_while_old_days_are_read(case: Case) -> None:
    case.follower.cycle(0)
    news = [tell("plex.down", NOW, n) for n in range(3)]
    for one in news:
        case.journal.add(one)
        case.run(2)
    assert case.passed == news and case.index.counts() == {"plex.down": 3}
    case.run()
    assert case.kept == ids(case.journal.told) and case.passed == news


def test_after_a_restart_only_what_is_new_is_read(case: Case) -> None:
    case.run()
    case.journal.add(missed := tell("plex.down", NOW))
    read = case.journal.read
    case.start()
    case.run(10)
    assert case.journal.read - read == 1
    assert case.passed == [missed] and case.index.counts() == {"plex.down": 1}


@pytest.mark.parametrize("cycles", [1, 2, 3, 5, 8, 13, 21])
def test_a_stop_at_any_time_loses_nothing_and_tells_nothing_twice(case: Case, cycles: int) -> None:
    for number in range(40):
        if number < 6:
            case.journal.add(tell("plex.down", NOW, number))
        case.start()
        case.run(cycles + 1)
    case.start()
    case.run()
    assert case.kept == ids(case.journal.told)
    assert len(case.passed) == len(ids(case.passed)) and case.index.counts()["plex.down"] in (5, 6)


def test_a_place_that_journald_has_dropped_is_found_by_its_time(case: Case) -> None:
    case.run()
    case.journal.add(*(new := [tell("plex.down", NOW + timedelta(minutes=n), n) for n in range(5)]))
    case.journal.cut(20 * 24 + 2)
    case.start()
    case.run(10)
    assert case.passed == new[2:]


def test_an_empty_journal_is_waited_at(tmp_path: Path) -> None:
    case = Case(tmp_path, FakeEvents())
    case.run(5)
    case.journal.add(one := tell("plex.down", NOW))
    case.run(5)
    assert case.kept == {one.id} and case.is_complete


def test_a_torn_index_is_made_anew_from_the_journal(case: Case) -> None:
    case.run()
    case.index._database.execute("DROP TABLE places")
    case.journal.add(tell("plex.down", NOW))
    case.run()
    assert case.kept == ids(case.journal.told) and case.is_complete


def test_a_journal_that_cannot_be_read_is_an_error_and_is_tried_again(case: Case) -> None:
    case.journal.trouble = OSError(5, "Input/output error")
    with pytest.raises(OSError):
        case.run(1)
    case.journal.trouble = None
    case.run()
    assert case.kept == ids(case.journal.told)


@pytest.mark.parametrize("cycle", range(12))
def test_what_the_disk_did_not_take_is_read_again(case: Case, monkeypatch: pytest.MonkeyPatch, cycle: int) -> None:
    whole, fail_at = case.index.add, iter(range(100))

    def add(*arguments: Any, **options: Any) -> tuple[Told, ...]:
        if next(fail_at, 100) == cycle:
            raise IoFailed("database or disk is full")
        return whole(*arguments, **options)

    monkeypatch.setattr(case.index, "add", add)
    for number in range(40):
        case.journal.add(tell("plex.hung", NOW + timedelta(minutes=number), number))
        with suppress(IoFailed):
            case.follower.cycle(0)
    case.run()

    assert case.kept == {one.id for one in case.journal.told}


def test_before_the_journal_began_nothing_is_known(case: Case) -> None:
    case.journal.began = NOW - 10 * HOUR
    case.run()
    assert case.is_complete and case.follower.complete_from == NOW - 10 * HOUR == read_covered(case.index)

    # What was dropped since is in the index.
    case.journal.began = NOW
    case.start()
    case.run(1)
    assert case.follower.complete_from == NOW - 10 * HOUR
