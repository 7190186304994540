"""How fast Plex has answered: a line a check, appended by the probe, read by who draws a chart of it.

It is no state: a line that is lost costs a point of a curve. So nothing is synced, and nobody waits for it.
"""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from plexguard.core.errors import DataError
from plexguard.core.records import decode
from plexguard.core.state import PUBLISHED, STATE_ROOT

RESPONSES = STATE_ROOT / "plex-probe/response.jsonl"
# A check every 30 s for 30 days, in lines of 90 bytes. The file before is kept beside it: a month is always there.
MAX_BYTES = 30 * 2880 * 90
# Larger, it is not what we wrote.
_MAX_READ_BYTES = 2 * MAX_BYTES
_MAX_LINE_BYTES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One check. at: seconds since 1970, UTC. verdict: of plexguard-plex-probe(8). failed: the level that did not answer well, ""
    when all did. latencies: seconds by level."""

    at: int
    verdict: str
    failed: str = ""
    latencies: dict[str, float] = field(default_factory=dict)


def append_response(response: Response, file: Path, *, max_bytes: int = MAX_BYTES) -> None:
    """Add a line. Raises OSError."""
    line = json.dumps(
        {
            "at": response.at,
            "verdict": response.verdict,
            "failed": response.failed,
            "latencies": {level: round(seconds, 4) for level, seconds in response.latencies.items()},
        },
        separators=(",", ":"),
    )
    fd = _open(file)
    try:
        size = os.fstat(fd).st_size
        if size >= max_bytes:
            os.replace(file, before(file))
            os.close(fd)
            fd, size = _open(file), 0
        # A line that a power cut has torn must not take this one with it.
        start = "\n" if size and os.pread(fd, 1, size - 1) != b"\n" else ""
        # In one call, so that whoever reads sees it whole.
        os.write(fd, f"{start}{line}\n".encode("ascii"))
    finally:
        os.close(fd)


def _open(file: Path) -> int:
    flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(file, flags)
    except FileNotFoundError:
        fd = os.open(file, flags | os.O_CREAT, PUBLISHED)
        os.fchmod(fd, PUBLISHED)  # whatever the umask
        return fd


def before(file: Path) -> Path:
    """Return where the older half is."""
    return file.with_name(file.name + ".1")


def read_responses(since: datetime, file: Path = RESPONSES) -> tuple[Response, ...]:
    """Return the checks from a time on, oldest first. What cannot be read is not known, and left out."""
    wanted = int(since.timestamp())
    return tuple(response for part in (before(file), file) for response in _read(part, wanted))


def _read(file: Path, since_s: int) -> Iterator[Response]:
    with suppress(OSError), os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW), "rb") as opened:
        text = opened.read(_MAX_READ_BYTES)
        for line in text[_find_start(text, since_s) :].split(b"\n"):
            response = _parse(line)
            if response is not None and response.at >= since_s:
                yield response


def _find_start(text: bytes, since_s: int) -> int:
    """Return where to begin, by halving: lines are in the order of time, but for what a clock that was set back has written."""
    low, high = 0, len(text)
    while high - low > 64 * _MAX_LINE_BYTES:
        middle = text.find(b"\n", (low + high) // 2, high) + 1
        response = _parse(text[middle : middle + _MAX_LINE_BYTES].partition(b"\n")[0]) if middle else None
        if response is None or response.at >= since_s:
            high = (low + high) // 2
        else:
            low = middle
    return low


def _parse(line: bytes) -> Response | None:
    """Return None for a line that is torn or foreign."""
    try:
        data = json.loads(line) if 0 < len(line) <= _MAX_LINE_BYTES else None
        response = decode(Response, data)
        datetime.fromtimestamp(response.at, UTC)
    except (ValueError, OverflowError, OSError, RecursionError, DataError):
        return None
    return response
