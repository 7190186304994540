"""The events of months on disk, in order: made from the journal, and made anew from it when it is lost.

It is a cache: SQLite without syncs, set aside when it is torn or of another version. What it counts (`count`) is counted once for
each event, and outlives the events, which are dropped when they are too old or too many.
"""

import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from plexguard.core import core_events
from plexguard.core.clock import Moment
from plexguard.core.errors import IoFailed
from plexguard.core.events import FilePath
from plexguard.core.journal import Journal
from plexguard.core.told import Told
from plexguard.status.incidents import Occurrence, Rules
from plexguard.status.server.parameters import EventQuery, Place
from plexguard.status.server.rows import (
    COUNT,
    EVENTS,
    INSERT,
    LAST,
    OCCURRENCES,
    TABLES,
    IndexedEvent,
    event_from_row,
    from_us,
    moment_from_row,
    occurrence_from_row,
    to_row,
    to_us,
)

SCHEMA = 1
KEPT_AGE = timedelta(days=400)
KEPT_EVENTS = 1_000_000
# Of what is open when a time line begins; more things of a kind than this are not shown.
_MOST_CARRIED = 1000
# Of what happens in a time; of more, the newest: folding costs time and memory.
MOST_OCCURRENCES = 20_000
# 32 MB: some 60,000 events.
_MOST_PAGES_IN_MEMORY = 8192
# What is counted beside the events themselves.
REPAIRED = "perms repaired"
_REPAIRED_EVENTS = ("perms.repaired", "perms.repaired-many")


class Index:
    """One file, for any thread. Every call raises IoFailed when the disk takes nothing, IndexTorn when the file is torn.

    no_disk: why it is in memory only, for as long as this process lives; "" when it is on disk. behind: why it does not have what
    was told last, as its follower knows; "" when it has.
    """

    def __init__(self, path: Path, journal: Journal) -> None:
        self.path = path
        self._journal = journal
        self._lock = threading.Lock()
        # Another number when there is more in it.
        self.version = 0
        self.no_disk = self.behind = ""
        try:
            self._database = self._open()
        except IoFailed as error:
            # A disk that is full or sick is what people come to look at.
            self.no_disk = str(error)
            self._database = _connect(None)

    # -- reading ------------------------------------------------------------------------------------------------------

    def find_events(self, query: EventQuery) -> tuple[tuple[IndexedEvent, ...], Place | None]:
        """Return the newest events that fit, newest first, and where the next page begins, None when there is none."""
        parts: list[str] = ["priority <= ?"]
        values: list[Any] = [int(query.min_priority)]
        if query.since is not None:
            parts.append("at_us >= ?")
            values.append(to_us(query.since))
        if query.until is not None:
            parts.append("at_us <= ?")
            values.append(to_us(query.until))
        if query.before is not None:
            parts.append("(at_us, id) < (?, ?)")
            values += [query.before.at_us, query.before.id]
        if query.names:
            parts.append(f"({' OR '.join(['name GLOB ?'] * len(query.names))})")
            values += query.names
        rows = self._fetch(
            f"{EVENTS} WHERE {' AND '.join(parts)} ORDER BY at_us DESC, id DESC LIMIT ?",
            (*values, query.limit + 1),
        )
        found = tuple(event_from_row(row) for row in rows[: query.limit])
        more = len(rows) > query.limit
        return found, Place(at_us=to_us(found[-1].at), id=found[-1].id) if more else None

    def find_occurrences(
        self, since: datetime, until: datetime, rules: Rules, *, most: int = MOST_OCCURRENCES
    ) -> tuple[tuple[Occurrence, ...], datetime]:
        """Return what incidents are made of, and from when on it is complete: what happened between two times, and before that the
        last of each thing, which may go on."""
        lasting, names = sorted(rules.names - rules.moments), sorted(rules.names)
        within = self._fetch(
            f"{OCCURRENCES} WHERE at_us BETWEEN ? AND ? AND name IN ({_marks(names)}) ORDER BY at_us DESC, id DESC LIMIT ?",
            (to_us(since), to_us(until), *names, most),
        )
        if len(within) == most:
            since = max(since, from_us(within[-1][1]))
        before = self._fetch(LAST.format(_marks(lasting)), (*lasting, to_us(since), _MOST_CARRIED))
        return tuple(occurrence_from_row(row) for row in (*before, *reversed(within))), since

    def find_last(self) -> dict[str, datetime]:
        """Return when each event was told last."""
        return {str(name): from_us(at_us) for name, at_us in self._fetch("SELECT name, max(at_us) FROM events GROUP BY name")}

    def find_newest(self) -> Moment | None:
        """Return when anything was told last."""
        rows = self._fetch("SELECT at_us, boot, up_us FROM events ORDER BY at_us DESC LIMIT 1")
        return next((moment_from_row(*row) for row in rows), None)

    def counts(self) -> dict[str, int]:
        """Return the counts. Raises IoFailed for those in memory, too: counters that fall to 0 and come back leap."""
        if self.no_disk:
            raise IoFailed(self.no_disk)
        return {str(name): int(number) for name, number in self._fetch("SELECT name, number FROM counts")}

    def place(self, name: str) -> str:
        """Return what was kept under a name, "" when nothing was."""
        rows = self._fetch("SELECT value FROM places WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else ""

    # -- writing ------------------------------------------------------------------------------------------------------

    def add(self, told: Sequence[Told], *, places: Mapping[str, str], count: bool) -> tuple[Told, ...]:
        """Add events and how far they were read, in one step; return those that are new. count: add these to the counts."""
        with self._write() as database:
            new = tuple(one for one in told if database.execute(INSERT, to_row(one)).rowcount)
            for name, number in sum_counts(new).items() if count else ():
                database.execute(COUNT, (name, number))
            database.executemany("INSERT OR REPLACE INTO places VALUES (?, ?)", places.items())
        self.version += bool(new)
        return new

    def trim(self, now: datetime, *, age: timedelta = KEPT_AGE, events: int = KEPT_EVENTS) -> None:
        """Drop what is too old, and the oldest of what is too much."""
        with self._write() as database:
            database.execute("DELETE FROM events WHERE at_us < ?", (to_us(now - age),))
            (number,) = database.execute("SELECT count(*) FROM events").fetchone()
            if number > events:
                database.execute(
                    "DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY at_us, id LIMIT ?)", (number - events,)
                )

    def close(self) -> None:
        with self._lock, suppress(sqlite3.Error):
            self._database.close()

    # -- the file -----------------------------------------------------------------------------------------------------

    def _open(self) -> sqlite3.Connection:
        try:
            return _connect(self.path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and not _is_torn(error):
                raise IoFailed(f"Failed to open {self.path}: {error}") from error
            self._set_aside(str(error))
        try:
            return _connect(self.path)
        except sqlite3.Error as error:
            raise IoFailed(f"Failed to open {self.path}: {error}") from error

    def renew(self, reason: str) -> None:
        """Set aside a file that turned out to be torn while it was used, and begin anew."""
        with self._lock:
            with suppress(sqlite3.Error):
                self._database.close()
            self._set_aside(reason)
            self._database = _connect(self.path)

    def _set_aside(self, reason: str) -> None:
        aside = self.path.with_name(self.path.name + ".bad")
        try:
            os.replace(self.path, aside)
            for suffix in ("-wal", "-shm", "-journal"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        except OSError as error:
            raise IoFailed(f"Failed to set aside {self.path}: {error.strerror}") from error
        self._journal.send(core_events.STATE_SET_ASIDE, path=FilePath(self.path), aside=FilePath(aside), reason=reason)

    def _fetch(self, text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._database.execute(text, tuple(values)).fetchall()
            except sqlite3.Error as error:
                raise _failure(self.path, error) from error

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                with self._database:
                    self._database.execute("BEGIN IMMEDIATE")
                    yield self._database
            except sqlite3.Error as error:
                raise _failure(self.path, error) from error


class IndexTorn(IoFailed):
    """What is in the file makes no sense: it is to be made anew."""


def _failure(path: Path, error: sqlite3.Error) -> IoFailed:
    kind = IndexTorn if _is_torn(error) else IoFailed
    return kind(f"Failed to use {path}: {error}")


def _is_torn(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR", "SQLITE_SCHEMA"))


def _connect(path: Path | None) -> sqlite3.Connection:
    """Open an index, or make one; in memory where there is no path."""
    database = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False, timeout=5)
    try:
        # What a power cut takes is read from the journal again.
        database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -4096;")
        if path is None:
            database.execute(f"PRAGMA max_page_count = {_MOST_PAGES_IN_MEMORY}")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if not tables and not version:
            database.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {SCHEMA}; COMMIT;")
        elif version != SCHEMA:
            raise sqlite3.DatabaseError(f"schema {version} is not {SCHEMA}: from another version of plexguard")
        else:
            database.execute("SELECT count(*), max(number) FROM counts").fetchone()
            database.execute("SELECT id FROM events ORDER BY at_us DESC LIMIT 1").fetchone()
            database.execute("SELECT value FROM places").fetchall()
    except sqlite3.Error:
        database.close()
        raise
    return database


def sum_counts(told: Sequence[Told]) -> Counter[str]:
    """Return what events add to the counts: one each by their name, and repairs by their number."""
    counts = Counter(one.event.name for one in told)
    for one in told:
        if one.event.name in _REPAIRED_EVENTS:
            number = one.values.get("count", 1)
            counts[REPAIRED] += number if isinstance(number, int) and number > 0 else 0
    return counts


def _marks(values: Sequence[str]) -> str:
    return ",".join("?" * len(values))
