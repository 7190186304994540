"""What dpkg did to Plex's package, from its own log, which everybody may read: was Plex stopped by an update, and left so?

The package stops Plex before it is unpacked and starts it after it is configured. When that start is missed (a unit that was
asked for too often, a postinst that broke off), the unit is inactive just as after `systemctl stop`.
"""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from plexguard.core.clock import Clock
from plexguard.core.manager import Unit

DPKG_LOG = Path("/var/log/dpkg.log")
PACKAGE = "plexmediaserver"
# The log has whole seconds, and the service manager's stop comes a moment before or after a line.
_SLACK = timedelta(seconds=5)
_MAX_TAIL_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageRun:
    """The last time that dpkg worked on Plex's package. installed: it ended well, with the package whole."""

    began: datetime
    ended: datetime
    installed: bool


def was_stopped_by_update(unit: Unit, clock: Clock, log: Path = DPKG_LOG) -> bool:
    """Tell whether a unit that is inactive was stopped while its package was being updated, and is whole again."""
    if unit.left_active_s <= 0.0 or (run := parse_log(_read_tail(log))) is None:
        return False
    booted = clock.now() - timedelta(seconds=clock.monotonic_s())
    started, stopped = (booted + timedelta(seconds=moment_s) for moment_s in (unit.started_s, unit.left_active_s))
    # What was started after the update had begun was not left stopped by it: who stopped that meant it.
    return run.installed and started < run.began and run.began - _SLACK <= stopped <= run.ended + _SLACK


def parse_log(text: str) -> PackageRun | None:
    """Parse dpkg.log: local time, an action or "status STATE", the package with its architecture, versions."""
    began = ended = None
    state = ""
    for line in text.splitlines():
        words = line.split()
        if len(words) < 4 or PACKAGE not in (words[3].partition(":")[0], words[-2].partition(":")[0]):
            continue
        time = _parse_time(f"{words[0]} {words[1]}")
        if time is None:
            continue
        if words[2] in ("install", "upgrade") or (words[2] == "configure" and state in ("", "installed")):
            began = time
        elif words[2] == "remove":
            began = None
        elif words[2] == "status":
            ended, state = time, words[3]
    if began is None or ended is None or ended < began:
        return None
    return PackageRun(began=began, ended=ended, installed=state == "installed")


def _parse_time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").astimezone()
    except ValueError:
        return None


def _read_tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _MAX_TAIL_BYTES))
            return file.read(_MAX_TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
