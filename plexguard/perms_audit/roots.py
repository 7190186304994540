"""Which folders may be audited at all, and whether they are there: pure answers from names and the mount table."""

import os
from dataclasses import dataclass
from enum import Enum


class RootFault(Enum):
    """Why a root was not audited, or not wholly. Never the same as "all well"."""

    MISSING = "there is no such folder"
    NOT_A_FOLDER = "not a folder"
    UNREADABLE = "this user may not read it"
    EMPTY = "no file at all in it (is its disk mounted?)"
    NOT_MOUNTED = "not mounted"
    NOT_PROVEN = "its mount is not proven to be alive (plexguard-rclone-watchdog)"
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
    folders above that are not in its way. guarded: the mount point of plexguard-rclone-watchdog(8) that it must lie on, "" for
    none: the folder below a mount is kept closed on purpose.
    """

    path: str
    fault: RootFault | None = None
    part_missing: str = ""
    configured: bool = True
    remote: str = ""
    apart: frozenset[str] = frozenset()
    only: tuple[str, ...] = ()
    seen_from: str = "/"
    guarded: str = ""

    def full_path(self, path: str) -> str:
        """Return a path below the root, "" for the root itself, as an absolute one."""
        return f"{self.path.rstrip('/')}/{path}" if path else self.path


def normalise(path: str) -> str:
    """Return an absolute path without "..", doubled slashes and the like, as text alone."""
    return os.path.normpath("/" + path.lstrip("/"))


def is_private(root: Root, mode: int, uid: int) -> bool:
    """Tell whether a root that Plex cannot list is root's own affair, or that of a group: who administers Plex must not have
    root open it by calling it a library."""
    return not root.configured and uid == 0 and not mode & 0o007
