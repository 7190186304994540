"""The section [proxy]."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from plexguard.core.endpoints import ENDPOINTS, Endpoint, overlap
from plexguard.core.options import Kind, choice, count, option, show_list, size, span, tables
from plexguard.proxy.kinds import CONFIGURABLE

# No blank, quote or escape: a pattern becomes a word of HAProxy's configuration.
_PATTERN = re.compile(r"/[A-Za-z0-9/:._~*@%+=-]{0,200}", re.ASCII)


def _patterns(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError
    if not all(isinstance(item, str) and _PATTERN.fullmatch(item) for item in value):
        raise ValueError
    return tuple(value)


PATTERNS: Kind[tuple[str, ...]] = Kind(
    'a list of paths, "*" standing for anything, such as ["/video/:/transcode/*"]', _patterns, show_list
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Requests that are to be treated as another kind than their path says."""

    kind: str = option(choice(*CONFIGURABLE), "metadata", "As which kind these requests are treated.")
    paths: tuple[str, ...] = option(PATTERNS, (), 'Paths, without what follows a question mark. "*" stands for anything.')

    def find_mistakes(self) -> tuple[str, ...]:
        return () if self.paths else ("paths: missing, allowed is " + PATTERNS.allowed,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    SECTION: ClassVar[str] = "proxy"

    listen: tuple[Endpoint, ...] = option(
        ENDPOINTS,
        (Endpoint(address="127.0.0.1", port=32401),),
        "Where players and apps are answered. Everybody who can reach it reaches Plex, who takes requests of this machine for "
        "those of its owner's.",
    )
    metrics_listen: tuple[Endpoint, ...] = option(
        ENDPOINTS,
        (Endpoint(address="127.0.0.1", port=32402),),
        "Where HAProxy's metrics for Prometheus are, at /metrics. An empty list: nowhere.",
    )
    metadata_limit: timedelta = option(
        span("1s", "10min"), timedelta(seconds=10), "How long one attempt may take to its first byte: lists, pictures, the rest."
    )
    media_limit: timedelta = option(span("1s", "10min"), timedelta(seconds=30), "The same for parts of media, and video.")
    transcode_limit: timedelta = option(
        span("1s", "10min"), timedelta(seconds=60), "The same for decisions and segments of a transcode."
    )
    open_after: int = option(count(1, 1000), 5, "After so many failures of requests in a row no more are let through.")
    open_after_checks: int = option(count(1, 100), 3, "The same for failures of plexguard's own checks.")
    check_interval: timedelta = option(span("1s", "1min"), timedelta(seconds=2), "The time from one check to the next.")
    check_limit: timedelta = option(span("100ms", "1min"), timedelta(seconds=3), "How long a check may take.")
    open_for: timedelta = option(
        span("1s", "1h"), timedelta(seconds=60), "For how long nothing at all reaches Plex, before checks look whether it is back."
    )
    close_after: int = option(count(1, 100), 3, "After so many good checks in a row requests are let through again.")
    cache_size: int = option(size("1M", "4000M"), 64 * 1024 * 1024, "Memory for the pictures that are shown while Plex is away.")
    cache_age: timedelta = option(span("1min", "7d"), timedelta(days=1), "For how long such a picture is kept.")
    slow: timedelta = option(span("100ms", "10min"), timedelta(seconds=2), "A first byte that comes later than this is logged.")
    log_sample: int = option(count(1, 100_000), 100, "Of requests that went well, one of so many is logged.")

    def find_mistakes(self) -> tuple[str, ...]:
        if not self.listen:
            return ("listen: found [], allowed is " + ENDPOINTS.allowed + ", one at least",)
        both = [(one, other) for one in self.listen for other in self.metrics_listen if overlap(one, other)]
        return tuple(f"metrics_listen: found {other}, where listen has {one}" for one, other in both)

    path: dict[str, Paths] = tables(Paths, "Requests that are to be treated as another kind than their path says, by name.")
