"""Cover a mount point, by the right to mount, with an empty folder: for who would look where no mount is."""

import ctypes
import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from plexguard.rclone_watchdog.asking.kernel import COVER_SOURCE, MountLine, find_lines
from plexguard.rclone_watchdog.mounting.clear import open_parent, unmount_in

_TABLE = Path("/proc/self/mountinfo")
# mount(2): nothing can be written to it, nor run from it.
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_LIBC = ctypes.CDLL(None, use_errno=True)
_TYPE = "tmpfs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the watchdog publishes of it. cover: whether the cover is to lie there now."""

    cover: bool = False


class Step(Enum):
    NOTHING = "nothing"
    COVER = "cover"
    UNCOVER = "uncover"


def decide(lines: tuple[MountLine, ...], wish: Wish | None, *, is_configured: bool) -> Step:
    """Return what makes it so. lines: what is mounted there, the topmost last. wish: None where nobody has said:
    then what lies there stays, as long as it may lie there at all."""
    is_covered = bool(lines) and is_cover(lines[-1])
    wanted = is_configured and (is_covered if wish is None else wish.cover)
    if wanted == is_covered:
        return Step.NOTHING
    return Step.COVER if wanted else Step.UNCOVER


def is_cover(line: MountLine) -> bool:
    return line.source == COVER_SOURCE and line.type == _TYPE


def cover(mount_point: str, mode: int, uid: int, gid: int) -> None:
    """Raises OSError.

    While somebody lists the top of a mount that hangs, mount(2) waits for the lock of that folder, and nothing ends the wait: the
    cover lies there when the listing is over (tried with Linux 6.18).
    """
    with open_parent(mount_point, makes=False) as parent:
        # Relative to a folder that was reached without a link. The place itself is not looked at: a mount may hang there.
        os.fchdir(parent)
        options = f"mode={mode:o},uid={uid},gid={gid},size=4k,nr_inodes=2"
        flags = _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
        name = os.fsencode(os.path.basename(mount_point))
        if _LIBC.mount(COVER_SOURCE.encode(), name, _TYPE.encode(), flags, options.encode()) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), mount_point)


def uncover(mount_point: str) -> None:
    """Take the cover away, and nothing else. Raises OSError."""
    with open_parent(mount_point, makes=False) as parent:
        lines = read_lines(mount_point)
        if lines and is_cover(lines[-1]):
            unmount_in(parent, os.path.basename(mount_point))


def read_lines(mount_point: str, table: Path = _TABLE) -> tuple[MountLine, ...]:
    return find_lines(table.read_text(encoding="utf-8", errors="surrogateescape"), mount_point)
