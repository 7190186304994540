"""The section [status]."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from plexguard.core.endpoints import ENDPOINTS, Endpoint
from plexguard.core.options import Kind, option, show_list, span

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]", re.ASCII)
_MOST = 16


def _listen(value: object) -> tuple[Endpoint, ...]:
    found = ENDPOINTS.parse([value] if isinstance(value, str) else value)
    if not 1 <= len(found) <= _MOST or len(set(found)) != len(found):
        raise ValueError
    return found


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _MOST or not all(isinstance(v, str) and _NAME.fullmatch(v) for v in value):
        raise ValueError
    return tuple(value)


LISTEN: Kind[tuple[Endpoint, ...]] = Kind(
    'one or a list of numeric addresses with ports, such as "127.0.0.1:32480" or ["127.0.0.1:32480", "[::1]:32480"]',
    _listen,
    show_list,
)
NAMES: Kind[tuple[str, ...]] = Kind('a list of host names or addresses, such as ["media.lan", "192.168.1.5"]', _names, show_list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    SECTION: ClassVar[str] = "status"

    listen: tuple[Endpoint, ...] = option(
        LISTEN,
        (Endpoint(address="127.0.0.1", port=32480),),
        "Where the status page and the metrics are served. Anyone who can reach it may read them: there is no password.",
    )
    names: tuple[str, ...] = option(
        NAMES,
        (),
        "Under which names it may be asked for, beside 127.0.0.1, localhost and [::1]: any other name in a request is refused.",
    )
    idle: timedelta = option(
        span("10s", "7d"), timedelta(minutes=2), "After so long without requests the service ends, until the next one starts it."
    )
