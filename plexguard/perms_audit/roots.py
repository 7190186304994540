"""Which folders may be audited at all, and whether they are there: pure answers from names and the mount table."""

import os
from dataclasses import dataclass
from enum import Enum

from plexguard.core.mounts import MountPoint, is_below


class RootFault(Enum):
    """Why a root was not audited, or not wholly. Never the same as "all well"."""

    MISSING = "there is no such folder"
    NOT_A_FOLDER = "not a folder"
    UNREADABLE = "this user may not read it"
    EMPTY = "no file at all in it (is its disk mounted?)"
    NOT_MOUNTED = "not mounted"
    SYSTEM_FOLDER = "a folder of the system, whose files must not be opened to everybody"
    FOREIGN_LINK = "it leads through a link that others than root can change"
    PRIVATE = "it belongs to root, is closed to all others, and only Plex names it a library: name it in roots if it holds media"
    NO_ALLOW_OTHER = "mounted without allow_other, so that only who mounted it may read it"
    HUNG = "no answer, its file system hangs"
    FAILED = "it cannot be walked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A folder to audit.

    path: with symlinks resolved. fault: why it must not be walked, if so. part_missing: a mount that belongs below it and is
    not there: the rest is walked. configured: an administrator named it, and not only Plex. remote: the type of the network
    or FUSE file system it lies on, "" for a local one. apart: paths below it, from it, that are roots of their own.
    only: these files of the folder alone. seen_from: the folder from which Plex comes to it, a container's by a bind mount;
    folders above that are not in its way.
    """

    path: str
    fault: RootFault | None = None
    part_missing: str = ""
    configured: bool = True
    remote: str = ""
    apart: frozenset[str] = frozenset()
    only: tuple[str, ...] = ()
    seen_from: str = "/"

    def full_path(self, path: str) -> str:
        """Return a path below the root, "" for the root itself, as an absolute one."""
        return f"{self.path.rstrip('/')}/{path}" if path else self.path


# Nobody's media; adding read bits below any of these would publish keys and passwords. A library that somebody
# points at one of them, by mistake or not, must not make root do that.
_SYSTEM_FOLDERS = ("/etc", "/usr", "/boot", "/root", "/proc", "/sys", "/dev", "/bin", "/sbin", "/lib", "/lib64", "/efi")
_SYSTEM_PARENTS = ("/", "/home", "/var", "/run", "/opt")
_SYSTEM_STATE = ("/run", "/var/lib", "/var/log", "/var/cache", "/var/spool", "/var/backups", "/var/mail", "/var/www")
# Where removable disks appear.
_MEDIA_IN_STATE = ("/run/media", "/run/mount")


def normalise(path: str) -> str:
    """Return an absolute path without "..", doubled slashes and the like, as text alone."""
    return os.path.normpath("/" + path.lstrip("/"))


def is_system_folder(path: str) -> bool:
    """Tell whether a path is a folder of the system, or holds one, or is somebody's whole home."""
    if path in _SYSTEM_PARENTS or any(is_below(path, folder) for folder in _SYSTEM_FOLDERS):
        return True
    if any(is_below(path, folder) for folder in _MEDIA_IN_STATE):
        return False
    return any(is_below(path, folder) or is_below(folder, path) for folder in _SYSTEM_STATE) or _is_home(path)


def is_private(root: Root, mode: int, uid: int) -> bool:
    """Tell whether a root that Plex cannot list is root's own affair, or that of a group: who administers Plex must not have
    root open it by calling it a library."""
    return not root.configured and uid == 0 and not mode & 0o007


def _is_home(path: str) -> bool:
    parts = path.strip("/").split("/")
    # /home/anna holds .ssh; /home/anna/Videos is media, /home/anna/.cache is not.
    return parts[0] == "home" and (len(parts) < 3 or parts[2].startswith("."))


def find_unmounted(root: str, mounts: tuple[MountPoint, ...], fstab: tuple[MountPoint, ...], last_mount: str) -> str:
    """Return the mount point that a root needs and that is not there, or "".

    Needed is what fstab(5) names at or above the root, what it names below without noauto (a disk that is plugged in now
    and then), and what the root was on when it was last audited.
    """
    present = {mount.path for mount in mounts}
    above = [mount.path for mount in fstab if is_below(root, mount.path)]
    needed = [*above, *(mount.path for mount in fstab if is_below(mount.path, root) and not mount.is_optional)]
    if last_mount and is_below(root, last_mount):
        needed.append(last_mount)
    # The outermost: without it, those below it mean nothing.
    return min((path for path in needed if path != "/" and path not in present), key=len, default="")
