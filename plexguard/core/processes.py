"""A view of the process table, through psutil: is there a Plex, what is it doing, what runs in its container."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# comm is cut to 15 characters; the real name is "Plex Media Server".
_PLEX_COMM = "Plex Media Serv"
_SCANNER_COMM = "Plex Media Scan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process. state: psutil's word (running, sleeping, disk-sleep, zombie ...). command: its arguments, as one line."""

    pid: int
    name: str
    state: str
    uid: int
    command: str = ""

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid}, {self.state})"


def is_plex(process: Process) -> bool:
    """Tell whether a process is a server, and not one of those that it starts."""
    return process.name.startswith(_PLEX_COMM)


def find_plex() -> tuple[Process, ...]:
    """Return every Plex Media Server process on the machine, those in containers included."""
    return tuple(process for process in _processes(with_command=False) if is_plex(process))


def is_scanner(process: Process) -> bool:
    """Tell whether a process is a Plex Media Scanner."""
    return process.name.startswith(_SCANNER_COMM)


def find_in_container(container_id: str) -> tuple[Process, ...]:
    """Return the processes of a container, by the full id of it that their cgroups are named after."""
    return tuple(process for process in _processes() if container_id in read_cgroup(process.pid))


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What runs in a container. has_plex: None when nothing of it can be seen. plex_started_s: when its Plex was started, in
    seconds of CLOCK_BOOTTIME: an image's own supervisor does that long after the container's start, or again and again."""

    has_plex: bool | None = None
    plex_started_s: float | None = None


def look_inside(container_id: str) -> Inside:
    """Look at the processes of a container."""
    processes = find_in_container(container_id) if container_id else ()
    plexes = [process for process in processes if is_plex(process)]
    starts = (_read_start_s(process.pid) for process in plexes)
    # "Plex SQLite" is the server's program too, and younger.
    started_s = min((start for start in starts if start is not None), default=None)
    return Inside(has_plex=bool(plexes) if processes else None, plex_started_s=started_s)


def _read_start_s(pid: int) -> float | None:
    # The name in brackets may hold anything; field 22 is the start, in clock ticks since boot (proc(5)).
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK") if len(fields) > 19 else None


def read_comm(pid: int) -> str:
    """Return a process's name, "" when there is none or it may not be told."""
    return _read(f"/proc/{pid}/comm").strip()


def read_cgroup(pid: int) -> str:
    """Return what a process runs in, as cgroups(7) writes it; "" when there is none or it may not be told."""
    return _read(f"/proc/{pid}/cgroup")


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _processes(*, with_command: bool = True) -> Iterator[Process]:
    """with_command: asking for it waits for a process that waits for a disk."""
    import psutil  # 20 ms of CPU that a healthy tick does not need

    for process in psutil.process_iter(["name", "status", "uids", *(["cmdline"] if with_command else [])]):
        found = process.info
        yield Process(
            pid=process.pid,
            name=found["name"] or "",
            state=found["status"] or "",
            uid=found["uids"].real if found["uids"] else -1,
            command=" ".join(found.get("cmdline") or ()),
        )
