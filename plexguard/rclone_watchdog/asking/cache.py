"""How full rclone's cache is, and whether its disk has room."""

import contextlib
import os
from collections.abc import Callable
from typing import Any

from plexguard.rclone_watchdog.asking.rc import Line, Rc, to_number
from plexguard.rclone_watchdog.observe import Cache

_LIMIT_S = 10.0
# How long what rclone says of it is good for.
_STATS_S = 30.0
# With less than that free rclone cannot keep what a reader asks for, and fails the read. 1.60.1 itself never says so: on a full
# disk it gave EIO for each file not kept before, and outOfSpace stayed false.
_NO_ROOM_BYTES = 16 << 20


class CacheReader:
    """Asks rclone seldom, and its disk each time, which costs no request. now: seconds on the monotonic clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._stats: dict[str, Any] = {}
        self._asked_s = float("-inf")

    def read(self, rc: Rc, line: Line) -> Cache | None:
        """Raises RcError."""
        if self._now() - self._asked_s >= _STATS_S:
            self._stats = rc.call("vfs/stats", {}, timeout_s=_LIMIT_S, line=line)
            self._asked_s = self._now()
        return read_cache(self._stats)


def read_cache(stats: dict[str, Any]) -> Cache | None:
    """Return rclone's cache from its vfs/stats, None when it has none."""
    disk, options = stats.get("diskCache"), stats.get("opt")
    if not isinstance(disk, dict):
        return None
    limit = to_number(options.get("CacheMaxSize")) if isinstance(options, dict) else 0
    is_full, free = disk.get("outOfSpace") is True, 0
    with contextlib.suppress(OSError):
        place = os.statvfs(str(disk.get("path", "")))
        free = place.f_bavail * place.f_frsize
        is_full = is_full or free < _NO_ROOM_BYTES
    return Cache(
        used_bytes=to_number(disk.get("bytesUsed")),
        limit_bytes=max(0, limit),
        free_bytes=free,
        is_full=is_full,
    )
