"""The mounts that plexguard-rclone-watchdog(8) guards, for the programs whose work lies on them: where they are, and which of
them are not proven just now.

By the configuration, the mount table and what the watchdog has published; no mount is asked, since one that hangs hangs whoever
asks it.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from plexguard.core import config
from plexguard.core.clock import Moment
from plexguard.core.config import Settings
from plexguard.core.mounts import MountPoint, is_below
from plexguard.core.options import FOLDER
from plexguard.core.published import MOUNTS, MountSeen, Reading
from plexguard.core.state import STATE_ROOT

SECTION = "rclone"
# Who owns the folders below the mounts, and the covers over them.
OWNER = "plexguard-media"
# The watchdog publishes each change at once, and that all is as before every ten seconds.
FRESH_S = 60.0
# Words of plexguard-rclone-watchdog(8).
_HANGING = frozenset({"hung", "degraded", "refusing"})
# A cover of the watchdog's, over a mount point whose mount is not proven. No media lie in memory.
COVER_TYPE = "tmpfs"
# What is mounted on a guarded mount point can hang and be gone, whatever the table says of it just now.
_TYPE = "fuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unproven:
    """A guarded mount of which its watchdog does not say that it is alive. verdict: in one word, "unknown" when nothing is known.
    why: as a clause. since: of the verdict, None when that is not known."""

    name: str
    mount_point: str
    verdict: str
    why: str
    since: Moment | None = None

    @property
    def may_hang(self) -> bool:
        """Whether who reads from it waits, perhaps for ever. A mount that is gone answers everybody at once, with an error; of one
        that nobody watches any more nothing is known, and nothing is excused with it."""
        return self.verdict in _HANGING


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """mount_points: of all guarded mounts, by name. unproven: those that are not proven."""

    mount_points: Mapping[str, str]
    unproven: tuple[Unproven, ...] = ()

    def find(self, path: str) -> str:
        """Return the mount point of the guarded mount that a path lies on, or would, "" for none. By name alone."""
        return max((point for point in self.mount_points.values() if is_below(path, point)), key=len, default="")

    def names_of(self, mount_point: str) -> tuple[str, ...]:
        """Return the names of who is mounted there."""
        return tuple(name for name, point in self.mount_points.items() if point == mount_point)

    def find_below(self, path: str) -> tuple[str, ...]:
        """Return the mount points in a folder, itself left out."""
        return tuple(sorted({p for p in self.mount_points.values() if p != path and is_below(p, path)}))

    def find_unproven(self, path: str) -> Unproven | None:
        """Return the mount that a path lies on, if it is not proven."""
        point = self.find(path)
        return next((mount for mount in self.unproven if mount.mount_point == point), None)

    def find_unproven_for(self, folders: Iterable[str]) -> tuple[Unproven, ...]:
        """Return the mounts that hold any of some folders, or lie in one, and are not proven."""
        wanted = tuple(folders)
        return tuple(
            mount
            for mount in self.unproven
            if any(is_below(path, mount.mount_point) or is_below(mount.mount_point, path) for path in wanted)
        )

    def without_covers(self, mounts: Iterable[MountPoint]) -> tuple[MountPoint, ...]:
        """Return the table as it is below the covers: such a mount point has nothing mounted."""
        points = frozenset(self.mount_points.values())
        return tuple(mount for mount in mounts if mount.type != COVER_TYPE or mount.path not in points)

    def as_mounts(self) -> tuple[MountPoint, ...]:
        """Return them as a mount table would show them if all were there."""
        return tuple(MountPoint(path=point, type=_TYPE) for point in dict.fromkeys(self.mount_points.values()))


NONE_GUARDED = Guarded(mount_points={})


def read_guarded(path: Path, now: Moment, root: Path = STATE_ROOT) -> Guarded:
    """Return the guarded mounts of a configuration file. What else is wrong in it is not told here."""
    return look(find_mount_points(config.read(path, os.environ)), now, root)


def find_mount_points(settings: Settings) -> dict[str, str]:
    """Return the mount points of [rclone.NAME], by name, whatever else of such a section is wrong: what it names is to be left
    alone all the same."""
    return {name: point for name, text in settings.texts_below(SECTION, "mount_point").items() if (point := _parse(text))}


def _parse(text: str) -> str:
    try:
        return FOLDER.parse(text)
    except ValueError:
        return ""


def look(mount_points: Mapping[str, str], now: Moment, root: Path = STATE_ROOT) -> Guarded:
    """Return these mounts with those that are not proven. One that no watchdog has ever looked at is not among them: nobody
    proves it, and only the mount table tells of it."""
    seen = dict(MOUNTS.look_each(root)) if mount_points else {}
    judged = (_judge(name, point, seen[name], now) for name, point in mount_points.items() if name in seen)
    return Guarded(mount_points=mount_points, unproven=tuple(mount for mount in judged if mount is not None))


def find_fault_since(name: str, since: Moment, root: Path = STATE_ROOT) -> str:
    """Return what was wrong with a mount that is proven by now, "" when nothing was since then. A mount that dies and is made anew
    may be away for a second."""
    seen = dict(MOUNTS.look_each(root)).get(name)
    record = seen.record if seen is not None else None
    if record is None or record.fault_at is None or not record.fault_at.is_of_boot_of(since):
        return ""
    return record.fault if record.fault_at.uptime_s >= since.uptime_s else ""


def _judge(name: str, point: str, reading: Reading[MountSeen], now: Moment) -> Unproven | None:
    seen = reading.record
    if seen is None or seen.checked is None:
        return Unproven(name=name, mount_point=point, verdict="unknown", why=reading.why or "it has not been looked at yet")
    # A boot unmounts everything, however short a time ago it was proven.
    if not now.is_of_boot_of(seen.checked):
        return Unproven(name=name, mount_point=point, verdict="unknown", why="it has not been looked at since this machine started")
    silent_s = now.seconds_since(seen.checked)
    if silent_s > FRESH_S:
        return Unproven(name=name, mount_point=point, verdict="unknown", why=f"its watchdog last looked {silent_s:.0f} s ago")
    if seen.path != point:
        return Unproven(name=name, mount_point=point, verdict="unknown", why=f"its watchdog looks at {seen.path}")
    if seen.verdict in ("proven", "slow"):
        return None
    why = f"{seen.verdict}: {seen.detail}" if seen.detail else seen.verdict
    return Unproven(name=name, mount_point=point, verdict=seen.verdict, why=why, since=seen.since)
