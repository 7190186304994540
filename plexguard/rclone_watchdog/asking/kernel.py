"""What the kernel tells of a mount, without asking the mount: nothing here can hang."""

import os
import select
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.mounts import unescape
from plexguard.rclone_watchdog.config import Mount
from plexguard.rclone_watchdog.observe import Kernel

# What plexguard covers a mount point with; nothing else has a source of that name.
COVER_SOURCE = "plexguard-cover"
RCLONE_TYPE = "fuse.rclone"
_CONNECTIONS = Path("/sys/fs/fuse/connections")


@dataclass(frozen=True, slots=True, kw_only=True)
class MountLine:
    """A line of proc_pid_mountinfo(5). number: of the mount itself, which no later one has while this one is there."""

    number: int
    device: str
    path: str
    type: str
    source: str

    @property
    def minor(self) -> str:
        """Return the name of its folder in /sys/fs/fuse/connections."""
        return self.device.partition(":")[2]


def find_lines(text: str, mount_point: str) -> tuple[MountLine, ...]:
    """Return what is mounted at exactly a path, the topmost last."""
    # The table of a machine with containers has hundreds of lines: only those with the name in them are taken apart.
    name = escape(mount_point)
    return tuple(line for row in text.split("\n") if f" {name} " in row and (line := _parse(row)) and line.path == mount_point)


def escape(path: str) -> str:
    """Return a path as the kernel writes it into its tables."""
    for character in "\\ \t\n":
        path = path.replace(character, f"\\{ord(character):03o}")
    return path


def _parse(row: str) -> MountLine | None:
    before, separator, after = row.partition(" - ")
    fields, rest = before.split(" "), after.split(" ")
    if not separator or len(fields) < 5 or len(rest) < 2:
        return None
    return MountLine(
        number=int(fields[0]), device=fields[2], path=unescape(fields[4]), type=unescape(rest[0]), source=unescape(rest[1])
    )


def is_expected(line: MountLine, mount: Mount) -> bool:
    """Tell whether that is our mount: of rclone, and from that remote. Of a mount of others nothing is known to expect."""
    if not mount.is_ours:
        return True
    return line.type == RCLONE_TYPE and line.source in (mount.remote, mount.remote.rstrip("/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process as proc_pid_stat(5) has it. started: in ticks since boot, which tells it from a later one of that number."""

    pid: int
    state: str
    started: int


def read_process(pid: int, *, proc: Path = Path("/proc")) -> Process | None:
    """Return a process; None when it has ended, also when nobody has taken note of that yet."""
    try:
        text = _read_short(f"{proc}/{pid}/stat")
    except OSError:
        return None
    # The name may hold blanks and brackets itself.
    fields = text.rpartition(")")[2].split()
    return Process(pid=pid, state=fields[0], started=int(fields[19])) if len(fields) > 19 and fields[0] not in "ZX" else None


def _read_short(path: str) -> str:
    """Return a file of the kernel's that has one line. It is read each second: by pathlib that took twice as long."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 4096).decode("utf-8", "surrogateescape")
    finally:
        os.close(fd)


class MountTable:
    """The mount table of this process, read anew only when the kernel says that it has changed."""

    def __init__(self) -> None:
        self._fd = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLPRI)
        self._text = self._read()

    def read(self) -> str:
        # Asked first and read then: a change in between is told at the next look.
        if self._poll.poll(0):
            self._text = self._read()
        return self._text

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _read(self) -> str:
        os.lseek(self._fd, 0, os.SEEK_SET)
        pieces = []
        while piece := os.read(self._fd, 1 << 16):
            pieces.append(piece)
        return b"".join(pieces).decode("utf-8", "surrogateescape")


class KernelWatch:
    """What the kernel has told of one mount, look by look."""

    def __init__(self, mount: Mount, *, table: MountTable, connections: Path = _CONNECTIONS, proc: Path = Path("/proc")) -> None:
        self._mount = mount
        self._table = table
        self._connections = connections
        self._proc = proc
        self._known: tuple[int, str] | None = None
        self._since_s = 0.0
        self._waiting_since_s: float | None = None
        self._process: Process | None = None

    def look(self, now_s: float, *, rclone_pid: int = 0) -> Kernel:
        """rclone_pid: as rclone's own file says, 0 when there is none."""
        lines = find_lines(self._table.read(), self._mount.mount_point)
        shown = [line for line in lines if line.source != COVER_SOURCE]
        line = shown[-1] if shown else None
        process = self._find_process(rclone_pid)
        waiting = self._count_waiting(line, now_s)
        self._note(line, now_s)
        return Kernel(
            is_mounted=line is not None,
            is_expected=line is not None and is_expected(line, self._mount),
            type=line.type if line else "",
            source=line.source if line else "",
            device=line.device if line else "",
            since_s=self._since_s,
            waiting=waiting,
            waiting_since_s=self._waiting_since_s,
            rclone_pid=process.pid if process else 0,
            rclone_state=process.state if process else "",
            is_covered=bool(lines) and lines[-1].source == COVER_SOURCE,
        )

    def _note(self, line: MountLine | None, now_s: float) -> None:
        found = (line.number, line.device) if line else None
        if found != self._known:
            self._known, self._since_s = found, now_s

    def _count_waiting(self, line: MountLine | None, now_s: float) -> int | None:
        """Return how many requests the FUSE program has not answered; None for other types, and where that may not be read."""
        count = self._read_waiting(line) if line and line.type.startswith("fuse") else None
        if not count or (line and (line.number, line.device) != self._known):
            self._waiting_since_s = None
        if count and self._waiting_since_s is None:
            self._waiting_since_s = now_s
        return count

    def _read_waiting(self, line: MountLine) -> int | None:
        try:
            return int(_read_short(f"{self._connections}/{line.minor}/waiting"))
        except (OSError, ValueError):
            return None

    def _find_process(self, pid: int) -> Process | None:
        """Return rclone; a process that has its number after it has ended is not taken for it."""
        found = read_process(pid, proc=self._proc) if pid else None
        if found and self._process and found.pid == self._process.pid and found.started != self._process.started:
            return None
        self._process = found or self._process
        return found
