"""The section [speed-test]."""

import re
from dataclasses import dataclass
from datetime import time, timedelta
from typing import ClassVar

from plexguard.core.config import TEXT, ZONE, Kind, count, option, span

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_ENDPOINT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})", re.ASCII)
_MAX_WORDS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where somebody on the Internet listens. address: a number, so that no name has to be looked up."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


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


def _endpoints(value: object) -> tuple[Endpoint, ...]:
    if not isinstance(value, list):
        raise ValueError
    return tuple(map(_endpoint, value))


def _endpoint(value: object) -> Endpoint:
    import ipaddress  # only for who writes one

    found = _ENDPOINT.fullmatch(value) if isinstance(value, str) else None
    if found is None or not 0 < int(found[3]) < 65536:
        raise ValueError
    address = ipaddress.IPv6Address(found[1]) if found[1] else ipaddress.IPv4Address(found[2])
    return Endpoint(address=str(address), port=int(found[3]))


def _show_list(values: tuple[object, ...]) -> str:
    return "[" + ", ".join(TEXT.show(str(value)) for value in values) + "]"


TIME_OF_DAY: Kind[time] = Kind(
    'a time of day as hours and minutes, such as "02:00"', _time_of_day, lambda v: TEXT.show(f"{v:%H:%M}")
)
COMMAND: Kind[tuple[str, ...]] = Kind(
    'a command and its arguments as a list of texts, such as ["speedtest-cli", "--json"], by name or absolute path',
    _command,
    _show_list,
)
ENDPOINTS: Kind[tuple[Endpoint, ...]] = Kind(
    'a list of numeric addresses with ports, such as ["1.1.1.1:443", "[2620:fe::fe]:443"]', _endpoints, _show_list
)


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
