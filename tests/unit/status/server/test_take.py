"""The overview as it is taken again and again: the service manager asked now and then, what was told out of the index."""

from datetime import timedelta
from pathlib import Path

import pytest

from plexguard.core.manager import Timer, Unit
from plexguard.status.server import take
from plexguard.status.server.follow import Follower
from plexguard.status.server.index import Index
from plexguard.status.server.parameters import EventQuery
from plexguard.status.server.take import KnownUnits, Taker
from tests.fakes.ports import FakeClock, FakeJournal
from tests.fakes.told import EVENTS, FakeEvents, tell

NOW = FakeClock().now()


class Counting:
    """A manager that counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def find_units(self, pattern: str) -> tuple[Unit, ...]:
        self.asked += 1
        return (Unit(name="plexguard-plex-probe.service", active_state="failed"), Unit(name="plexguard-plex-probe.timer"))

    def find_timers(self, pattern: str) -> tuple[Timer, ...]:
        return ()


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path / "index.sqlite", FakeJournal())


def test_the_manager_is_asked_when_something_was_told_and_now_and_then(index: Index) -> None:
    manager, clock = Counting(), FakeClock()
    known = KnownUnits(manager, clock, index)
    for _ in range(5):
        known.find_units("plexguard*")
    assert manager.asked == 1
    index.add((tell("plex.down", NOW),), places={}, count=False)
    known.find_units("plexguard*")
    assert manager.asked == 2
    clock.sleep(60)
    assert known.find_units("plexguard*")[0].active_state == "failed"
    assert manager.asked == 3


def test_what_goes_on_comes_out_of_the_index(index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(take, "can_read_journal", lambda: True)
    clock = FakeClock()
    taker = Taker(Counting(), clock, index, EVENTS.values(), config_path=tmp_path / "plexguard.toml")
    first = next(thing for thing in taker.take().overview.things if thing.name == "events")
    journal = FakeEvents([tell("container.docker-lost", NOW - timedelta(hours=1), reason="no socket", container="plex")])
    Follower(index, journal.open, clock, lambda told: None).cycle(0)

    taken = taker.take()

    assert first.state.value == "unknown"
    assert [problem.text for problem in taken.overview.problems if "no socket" in problem.text]
    assert taken.failed == {"plexguard-plex-probe.service": True}


def events_thing(taker: Taker) -> tuple[str, str]:
    (found,) = [thing for thing in taker.take().overview.things if thing.name == "events"]
    return found.state.value, found.summary


def test_an_index_that_is_not_up_with_the_journal_is_not_known_to_be_well(
    index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(take, "can_read_journal", lambda: True)
    clock = FakeClock()
    taker = Taker(Counting(), clock, index, EVENTS.values(), config_path=tmp_path / "plexguard.toml")
    Follower(index, FakeEvents().open, clock, lambda told: None).cycle(0)
    assert events_thing(taker)[0] == "well"

    index.behind = "database or disk is full"

    assert events_thing(taker) == ("unknown", "what was told last is not known: database or disk is full")


def test_what_was_told_by_a_clock_that_ran_ahead_is_not_overlooked(
    index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(take, "can_read_journal", lambda: True)
    clock = FakeClock()
    taker = Taker(Counting(), clock, index, EVENTS.values(), config_path=tmp_path / "plexguard.toml")
    ahead = tell("perms.unhealthy", clock.now() + timedelta(days=2))
    Follower(index, FakeEvents([ahead]).open, clock, lambda told: None).cycle(0)

    assert events_thing(taker)[0] == "problem"


def test_an_index_in_memory_is_a_warning_and_has_the_last_day(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(take, "can_read_journal", lambda: True)
    clock, index = FakeClock(), Index(tmp_path / "missing/index.sqlite", FakeJournal())
    taker = Taker(Counting(), clock, index, EVENTS.values(), config_path=tmp_path / "plexguard.toml")
    ages = (timedelta(days=3), timedelta(hours=1))
    follower = Follower(index, FakeEvents([tell("plex.hung", clock.now() - age) for age in ages]).open, clock, lambda told: None)

    while follower.is_behind:
        follower.cycle(0)

    assert len(index.find_events(EventQuery())[0]) == 1
    state, summary = events_thing(taker)
    assert state == "warning" and "missing/index.sqlite" in summary
