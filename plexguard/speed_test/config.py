"""The section [speed-test]."""

import re
from dataclasses import dataclass
from datetime import time, timedelta
from typing import ClassVar

from plexguard.core.endpoints import ENDPOINTS, Endpoint
from plexguard.core.options import TEXT, ZONE, Kind, count, option, show_list, span

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_MAX_WORDS = 64


def _time_of_day(value: object) -> time:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError
    return time(int(found[1]), int(found[2]))


def _command(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= _MAX_WORDS:
        raise ValueError
    words = tuple(map(TEXT.parse, value))
    # A path that is not absolute would depend on where the program was started.
    if not words[0] or ("/" in words[0] and not words[0].startswith("/")):
        raise ValueError
    return words


TIME_OF_DAY: Kind[time] = Kind(
    'a time of day as hours and minutes, such as "02:00"', _time_of_day, lambda v: TEXT.show(f"{v:%H:%M}")
)
COMMAND: Kind[tuple[str, ...]] = Kind(
    'a command and its arguments as a list of texts, such as ["speedtest-cli", "--json"], by name or absolute path',
    _command,
    show_list,
)

# How often the timer fires in a night, an hour apart.
TRIES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    SECTION: ClassVar[str] = "speed-test"

    at: time = option(TIME_OF_DAY, time(2, 0), "When a test is due. Three more tries follow, an hour apart, if they are needed.")
    time_zone: str = option(ZONE, "America/New_York", "The time zone that this time, and the days, are those of.")
    command: tuple[str, ...] = option(
        COMMAND, ("speedtest-cli", "--secure", "--json"), "What makes a test and prints its result as JSON; no shell is involved."
    )
    timeout: timedelta = option(span("30s", "10min"), timedelta(minutes=3), "How long the command may take.")
    max_attempts_per_day: int = option(count(1, 4), 4, "How often the command is started in a day, whatever becomes of it.")
    slow_percent: int = option(
        count(0, 99), 50, "A download or upload below this share of the usual, in per cent, is told. 0: never."
    )
    endpoints: tuple[Endpoint, ...] = option(
        ENDPOINTS,
        (Endpoint(address="1.1.1.1", port=443), Endpoint(address="9.9.9.9", port=443)),
        "There is a network when one of these takes a connection. Empty: take it for granted.",
    )
