"""The section [net-recover], of the network check, its steps and the reboot that it may ask for."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from plexguard.core.options import BOOLEAN, Kind, count, option, span

# The kernel takes 15 characters; what is odd beyond these is no name that goes into a command of ours.
INTERFACE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,14}", re.ASCII)
_HOST_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+", re.ASCII
)


def _interface(value: object) -> str:
    if not isinstance(value, str) or (value and not INTERFACE_NAME.fullmatch(value)):
        raise ValueError
    return value


def _address(value: object) -> str:
    import ipaddress  # only for who writes addresses

    return str(ipaddress.ip_address(value if isinstance(value, str) else ""))


def _host_name(value: object) -> str:
    if not isinstance(value, str) or not _HOST_NAME.fullmatch(value):
        raise ValueError
    return value


def _some(parse: Callable[[object], str], least: int) -> Callable[[object], tuple[str, ...]]:
    def parse_list(value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not least <= len(value) <= 8:
            raise ValueError
        return tuple(parse(item) for item in value)

    return parse_list


def _show_list(values: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


INTERFACE = Kind('the name of a network interface, such as "eth0"; "" means: find it', _interface, lambda v: f'"{v}"')
ADDRESSES: Kind[tuple[str, ...]] = Kind('a list of 1 to 8 IP addresses, such as ["1.1.1.1"]', _some(_address, 1), _show_list)
HOST_NAMES: Kind[tuple[str, ...]] = Kind('a list of up to 8 host names, such as ["plex.tv"]', _some(_host_name, 0), _show_list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    SECTION: ClassVar[str] = "net-recover"

    interval: timedelta = option(span("10s", "1h"), timedelta(seconds=60), "Time from one check to the next.")
    endpoints: tuple[str, ...] = option(
        ADDRESSES,
        ("1.1.1.1", "8.8.8.8", "208.67.222.222", "9.9.9.9"),
        "Who is asked whether the internet is there: one that answers by any method is enough.",
    )
    dns_names: tuple[str, ...] = option(
        HOST_NAMES, ("plex.tv", "debian.org"), "Names of which one must resolve. Empty: DNS is not checked."
    )
    interface: str = option(INTERFACE, "", "The network interface to mend. Empty: that of the default route.")
    timeout: timedelta = option(span("500ms", "10s"), timedelta(seconds=2), "How long one question to an endpoint may take.")
    looks: int = option(count(2, 5), 3, "Failed looks in a row until a loss is certain.")
    pause: timedelta = option(span("100ms", "10s"), timedelta(seconds=2), "Time between two looks of one check.")
    grace: timedelta = option(
        span("0s", "1h"), timedelta(seconds=60), "How long a loss must have lasted before a step: most mend themselves."
    )
    max_rounds: int = option(
        count(0, 3), 3, "Rounds of steps for one fault, and in any hour; then it is left to a person. 0: only report."
    )
    round_pause: timedelta = option(
        span("1min", "1h"), timedelta(minutes=5), "Time after the first round until the next; twice that after the second."
    )
    step_timeout: timedelta = option(
        span("5s", "3min"), timedelta(seconds=30), "How long the network may take to be back after a step."
    )
    reboot: bool = option(BOOLEAN, False, "Reboot this machine when all rounds did not help.")
    max_reboots_per_day: int = option(count(0, 1), 1, "Reboots in 24 hours, midnight or not.")
    min_between_reboots: timedelta = option(span("24h", "30d"), timedelta(hours=24), "Time from one reboot to the next.")
