"""Which units a changed configuration concerns."""

from datetime import timedelta

import pytest

from plexguard.core.manager import Unit
from plexguard.status.apply.decide import choose_restarts, choose_starts
from tests.fakes.ports import BEGIN

WATCH = Unit(name="plexguard-watch.service", load_state="loaded", active_state="active", started_s=1000.0)


def test_timers_are_restarted_and_jobs_are_not() -> None:
    changed = ("plexguard-audit.service", "plexguard-audit.timer")

    assert choose_restarts(changed, (), (), changed_at=BEGIN, now=BEGIN, now_s=1000.0) == ("plexguard-audit.timer",)


def test_sockets_are_restarted_too() -> None:
    changed = ("plexguard-status.socket",)

    assert choose_restarts(changed, (), (), changed_at=BEGIN, now=BEGIN, now_s=1000.0) == changed


def test_a_service_that_runs_with_older_drop_ins_is_restarted_once() -> None:
    restarts = choose_restarts(
        (WATCH.name,), (WATCH.name,), (WATCH,), changed_at=BEGIN, now=BEGIN + timedelta(seconds=1), now_s=1500.0
    )

    assert restarts == (WATCH.name,)


@pytest.mark.parametrize(
    ("started_before_s", "state", "restarted"),
    [
        (-60.0, "active", True),
        (60.0, "active", False),
        (-60.0, "inactive", False),
        (60.0, "failed", True),
    ],
    ids=["read an older file", "has read this one", "does not run", "failed"],
)
def test_a_daemon_is_restarted_when_it_has_not_read_the_file_as_it_is(started_before_s: float, state: str, restarted: bool) -> None:
    """started_before_s: when the daemon started, relative to the change of the file."""
    unit = Unit(name=WATCH.name, load_state="loaded", active_state=state, started_s=1000.0 + started_before_s)

    restarts = choose_restarts((), (), (unit,), changed_at=BEGIN, now=BEGIN + timedelta(seconds=500), now_s=1500.0)

    assert restarts == ((WATCH.name,) if restarted else ())


@pytest.mark.parametrize(
    ("changes", "started"),
    [
        ({}, True),
        # Stopped by an administrator: it left "active" before its process ended.
        ({"left_active_s": 899.0}, False),
        ({"file_state": "disabled"}, False),
        ({"ended_s": 0.0, "left_active_s": 0.0}, False),
        # It has seen the configuration as it is, and there was nothing to do.
        ({"started_s": 1090.0, "ended_s": 1100.0, "left_active_s": 1100.1}, False),
        # It was about to end when that was changed.
        ({"ended_s": 1100.0, "left_active_s": 1100.1}, True),
        ({"active_state": "failed", "result": "exit-code"}, True),
        ({"active_state": "active"}, False),
    ],
)
def test_a_daemon_that_had_nothing_to_do_is_started_for_another_configuration(changes: dict[str, object], started: bool) -> None:
    idle = {
        "load_state": "loaded",
        "file_state": "enabled",
        "active_state": "inactive",
        "started_s": 890.0,
        "ended_s": 900.0,
        "left_active_s": 900.1,
    }
    unit = Unit(name=WATCH.name, **{**idle, **changes})

    starts = choose_starts((unit,), changed_at=BEGIN, now=BEGIN + timedelta(seconds=500), now_s=1500.0)

    assert starts == ((WATCH.name,) if started else ())
