"""Whether packages, or Plex inside its container, are being updated just now: by what any user of this machine can see.

Plex's own /updater/status is no help on Linux: there it announces updates and never makes one.
"""

import os
from pathlib import Path

from plexguard.core.found import FoundContainer
from plexguard.core.processes import find_in_container, is_plex, read_comm

DPKG_LOCKS = (Path("/var/lib/dpkg/lock-frontend"), Path("/var/lib/dpkg/lock"))
LOCK_TABLE = Path("/proc/locks")
# What the command lines of an image's own start show before there is a Plex process: its scripts that set up and update
# (plexinc, linuxserver, hotio), and what these run. No "curl" alone: the image's health check runs that all the time.
_PREPARING = ("/cont-init.d/", "init-plex", "plex-update", "plex-first-run", "plexmediaserver.deb", "dpkg", "apt-get")


def find_update(container: FoundContainer | None, *, locks: tuple[Path, ...] = DPKG_LOCKS, table: Path = LOCK_TABLE) -> str:
    """Return what shows that an update is at work, as a phrase; "" when nothing does.

    container: Plex's, where it runs in one. One that prepares itself has no Plex process yet, for minutes when it downloads
    one: who restarts it then starts the download again.
    """
    return find_package_work(locks=locks, table=table) or (find_preparation(container) if container is not None else "")


def find_package_work(*, locks: tuple[Path, ...] = DPKG_LOCKS, table: Path = LOCK_TABLE) -> str:
    """Return who holds a lock of dpkg or apt, "" when nobody does.

    A lock is known by its inode alone, since the table names another device than stat(2) on overlayfs and btrfs. A file of
    the same number elsewhere may so be taken for it, which only makes us wait. With no table nothing can be told.
    """
    wanted = {inode: path for path in locks if (inode := _find_inode(path))}
    for pid, inode in parse_locks(_read(table)):
        if inode in wanted:
            return f"{read_comm(pid) or 'a package manager'} (pid {pid}) holds {wanted[inode]}"
    return ""


def parse_locks(table: str) -> tuple[tuple[int, int], ...]:
    """Parse /proc/locks (proc(5)): the process and inode of each write lock that is held, those that are waited for left out."""
    rows = (line.split() for line in table.splitlines())
    return tuple(
        (int(row[4]), int(row[5].rpartition(":")[2])) for row in rows if len(row) >= 8 and row[1] == "POSIX" and row[3] == "WRITE"
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


def _find_inode(path: Path) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def _read(table: Path) -> str:
    try:
        return table.read_text(encoding="ascii")
    except OSError:
        return ""
