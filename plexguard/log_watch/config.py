"""The section [log-watch]."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from plexguard.core.options import OPTIONAL_UNIT, option, span


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    SECTION: ClassVar[str] = "log-watch"

    repeat_after: timedelta = option(
        span("10s", "1d"), timedelta(minutes=10), "How long a path that was complained about is not looked at again."
    )
    proxy_unit: str = option(
        OPTIONAL_UNIT,
        "plexguard-proxy.service",
        "The unit of a reverse proxy, whose journal is followed too. Empty: there is none to follow.",
    )
