"""How Plex's work on a library shows on the machine that it runs on: by its API, its processes, its database and its processor."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from plexguard.cloud_run.reference.own import ask
from plexguard.cloud_run.section.idle import Look
from plexguard.cloud_run.section.inside import Inside
from plexguard.cloud_run.server.counting import Counted, read_counts
from plexguard.core.clock import Clock
from plexguard.core.errors import PlexguardError, Unavailable
from plexguard.core.host import Commands
from plexguard.core.plex import Library, Plex

T = TypeVar("T")
_ASK_S = 20.0
_COUNT_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What Plex was told to do with a library. word: one that the arguments of this step's processes have. grows: what of the
    library grows as it goes. scanned_at: a later scan is its end, None for what is no scan."""

    library: Library
    word: str
    grows: Callable[[Counted], int]
    scanned_at: int | None = None


@dataclass(slots=True, kw_only=True)
class Signals:
    """machine: this one. export: the command of plexguard-db-export. database: the library's file. inside: of Plex's container."""

    machine: Commands
    plex: Plex
    clock: Clock
    export: tuple[str, ...]
    database: str
    inside: Inside
    _cpu: tuple[float, float] | None = None

    def count(self, library: Library) -> Counted:
        """Return what a library holds. Raises Refused and PeerError; what cannot be read is never zero."""
        counts = read_counts(ask(self.machine, [*self.export, "count", self.database], timeout_s=_COUNT_S))
        found = next((one for one in counts if str(one.section) == library.key), None)
        if found is None:
            raise Unavailable(f"{library.title}: its database does not know it yet")
        return found

    def started(self) -> float | None:
        """Return when Plex was started, in seconds of CLOCK_BOOTTIME, None while it does not run."""
        return self.inside.started_s()

    def look(self, step: Step) -> Look:
        library, scanned_at = step.library, step.scanned_at
        return Look(
            at_s=self.clock.monotonic_s(),
            activities=_or_none(lambda: self._count_activities(library)),
            processes=_or_none(lambda: sum(step.word in process.command for process in self.inside.scanners())),
            count=_or_none(lambda: step.grows(self.count(library))),
            cpu_percent=_or_none(self._read_cpu_percent),
            ended=True if scanned_at is None else _or_none(lambda: self._has_scanned(library, scanned_at)),
        )

    def _count_activities(self, library: Library) -> int:
        # One that names no library may be about to name this one.
        return sum(one.library in ("", library.key) for one in self.plex.activities(timeout_s=_ASK_S))

    def _has_scanned(self, library: Library, scanned_at: int) -> bool:
        now = find_library(self.plex, library.key)
        return now is not None and not now.scanning and now.scanned_at > scanned_at

    def _read_cpu_percent(self) -> float | None:
        """Return how busy Plex has kept one processor since the last look, None at the first."""
        before, now = self._cpu, (self.clock.monotonic_s(), self.inside.cpu_s())
        self._cpu = now
        if before is None or now[0] <= before[0] or now[1] < before[1]:
            return None
        return 100.0 * (now[1] - before[1]) / (now[0] - before[0])


def find_library(plex: Plex, key: str) -> Library | None:
    """Return a library as it is now, None where it is not. Raises PlexError."""
    return next((one for one in plex.libraries(timeout_s=_ASK_S) if one.key == key), None)


def _or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except PlexguardError:
        return None
