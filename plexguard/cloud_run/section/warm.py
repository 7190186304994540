"""Read the beginning of many files at once, so that a mount has them in its cache before an analysis asks for each in turn.

How many at once is found out: more, as long as that brings more. What could not be read is counted by its kind, and nothing of it
is thrown away: files that are missing were once taken for a bad line.
"""

import errno
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from plexguard.core.clock import Clock

FIRST_BYTES = 64 << 10
FEWEST, MOST = 4, 64
# How often it is looked whether more at once bring more, and by how much they have to.
_LOOK_S, _WORTH = 0.5, 1.15
_EXAMPLES = 3


@dataclass(slots=True, kw_only=True)
class Warmed:
    """read: how many files, some bytes or all of an empty one. missing, unreadable, late: how many were not, of each kind.
    examples: some of them, with the reason. at_once: how many were read at once at the most."""

    read: int = 0
    missing: int = 0
    unreadable: int = 0
    late: int = 0
    examples: list[str] = field(default_factory=list)
    at_once: int = 0

    @property
    def done(self) -> int:
        return self.read + self.missing + self.unreadable + self.late

    @property
    def faults(self) -> str:
        """What could not be read, in words, "" for nothing."""
        kinds = {"missing": self.missing, "unreadable": self.unreadable, "not read in time": self.late}
        told = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
        return f"of {self.done:,} files {told}: {'; '.join(self.examples)}" if told else ""

    def add_fault(self, kind: str, example: str) -> None:
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.examples) < _EXAMPLES:
            self.examples.append(example)


class _Reader(threading.Thread):
    """Reads one file after the other. path, since_s: what it reads just now."""

    def __init__(self, work: "_Work") -> None:
        super().__init__(daemon=True)  # one that hangs in a mount keeps nobody from ending
        self.work = work
        self.path = ""
        self.since_s = 0.0
        self.is_given_up = False

    def run(self) -> None:
        while not self.is_given_up and self.work.wants(self):
            try:
                self.path = self.work.paths.get_nowait()
            except queue.Empty:
                return
            self.since_s = self.work.clock.monotonic_s()
            fault = _read(self.path)
            self.work.note(self, fault)


class _Work:
    def __init__(self, files: Sequence[str], clock: Clock) -> None:
        self.clock = clock
        self.paths: queue.SimpleQueue[str] = queue.SimpleQueue()
        for path in files:
            self.paths.put(path)
        self.lock = threading.Lock()
        self.warmed = Warmed()
        self.readers: list[_Reader] = []
        self.wanted = FEWEST

    def wants(self, reader: _Reader) -> bool:
        with self.lock:
            is_wanted = len(self.readers) <= self.wanted
            if not is_wanted and reader in self.readers:
                self.readers.remove(reader)
            return is_wanted

    def note(self, reader: _Reader, fault: tuple[str, str] | None) -> None:
        with self.lock:
            if reader.is_given_up:
                return  # counted already
            if fault is None:
                self.warmed.read += 1
            else:
                self.warmed.add_fault(*fault)
            reader.path = ""

    def look(self, limit_s: float) -> None:
        """Give up who reads for too long, and have as many read as is wanted."""
        now_s = self.clock.monotonic_s()
        with self.lock:
            for reader in [one for one in self.readers if one.path and now_s - one.since_s >= limit_s]:
                reader.is_given_up = True
                self.readers.remove(reader)
                self.warmed.add_fault("late", f"{reader.path}: no answer within {limit_s:g} s")
            self.readers = [one for one in self.readers if one.is_alive()]
            for _ in range(min(self.wanted - len(self.readers), self.paths.qsize())):
                reader = _Reader(self)
                self.readers.append(reader)
                reader.start()
            self.warmed.at_once = max(self.warmed.at_once, len(self.readers))


def _read(path: str) -> tuple[str, str] | None:
    try:
        with open(path, "rb", buffering=0) as file:
            file.read(FIRST_BYTES)
    except OSError as error:
        kind = "missing" if error.errno in (errno.ENOENT, errno.ENOTDIR) else "unreadable"
        return kind, f"{path}: {error.strerror}"
    return None


def warm(
    files: Sequence[str],
    clock: Clock,
    *,
    most: int = MOST,
    limit_s: float = 60.0,
    tell: Callable[[Warmed], object] = lambda _: None,
) -> Warmed:
    """Read the beginning of files, and return what became of it. most: at once. limit_s: after which a read is given up. tell: is
    told how far it is, twice a second."""
    work = _Work(files, clock)
    best, last_done, last_s = 0.0, 0, clock.monotonic_s()
    while True:
        work.look(limit_s)
        clock.sleep(_LOOK_S if work.paths.qsize() else 0.05)
        with work.lock:
            done, is_busy = work.warmed.done, any(one.path for one in work.readers)
        if done >= len(files) or (not is_busy and not work.paths.qsize()):
            break
        now_s = clock.monotonic_s()
        if now_s - last_s >= _LOOK_S:
            rate = (done - last_done) / (now_s - last_s)
            if rate > best * _WORTH:
                best, work.wanted = rate, min(most, work.wanted * 2)
            elif rate < best / 2:
                work.wanted = max(FEWEST, work.wanted // 2)
            last_done, last_s = done, now_s
        tell(work.warmed)
    work.look(limit_s)
    return work.warmed
