"""The kinds of requests, known by their paths: how long Plex may take, and what may be repeated. Pure.

A path is all of an address before its question mark. Facts: Plex's HTTP API.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Kind:
    """patterns: regular expressions over a path. limit: the option that says how long the first byte may take, "" for no limit.
    repeats_timeouts: a request without an answer in time is made once more."""

    name: str
    patterns: tuple[str, ...]
    limit: str
    repeats_timeouts: bool = False


PICTURE = Kind(
    "picture",
    (
        r"^/photo/:/transcode$",
        r"^/library/[a-z]+/[^/]+/(thumb|art|banner|poster|squareArt|clearLogo|composite|parentThumb|grandparentThumb)(/[0-9]+)?$",
        r"^/library/media/[^/]+/chapterImages/[0-9]+$",
        r"^/playlists/[^/]+/composite(/[0-9]+)?$",
        r"^/:/resources/[^/]+\.(png|jpg|jpeg)$",
    ),
    "metadata_limit",
    repeats_timeouts=True,
)
STREAM = Kind("stream", (r"^/:/(websockets?|eventsource)/",), "")
MEDIA = Kind(
    "media", (r"^/(library/(parts|streams)|downloadQueue|sync)/", r"^/library/metadata/[^/]+/theme(/[0-9]+)?$"), "media_limit"
)
TRANSCODE = Kind(
    "transcode", (r"^/(video|music|audio|subtitles|livetv)/:?/?(transcode|sessions)", r"^/livetv/dvrs/.*/tune$"), "transcode_limit"
)
METADATA = Kind("metadata", (), "metadata_limit", repeats_timeouts=True)
# In the order in which they are looked at; what fits none is the last.
KINDS = (STREAM, PICTURE, MEDIA, TRANSCODE, METADATA)
CONFIGURABLE = ("metadata", "media", "transcode", "stream")

# What only reads. Everything else, whatever its method, is asked of Plex once: a player's reports of its place, marks of what was
# watched, the start of a session, scans.
REPEATABLE = (
    r"^/$",
    r"^/(identity|hubs|library|photo|playlists|media/providers|clients|devices|servers|status/sessions|search)(/|$)",
    r"^/(video|music|audio)/:/transcode/universal/session/",
    r"^/:/resources/",
)
# In lower case, last and last but one words of a path that do something although it begins as one that reads.
ACTING_WORDS = (
    *("refresh", "analyze", "analyse", "emptytrash", "optimize", "match", "unmatch", "matches", "merge", "split", "terminate"),
    *("scrobble", "unscrobble", "progress", "rate", "upload", "delete", "move", "agents", "addetect", "intro", "credits", "index"),
    *("voiceactivity", "bundles", "clean", "cancel", "restore", "process"),
)
# With what a path leads elsewhere than it seems to: dots, what comes after a semicolon, and letters and signs in disguise that no
# program writes so. Whatever their case.
DISGUISE = r"/\.|\.\.|;|%(2[5ef]|3[ab]|4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a])"


class HasPaths(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def paths(self) -> tuple[str, ...]: ...


def pattern_of(path: str) -> str:
    """Return the regular expression of a configured path, in which "*" stands for anything."""
    return "^" + ".*".join(re.escape(part) for part in path.split("*")) + "$"


def configured_patterns(tables: Mapping[str, HasPaths]) -> dict[str, tuple[str, ...]]:
    """Return the configured expressions by kind."""
    return {
        name: tuple(pattern_of(path) for table in tables.values() if table.kind == name for path in table.paths)
        for name in CONFIGURABLE
    }


def find_kind(path: str, tables: Mapping[str, HasPaths]) -> Kind:
    """Return what a path is taken for; HAProxy is told the same table."""
    own = configured_patterns(tables)
    for name, patterns in own.items():
        if _fits(path, patterns):
            return next(kind for kind in KINDS if kind.name == name)
    return next((kind for kind in KINDS if _fits(path, kind.patterns)), METADATA)


def may_repeat(method: str, path: str) -> bool:
    """Return whether a request may be made again when its answer is lost."""
    words = [word.lower() for word in path.split("/") if word]
    acts = not set(words[-2:]).isdisjoint(ACTING_WORDS) or re.search(DISGUISE, path.lower()) is not None
    return method in ("GET", "HEAD") and _fits(path, REPEATABLE) and not acts


def _fits(path: str, patterns: Iterable[str]) -> bool:
    return any(re.search(pattern, path) for pattern in patterns)


def span_ms(span: timedelta) -> int:
    return round(span.total_seconds() * 1000)


def span_us(span: timedelta) -> int:
    return span_ms(span) * 1000
