"""When the timer fires, as a drop-in."""

from datetime import time
from pathlib import Path

import pytest

from plexguard.core.units import Site
from plexguard.speed_test.config import Config
from plexguard.speed_test.units import drop_ins, make_calendar

NOWHERE = Site(folders=(), mounts=())


def test_the_shipped_time_needs_no_drop_in() -> None:
    assert drop_ins(Config(), NOWHERE) == {}
    assert make_calendar(Config()) == "*-*-* 02,03,04,05:00:00 America/New_York"
    # Which is the timer as it is shipped, in other words.
    shipped = (Path(__file__).parents[3] / "units/plexguard-speed-test.timer").read_text()
    assert "OnCalendar=*-*-* 02..05:00:00 America/New_York\n" in shipped


@pytest.mark.parametrize(
    ("config", "calendar"),
    [
        (Config(at=time(3, 30)), "*-*-* 03,04,05,06:30:00 America/New_York"),
        (Config(time_zone="Europe/Berlin"), "*-*-* 02,03,04,05:00:00 Europe/Berlin"),
        (Config(at=time(22, 5), time_zone="UTC"), "*-*-* 22,23,00,01:05:00 UTC"),
    ],
    ids=["another time", "another zone", "past midnight"],
)
def test_another_time_or_zone_replaces_the_calendar(config: Config, calendar: str) -> None:
    assert drop_ins(config, NOWHERE) == {
        "plexguard-speed-test.timer.d/50-calendar.conf": f"[Timer]\nOnCalendar=\nOnCalendar={calendar}\n"
    }
