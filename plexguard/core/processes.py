"""A view of the process table, through psutil: is there a Plex, what is it doing, and does a package manager work."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# comm is cut to 15 characters; the real name is "Plex Media Server".
_PLEX_COMM = "Plex Media Serv"
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


def packages_are_changing(locks_text: str | None = None) -> bool:
    """Tell whether dpkg or apt works just now: somebody holds one of their locks.

    Lock owners are compared by device and inode, which needs no right to open the files. locks_text: what /proc/locks
    holds, for tests.
    """
    text = locks_text if locks_text is not None else Path("/proc/locks").read_text(encoding="ascii")
    held = {fields[5] for fields in map(str.split, text.splitlines()) if len(fields) > 5 and fields[1] != "->"}
    return any(_lock_name(path) in held for path in _DPKG_LOCKS)


def _lock_name(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
