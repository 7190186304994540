"""What is done to a mount is asked for at the last moment: much may have happened since it was decided."""

import os

import pytest

from plexguard.core.manager import Unit
from plexguard.rclone_watchdog.act import RealHands, unit_of
from tests.fakes.ports import FakeManager

UNIT = unit_of("media")


def hands(**unit):
    manager = FakeManager(Unit(name=UNIT, load_state="loaded", **unit))
    return manager, RealHands(name="media", manager=manager, ask_refresh=lambda: None)


@pytest.mark.parametrize(
    ("unit", "asked"),
    [
        ({"active_state": "failed", "result": "exit-code"}, [("start", UNIT)]),
        ({"active_state": "inactive", "started_s": 5.0, "left_active_s": 9.0, "ended_s": 9.5}, []),
    ],
    ids=["failed", "stopped"],
)
def test_a_mount_that_was_stopped_meanwhile_is_not_started(unit, asked):
    manager, doing = hands(**unit)
    doing.start()
    assert manager.asked == asked


def test_a_process_that_is_not_rclone_any_more_is_not_killed():
    _, doing = hands(active_state="active", main_pid=1)
    doing.kill(os.getpid())
