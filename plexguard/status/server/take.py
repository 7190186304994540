"""Take the overview as the command does, but for the journal: what was told comes from the index, which has it already."""

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast

from plexguard.core import published
from plexguard.core.clock import Clock
from plexguard.core.config import DEFAULT_PATH, find_files
from plexguard.core.events import Event
from plexguard.core.manager import Manager, Timer, Unit
from plexguard.core.responses import read_responses
from plexguard.core.state import RUNTIME_ROOT, STATE_ROOT
from plexguard.status.decide import decide
from plexguard.status.incidents import find_incidents, make_rules
from plexguard.status.observe import LOOK_BACK, JournalSeen, Limits, can_read_journal, observe, read_limits
from plexguard.status.server.desk import Taken, World, mtime_ns
from plexguard.status.server.follow import read_covered
from plexguard.status.server.index import Index

# Of states that have a folder for each thing.
_NESTED = frozenset({"rclone-watchdog", "db-export", "cloud-run", "notify"})
_MOST_WATCHED = 500
# For how long the manager's answer is taken for true while nothing was told.
_UNITS_S = 45.0
T = TypeVar("T")


class KnownUnits:
    """The service manager, not asked each time how its units are: three commands each. What fails is told as an event, and then it
    is asked at once."""

    def __init__(self, manager: Manager, clock: Clock, index: Index) -> None:
        self._manager = manager
        self._clock = clock
        self._index = index
        self._known: dict[str, tuple[int, float, Any]] = {}

    def find_units(self, pattern: str) -> tuple[Unit, ...]:
        return self._recall("units", lambda: self._manager.find_units(pattern))

    def look_up(self, names: Sequence[str]) -> tuple[Unit, ...]:
        return self._recall(" ".join(("units", *names)), lambda: self._manager.look_up(names))

    def find_timers(self, pattern: str) -> tuple[Timer, ...]:
        return self._recall("timers", lambda: self._manager.find_timers(pattern))

    def _recall(self, name: str, ask: Callable[[], T]) -> T:
        now_s, version = self._clock.monotonic_s(), self._index.version
        known = self._known.get(name)
        if known is not None and known[0] == version and now_s - known[1] < _UNITS_S:
            return cast("T", known[2])
        found = ask()
        self._known[name] = (version, now_s, found)
        return found


class Taker:
    """Takes overviews. The configuration is read when it has changed."""

    def __init__(
        self, manager: Manager, clock: Clock, index: Index, events: Iterable[Event], *, config_path: Path = DEFAULT_PATH
    ) -> None:
        # Nothing but questions is asked of it.
        self._manager = cast("Manager", KnownUnits(manager, clock, index))
        self._clock = clock
        self._index = index
        self._rules = make_rules(events)
        self._config_path = config_path
        self._limits: tuple[Limits, tuple[str, ...]] | None = None
        self._limits_stamp: object = None
        self._told = JournalSeen()
        self._told_stamp: object = None

    def world(self) -> World:
        return World(
            clock=self._clock,
            take=self.take,
            read_responses=read_responses,
            read_speed=published.SPEED_LINES.read,
            find_watched=self._find_watched,
        )

    def take(self) -> Taken:
        limits, mistakes = self._read_limits()
        seen = observe(self._manager, self._clock, read_told=self._read_told, limits=limits, mistakes=mistakes)
        failed = {name: unit.active_state == "failed" for name, unit in seen.units.items() if name.endswith(".service")}
        return Taken(overview=decide(seen), failed=failed, life=seen.life)

    def _read_limits(self) -> tuple[Limits, tuple[str, ...]]:
        stamp = [(str(path), mtime_ns(path)) for path in find_files(self._config_path)]
        if self._limits is None or stamp != self._limits_stamp:
            self._limits, self._limits_stamp = read_limits(self._config_path, os.environ), stamp
        return self._limits

    def _read_told(self) -> JournalSeen:
        if not can_read_journal():
            return JournalSeen(why="this user may not read the journal")
        if self._index.behind:
            return JournalSeen(why=f"what was told last is not known: {self._index.behind}")
        covered = read_covered(self._index)
        if covered is None:
            return JournalSeen(why="the journal is being read for the first time")
        stamp = (self._index.version, covered)
        if stamp != self._told_stamp:
            since = max(covered, self._clock.now() - LOOK_BACK)
            # A clock that was set back leaves events behind that are told in the future, and not over.
            found, since = self._index.find_occurrences(since, datetime.max.replace(tzinfo=UTC), self._rules)
            self._told = JournalSeen(
                incidents=find_incidents(found, self._rules),
                newest=self._index.find_newest(),
                last=self._index.find_last(),
                since=since,
                why=self._index.no_disk,
            )
            self._told_stamp = stamp
        return self._told

    def _find_watched(self) -> Iterable[Path]:
        """Return the files whose change may change the overview: what is published, and the configuration."""
        folders = [RUNTIME_ROOT, *(path for path in _list(STATE_ROOT) if path.is_dir())]
        nested = [path for folder in folders if folder.name in _NESTED for path in _list(folder) if path.is_dir()]
        files = [path for folder in (*folders, *nested) for path in _list(folder) if path.suffix == ".json"]
        return [*files, *find_files(self._config_path)][:_MOST_WATCHED]


def _list(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
