"""Files of a mount that are known to be there, some of each of many folders: what is read as proof, in turn.

Their owner may delete one: it is left out and another one found. When all of them are gone that is an answer, and they stay known.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

from plexguard.core.errors import IoFailed
from plexguard.core.state import StateFile

WANTED = 30
# Of one folder; so that thirty of them lie in ten folders or more.
_OF_A_FOLDER = 3
# Media; what lies beside them may be written anew at any time.
_LEAST_BYTES = 1 << 20
SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A file, by its path from the top of the mount."""

    path: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a mount. remote: of which one; another one has other files."""

    remote: str
    samples: tuple[Sample, ...] = ()


class Remembered(StateFile[Known]):
    """What another program has found, for one that only looks once: nothing is written."""

    def load(self) -> Known | None:
        return self.peek()

    def save(self, record: Known) -> None:
        """Forget it."""


def is_hidden(name: str) -> bool:
    """Tell whether a name is nobody's media: what lies in a waste basket or under a player's name is not kept for long."""
    return name.startswith((".", "@", "#")) or name in ("lost+found", "$RECYCLE.BIN", "System Volume Information")


def choose_samples(files: Iterable[Sample], rng: Random) -> tuple[Sample, ...]:
    """Return some files of a folder, large ones if there are any."""
    known = [file for file in files if file.size]
    large = [file for file in known if file.size >= _LEAST_BYTES]
    chosen = large or known
    return tuple(rng.sample(chosen, min(_OF_A_FOLDER, len(chosen))))


class Samples:
    """The known files of one mount, in memory and on disk. More than one thread may ask."""

    def __init__(self, remote: str, *, file: StateFile[Known] | None, rng: Random, canary: str = "") -> None:
        self._file = file
        self._rng = rng
        self._lock = threading.Lock()
        self._canary = canary
        known = file.load() if file is not None and not canary else None
        self._known = known if known is not None and known.remote == remote else Known(remote=remote)
        self._turn: list[Sample] = []
        self._missed: set[str] = set()
        if canary:
            self._known = Known(remote=remote, samples=(Sample(path=canary.strip("/"), size=0),))

    @property
    def has_canary(self) -> bool:
        return bool(self._canary)

    @property
    def are_wanted(self) -> bool:
        """Whether more should be found."""
        return not self._canary and len(self._known.samples) - len(self._missed) < WANTED

    @property
    def count(self) -> int:
        return len(self._known.samples)

    def next(self) -> Sample | None:
        """Return the next file in turn, those that were missing last; None when none is known."""
        with self._lock:
            here = {sample.path: sample for sample in self._known.samples}
            self._turn = [here[sample.path] for sample in self._turn if sample.path in here and sample.path not in self._missed]
            if not self._turn:
                self._turn = [sample for sample in here.values() if sample.path not in self._missed]
                self._rng.shuffle(self._turn)
            if self._turn:
                return self._turn.pop()
            return self._rng.choice(self._known.samples) if self._known.samples else None

    def note_read(self, sample: Sample) -> None:
        """Note that a file was read, with its true size: those that were missing before were deleted, and are left out for good."""
        with self._lock:
            kept = (s for s in self._known.samples if s.path not in self._missed or s.path == sample.path)
            self._keep(tuple(sample if s.path == sample.path else s for s in kept))
            self._missed.clear()

    def note_missing(self, sample: Sample) -> bool:
        """Note that a file is not there; tell whether all that are known are missing now."""
        with self._lock:
            self._missed.add(sample.path)
            return all(s.path in self._missed for s in self._known.samples)

    def add(self, found: Sequence[Sample]) -> None:
        with self._lock:
            if self._canary:
                return
            here = {sample.path for sample in self._known.samples}
            new = [sample for sample in found if sample.path not in here][: max(0, WANTED - len(here - self._missed))]
            self._keep((*self._known.samples, *new))

    def _keep(self, samples: tuple[Sample, ...]) -> None:
        if samples == self._known.samples:
            return
        self._known = replace(self._known, samples=samples)
        if self._file is not None and not self._canary:
            try:
                self._file.save(self._known)
            except IoFailed:
                # A full disk must not end the watch: they are found again after the next start.
                return
