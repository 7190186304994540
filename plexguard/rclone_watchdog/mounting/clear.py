"""Make way at a mount point, as root: whatever is mounted there goes, and the bare folder is one that does Plex no harm.

Nothing here looks into a mount: it may hang. A path is walked by descriptors, and no symbolic link of it is followed: who owns a
folder above could lead root elsewhere by one.
"""

import contextlib
import ctypes
import errno
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.errors import PlexguardError, SystemRefused
from plexguard.core.folders import is_system_folder
from plexguard.core.mounts import MountPoint, is_below, mount_of
from plexguard.rclone_watchdog.asking.kernel import COVER_SOURCE, RCLONE_TYPE, MountLine, find_lines

_CONNECTIONS = Path("/sys/fs/fuse/connections")
_TABLE = Path("/proc/self/mountinfo")
# umount2(2)
_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8
_LIBC = ctypes.CDLL(None, use_errno=True)
# More lie on one another only while somebody mounts as fast as they are unmounted.
_MOST_MOUNTS = 64
_MOST_STRAYS = 10_000
_OPEN, _SHUT = 0o755, 0o700


class PlaceRefused(PlexguardError):
    """Nothing can be mounted at that place."""

    exit_code = os.EX_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class Bare:
    """The folder of a mount while nothing is mounted. is_ours: nobody else can write to it. strays: what lies in it. sample: one
    of them."""

    is_ours: bool
    strays: int = 0
    sample: str = ""


def check_place(path: str, mounts: tuple[MountPoint, ...]) -> None:
    """Raises PlaceRefused for a folder of the system, and for one that lies in a mount which may hang itself."""
    if is_system_folder(path):
        raise PlaceRefused(f"{path}: a folder of the system", hint="editor /etc/plexguard/plexguard.toml")
    around = mount_of(os.path.dirname(path), mounts)
    if around.is_remote:
        raise PlaceRefused(
            f"{path}: lies in a mount of its own ({around.type} at {around.path}), which would hang both",
            hint="editor /etc/plexguard/plexguard.toml",
        )


def check_way(path: str) -> None:
    """Raises PlaceRefused where a link, or a file, is in the way to a mount point, or this user may not come there. What is not
    there yet is in nobody's."""
    try:
        with open_parent(path, makes=False) as parent:
            os.close(_step(parent, os.path.basename(path), path, makes=False))
    except FileNotFoundError:
        return
    except OSError as error:
        raise PlaceRefused(
            f"{path}: the user of the mounts cannot come there: {error.strerror}", hint=f"namei -l {path}"
        ) from error


def unmount(path: str, remotes: frozenset[str], *, connections: Path = _CONNECTIONS, table: Path = _TABLE) -> tuple[MountLine, ...]:
    """Unmount lazily all that is mounted at exactly that path, and return what was none of ours. remotes: of those that are.

    Who waits in a mount of ours is let go with an error. Raises SystemRefused, PlaceRefused and OSError.
    """
    strangers: dict[int, MountLine] = {}
    if not find_lines(table.read_text(encoding="utf-8", errors="surrogateescape"), path):
        return ()
    with open_parent(path, makes=False) as parent:
        for _ in range(_MOST_MOUNTS):
            lines = find_lines(table.read_text(encoding="utf-8", errors="surrogateescape"), path)
            if not lines:
                return tuple(strangers.values())
            top = lines[-1]
            if top.type == RCLONE_TYPE and top.source in remotes:
                _abort(top, connections)
            elif top.source != COVER_SOURCE:
                strangers[top.number] = top
            unmount_in(parent, os.path.basename(path))
    raise SystemRefused(f"Failed to unmount {path}: something is mounted there again and again", hint=f"findmnt {path}")


def pick_mode(mount_point: str, folders: Iterable[str]) -> int:
    """Return the mode of what is seen at a mount point while no mount is: of the bare folder, and of the cover. folders: of Plex's
    libraries, as paths of the host behind all links.

    What Plex takes for gone depends on what it meets. A library whose own folder is not there is left alone, which needs a folder
    above it that can be looked into; one that is empty, or cannot be listed, has lost all that was in it. So where a library is at
    the mount point or above it, or none is known, it is shut: an error may be read as a fault, an empty folder never is.
    """
    meeting = [folder for folder in folders if is_below(folder, mount_point) or is_below(mount_point, folder)]
    return _SHUT if not meeting or any(is_below(mount_point, folder) for folder in meeting) else _OPEN


def lay_bare(path: str, mode: int, uid: int, gid: int) -> Bare:
    """Have the bare folder be there, of that mode, and be nobody else's. What belongs to somebody else and holds something is left
    as it is.

    To be called when nothing is mounted there. Raises PlaceRefused and OSError.
    """
    name = os.path.basename(path)
    with open_parent(path, makes=True) as parent:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, _SHUT, dir_fd=parent)
        with _opened(name, parent, path) as folder:
            strays, sample = _count(folder)
            if strays and os.fstat(folder).st_uid != uid:
                return Bare(is_ours=False, strays=strays, sample=sample)
            os.fchown(folder, uid, gid)
            os.fchmod(folder, mode)
            return Bare(is_ours=True, strays=strays, sample=sample)


def _count(folder: int) -> tuple[int, str]:
    count, sample = 0, ""
    with os.scandir(folder) as entries:
        for entry in entries:
            count, sample = count + 1, sample or entry.name
            if count == _MOST_STRAYS:
                break
    return count, sample


def _abort(line: MountLine, connections: Path) -> None:
    # Without fusectl, or when it ended meanwhile: then what waits waits until its program is gone.
    with contextlib.suppress(OSError):
        (connections / line.minor / "abort").write_text("1", encoding="ascii")


def unmount_in(parent: int, name: str) -> None:
    """Unmount lazily what is on top at that name in a folder. Raises OSError."""
    # Relative to the folder that was reached without a link: no path is looked up again.
    os.fchdir(parent)
    if _LIBC.umount2(os.fsencode(name), _MNT_DETACH | _UMOUNT_NOFOLLOW) != 0:
        code = ctypes.get_errno()
        if code == errno.EINVAL:
            return  # somebody else was quicker
        raise OSError(code, os.strerror(code), name)


@contextlib.contextmanager
def open_parent(path: str, *, makes: bool) -> Iterator[int]:
    """Open the folder that a mount point lies in. makes: those that are missing are made."""
    folder = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in path.strip("/").split("/")[:-1]:
            deeper = _step(folder, name, path, makes=makes)
            os.close(folder)
            folder = deeper
        yield folder
    finally:
        os.close(folder)


def _step(folder: int, name: str, path: str, *, makes: bool) -> int:
    if makes:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=folder)
    try:
        return os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except NotADirectoryError as error:
        raise _no_folder(path, name) from error


@contextlib.contextmanager
def _opened(name: str, parent: int, path: str) -> Iterator[int]:
    try:
        folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except NotADirectoryError as error:
        raise _no_folder(path, name) from error
    try:
        yield folder
    finally:
        os.close(folder)


def _no_folder(path: str, name: str) -> PlaceRefused:
    return PlaceRefused(f"{path}: {name} is a symbolic link, or no folder: name the folder that is meant", hint=f"namei {path}")
