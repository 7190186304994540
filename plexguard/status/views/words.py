"""Times and numbers in words. Pure."""

from contextlib import suppress
from datetime import datetime, timedelta

from plexguard.core.clock import Moment
from plexguard.status.observe import Observation


def show_seconds(seconds: float) -> str:
    """Return a span as people say it: "12 s", "3 min", "5 h", "4 d"."""
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {word}"
    return f"{seconds:.0f} s"


def show_count(number: int, thing: str, things: str = "") -> str:
    """Return a number of things: "1 mount", "2 mounts"; things: where they end otherwise."""
    return f"{number} {thing}" if number == 1 else f"{number} {things or f'{thing}s'}"


def ago(seen: Observation, moment: Moment) -> str:
    return show_seconds(seen.now.seconds_since(moment))


def when(seen: Observation, moment: Moment | None) -> datetime | None:
    """Return a moment's time by the clock of now, whatever the clock was then; None for one that no calendar has."""
    if moment is None:
        return None
    with suppress(OverflowError):
        return seen.now.wall - timedelta(seconds=seen.now.seconds_since(moment))
    return None


def when_monotonic(seen: Observation, at_s: float) -> datetime | None:
    """Return the time of a stamp of the service manager, None for 0."""
    return seen.now.wall - timedelta(seconds=max(0.0, seen.now_s - at_s)) if at_s else None
