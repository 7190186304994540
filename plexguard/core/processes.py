"""A view of the process table, through psutil: is there a Plex, what is it doing, and does a package manager work."""

import fcntl
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# comm is cut to 15 characters; the real name is "Plex Media Server".
_PLEX_COMM = "Plex Media Serv"
_FLOCK = "hhqqi"
_DPKG_LOCKS = (Path("/var/lib/dpkg/lock-frontend"), Path("/var/lib/dpkg/lock"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process. state: psutil's word (running, sleeping, disk-sleep, zombie ...)."""

    pid: int
    name: str
    state: str
    uid: int

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid}, {self.state})"


def find_plex() -> tuple[Process, ...]:
    """Return every Plex Media Server process on the machine, those in containers included."""
    return tuple(process for process in _processes() if process.name.startswith(_PLEX_COMM))


def _processes() -> Iterator[Process]:
    import psutil  # 20 ms of CPU that a healthy tick does not need

    for process in psutil.process_iter(["name", "status", "uids"]):
        found = process.info
        yield Process(
            pid=process.pid, name=found["name"] or "", state=found["status"] or "", uid=found["uids"].real if found["uids"] else -1
        )


def packages_are_changing(locks: tuple[Path, ...] = _DPKG_LOCKS) -> bool:
    """Tell whether dpkg or apt works just now: somebody holds one of their locks. Needs root, who may open them.

    The kernel is asked by fcntl(2), F_GETLK. The table /proc/locks needs no right, but names the device of the file system
    where stat(2) names another, on overlayfs and btrfs.
    """
    return any(_is_held(path) for path in locks)


def _is_held(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        # struct flock: type, whence, start, length (0: to the end), pid.
        answer = fcntl.fcntl(fd, fcntl.F_GETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    finally:
        os.close(fd)
    return bool(struct.unpack(_FLOCK, answer)[0] != fcntl.F_UNLCK)
