"""systemd itself counts the nights: each day has its tries, and none of them falls outside of what the program takes for night."""

import re
import shutil
import subprocess
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from plexguard.speed_test.config import TRIES, Config
from plexguard.speed_test.decide import find_night
from plexguard.speed_test.units import make_calendar

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
DAYS = 400
BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)


def firings(config: Config) -> list[datetime]:
    """Return when a timer with that calendar fires in a bit more than a year, by systemd's own reckoning."""
    done = subprocess.run(
        [
            "systemd-analyze",
            "calendar",
            f"--iterations={DAYS * TRIES}",
            f"--base-time={BEGIN:%Y-%m-%d %H:%M:%S} UTC",
            make_calendar(config),
        ],
        env={"TZ": "UTC", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = re.findall(r"(?:Next elapse|Iter\. #\d+): \w+ (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", done.stdout)
    return [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in found]


@pytest.mark.parametrize(
    ("at", "zone"),
    [
        (time(2, 0), "America/New_York"),
        (time(1, 0), "America/New_York"),
        (time(1, 30), "America/New_York"),
        (time(2, 30), "Europe/Berlin"),
        (time(23, 0), "Europe/Berlin"),
        (time(0, 0), "America/Santiago"),  # has no midnight on one night, and two on another
        (time(2, 0), "Australia/Lord_Howe"),  # sets its clocks by half an hour
        (time(3, 0), "UTC"),
    ],
    ids=str,
)
def test_every_night_has_its_tries_also_where_clocks_are_set(at: time, zone: str) -> None:
    config = Config(at=at, time_zone=zone)
    times = firings(config)

    nights = [find_night(config, ZoneInfo(zone), now) for now in times]
    late = [find_night(config, ZoneInfo(zone), now + timedelta(minutes=10)) for now in times]

    assert len(times) >= DAYS * (TRIES - 1)
    assert [now for now, night in zip(times, nights, strict=True) if night is None] == []
    # Five minutes of random delay and one of accuracy change nothing.
    assert late == nights
    tries = Counter(night for night in nights if night is not None)
    first, last = min(tries), max(tries)
    days = [first + timedelta(days=number) for number in range((last - first).days)]
    assert [day for day in days if not 3 <= tries[day] <= TRIES + 1] == []
    assert [day for day in days if tries[day] != TRIES and not _is_set(day, zone)] == []


def _is_set(day: date, zone: str) -> bool:
    """Tell whether the clocks are set on a day, or in the night that begins on it."""
    begin = datetime.combine(day, time(0), ZoneInfo(zone))
    return (
        begin.utcoffset() != (begin + timedelta(days=2)).utcoffset() or begin.utcoffset() != (begin - timedelta(days=1)).utcoffset()
    )
