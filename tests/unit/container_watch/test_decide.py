"""What was stopped on purpose, from events and from what was known before."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from plexguard.container_watch.decide import date_start, remember_stop, stays_stopped
from plexguard.core.found import FoundContainer
from tests.fakes.ports import FakeClock


def follow(*actions: str, stop_seen: bool = False) -> bool:
    for action in actions:
        stop_seen = remember_stop(action, stop_seen)
    return stop_seen


@pytest.mark.parametrize(
    ("actions", "stopped"),
    [
        (("kill", "die", "stop"), True),
        (("kill", "kill", "die", "stop"), True),
        (("kill", "die"), True),
        (("die",), False),
        (("oom", "die"), False),
        (("die", "start"), False),
        (("kill", "die", "stop", "start", "restart"), False),
        (("kill", "die", "stop", "start", "die"), False),
        (("pause", "unpause"), False),
        (("kill", "die", "stop", "destroy"), True),
        (("kill", "die", "stop", "destroy", "create", "start"), False),
        (("exec_create", "health_status: unhealthy", "rename"), False),
        ((), False),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, tuple) else "",
)
def test_remember_stop_follows_the_events(actions: tuple[str, ...], stopped: bool) -> None:
    assert follow(*actions) is stopped


def test_an_event_that_means_nothing_changes_nothing() -> None:
    assert follow("die", "oom", "rename", "", "?", stop_seen=True)


STOPPED = FoundContainer(
    name="plex", status="exited", exit_code=1, stopped_on_purpose=True, started=datetime(2026, 3, 1, tzinfo=UTC), seen_s=100.0
)
FOUND = dataclasses.replace(STOPPED, stopped_on_purpose=False, seen_s=900.0)


def test_a_container_that_was_not_started_since_is_still_stopped_on_purpose() -> None:
    assert stays_stopped(FOUND, STOPPED)


@pytest.mark.parametrize(
    ("found", "last"),
    [
        (FOUND, None),
        (FOUND, dataclasses.replace(STOPPED, stopped_on_purpose=False)),
        (FOUND, dataclasses.replace(STOPPED, status="running")),
        (dataclasses.replace(FOUND, status="running"), STOPPED),
        (dataclasses.replace(FOUND, started=datetime(2026, 3, 2, tzinfo=UTC)), STOPPED),
        (dataclasses.replace(FOUND, name="plex2"), STOPPED),
    ],
    ids=["nothing known", "it had crashed", "it ran", "it runs", "started since", "another container"],
)
def test_what_is_known_of_before_holds_for_nothing_else(found: FoundContainer, last: FoundContainer | None) -> None:
    assert not stays_stopped(found, last)


@pytest.mark.parametrize(
    ("event", "known"),
    [
        ("kill 15", True),
        ("kill 9", True),
        ("kill 37", True),
        ("kill 28", False),
        ("kill 1", False),
        ("stop ", True),
        ("die ", False),
    ],
    ids=["TERM", "KILL", "a stop signal of the image's own", "WINCH", "HUP", "stop", "die"],
)
def test_a_signal_that_asks_for_no_end_is_no_stop(event: str, known: bool) -> None:
    assert remember_stop(event, False) is known


def test_a_start_is_reckoned_once_and_a_clock_that_is_set_does_not_move_it() -> None:
    clock = FakeClock(uptime_s=500.0)
    found = FoundContainer(name="plex", id="c0ffee", status="running", started=clock.wall - timedelta(seconds=20))

    first = date_start(found, None, clock.moment())
    clock.pass_time(30)
    clock.wall += timedelta(days=40)

    assert first.started_s == 480.0
    assert date_start(found, first, clock.moment()).started_s == 480.0
    assert date_start(dataclasses.replace(found, id="facade"), first, clock.moment()).started_s == 0.0


@pytest.mark.parametrize("started_in_s", [-5000.0, 600.0])
def test_a_start_before_the_boot_or_in_the_future_is_no_nonsense(started_in_s: float) -> None:
    clock = FakeClock(uptime_s=500.0)
    found = FoundContainer(name="plex", started=clock.wall + timedelta(seconds=started_in_s))

    assert 0.0 <= (date_start(found, None, clock.moment()).started_s or 0.0) <= 500.0


def test_what_was_never_started_has_no_start() -> None:
    assert date_start(FoundContainer(name="plex"), None, FakeClock().moment()).started_s is None
