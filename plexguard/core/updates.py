"""Whether packages, or Plex inside its container, are being updated just now: by what any user of this machine can see.

Plex's own /updater/status is no help on Linux: there it announces updates and never makes one.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.found import FoundContainer
from plexguard.core.processes import find_in_container, is_plex, read_comm

DPKG_LOCKS = (Path("/var/lib/dpkg/lock-frontend"), Path("/var/lib/dpkg/lock"))
LOCK_TABLE = Path("/proc/locks")
# The names of package managers, and of what those are written in.
_PACKAGE_TOOLS = ("apt", "dpkg", "unattended-upgr", "packagekit", "synaptic", "python3", "perl", "frontend")
# What the command lines of an image's own start show before there is a Plex process: its scripts that set up and update
# (plexinc, linuxserver, hotio), and what these run. No "curl" alone: the image's health check runs that all the time.
_PREPARING = (
    *("cont-init.d/", "init-plex", "init-mods", "init-custom-files", "plex-update", "plex-first-run", "plexmediaserver.deb"),
    *("dpkg", "apt-get"),
)


def find_update(container: FoundContainer | None, *, locks: tuple[Path, ...] = DPKG_LOCKS, table: Path = LOCK_TABLE) -> str:
    """Return what shows that an update is at work, as a phrase; "" when nothing does.

    container: Plex's, where it runs in one. One that prepares itself has no Plex process yet, for minutes when it downloads
    one: who restarts it then starts the download again.
    """
    return find_package_work(locks=locks, table=table) or (find_preparation(container) if container is not None else "")


def find_package_work(*, locks: tuple[Path, ...] = DPKG_LOCKS, table: Path = LOCK_TABLE) -> str:
    """Return who holds a lock of dpkg or apt, "" when nobody does.

    The table names another device than stat(2) on overlayfs and btrfs. There a lock is known by its inode and by the name of
    who holds it: the number alone may be another file's, a database's that is locked for ever. With no table nothing is told.
    """
    wanted = {status.st_ino: (path, status.st_dev) for path in locks if (status := _stat(path)) is not None}
    for lock in parse_locks(_read(table)):
        path, device = wanted.get(lock.inode, (None, 0))
        holder = read_comm(lock.pid)
        if path is not None and (lock.device == device or holder.startswith(_PACKAGE_TOOLS)):
            return f"{holder or 'a package manager'} (pid {lock.pid}) holds {path}"
    return ""


# "1: POSIX  ADVISORY  WRITE 4711 fe:01:97 0 EOF"; without an inode the place is "<none>:0".
_LOCK = re.compile(
    r"\d+:\s+POSIX\s+\w+\s+WRITE\s+(?P<pid>\d+)\s+(?P<major>[0-9a-f]+):(?P<minor>[0-9a-f]+):(?P<inode>\d+)\s.*", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Lock:
    """A write lock that is held. device: of the file system, as stat(2) would number it."""

    pid: int
    device: int
    inode: int


def parse_locks(table: str) -> tuple[Lock, ...]:
    """Parse /proc/locks (proc(5)): the write locks of fcntl(2) that are held; those that are waited for are left out."""
    found = (_LOCK.fullmatch(line.strip()) for line in table.splitlines())
    return tuple(
        Lock(int(row["pid"]), os.makedev(int(row["major"], 16), int(row["minor"], 16)), int(row["inode"])) for row in found if row
    )


def find_preparation(container: FoundContainer) -> str:
    """Return what a container's own start is doing before it starts Plex, "" when it does nothing of the kind."""
    if container.status != "running" or not container.id:
        return ""
    processes = find_in_container(container.id)
    if any(is_plex(process) for process in processes):
        return ""
    found = next((p for p in processes if any(word in p.command for word in _PREPARING)), None)
    return f"container {container.name} prepares itself: {found.name} (pid {found.pid})" if found is not None else ""


def _stat(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None


def _read(table: Path) -> str:
    try:
        return table.read_text(encoding="ascii")
    except OSError:
        return ""
