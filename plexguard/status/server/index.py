"""The events of months on disk, in order: made from the journal, and made anew from it when it is lost.

It is a cache: SQLite without syncs, set aside when it is torn or of another version. What it counts (`count`) is counted once for
each event, and outlives the events, which are dropped when they are too old or too many.
"""

import json
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from plexguard.core import core_events
from plexguard.core.clock import Moment
from plexguard.core.errors import IoFailed
from plexguard.core.events import FilePath
from plexguard.core.journal import Journal
from plexguard.core.told import Told
from plexguard.status.incidents import Occurrence, Rules, title_of
from plexguard.status.server.parameters import EventQuery, Place

SCHEMA = 1
KEPT_AGE = timedelta(days=400)
KEPT_EVENTS = 1_000_000
# Of what is open when a time line begins; more things of a kind than this are not shown.
_MOST_CARRIED = 1000
# Of what happens in a time; of more, the newest: folding costs time and memory.
MOST_OCCURRENCES = 20_000
_MOST_MESSAGE = 2000
# 32 MB: some 60,000 events.
_MOST_PAGES_IN_MEMORY = 8192
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_TABLES = """
    CREATE TABLE events (
        id TEXT PRIMARY KEY, at_us INTEGER NOT NULL, name TEXT NOT NULL, priority INTEGER NOT NULL, unit TEXT NOT NULL,
        host TEXT NOT NULL, about TEXT NOT NULL, subject TEXT NOT NULL, message TEXT NOT NULL, fields TEXT NOT NULL,
        downtime_s REAL, boot TEXT NOT NULL, up_us INTEGER NOT NULL
    );
    CREATE INDEX events_by_time ON events (at_us, id);
    CREATE INDEX events_by_thing ON events (name, about, at_us);
    CREATE TABLE counts (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE places (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_INSERT = "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_COUNT = "INSERT INTO counts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET number = number + excluded.number"
# What follows are conditions, their values as question marks only.
_EVENTS = "SELECT id, at_us, name, priority, unit, host, subject, message, fields FROM events INDEXED BY events_by_time"
_OCCURRENCE = "name, unit, about, subject, message, downtime_s, boot, up_us FROM events"
_OCCURRENCES = f"SELECT id, at_us, {_OCCURRENCE} INDEXED BY events_by_time"
# The names and things first, which an index has: of a million events, it is far quicker.
_LAST = (
    "SELECT e.id, e.at_us, e.name, e.unit, e.about, e.subject, e.message, e.downtime_s, e.boot, e.up_us FROM "
    "(SELECT name, about, max(at_us) AS at_us FROM events INDEXED BY events_by_thing WHERE name IN ({}) AND at_us < ?"
    " GROUP BY name, about ORDER BY 3 DESC LIMIT ?) AS last CROSS JOIN events AS e INDEXED BY events_by_thing"
    " ON e.name = last.name AND e.about = last.about AND e.at_us = last.at_us ORDER BY e.at_us, e.id"
)
# What is counted beside the events themselves.
REPAIRED = "perms repaired"
_REPAIRED_EVENTS = ("perms.repaired", "perms.repaired-many")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An event in the index. fields: as text or numbers, by name."""

    id: str
    at: datetime
    name: str
    priority: int
    unit: str
    host: str
    subject: str
    message: str
    fields: dict[str, Any]


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

    def find_events(self, query: EventQuery) -> tuple[tuple[Kept, ...], Place | None]:
        """Return the newest events that fit, newest first, and where the next page begins, None when there is none."""
        parts: list[str] = ["priority <= ?"]
        values: list[Any] = [int(query.min_priority)]
        if query.since is not None:
            parts.append("at_us >= ?")
            values.append(_us(query.since))
        if query.until is not None:
            parts.append("at_us <= ?")
            values.append(_us(query.until))
        if query.before is not None:
            parts.append("(at_us, id) < (?, ?)")
            values += [query.before.at_us, query.before.id]
        if query.names:
            parts.append(f"({' OR '.join(['name GLOB ?'] * len(query.names))})")
            values += query.names
        rows = self._fetch(
            f"{_EVENTS} WHERE {' AND '.join(parts)} ORDER BY at_us DESC, id DESC LIMIT ?",
            (*values, query.limit + 1),
        )
        found = tuple(_kept(row) for row in rows[: query.limit])
        more = len(rows) > query.limit
        return found, Place(at_us=_us(found[-1].at), id=found[-1].id) if more else None

    def find_occurrences(
        self, since: datetime, until: datetime, rules: Rules, *, most: int = MOST_OCCURRENCES
    ) -> tuple[tuple[Occurrence, ...], datetime]:
        """Return what incidents are made of, and from when on it is complete: what happened between two times, and before that the
        last of each thing, which may go on."""
        lasting, names = sorted(rules.names - rules.moments), sorted(rules.names)
        within = self._fetch(
            f"{_OCCURRENCES} WHERE at_us BETWEEN ? AND ? AND name IN ({_marks(names)}) ORDER BY at_us DESC, id DESC LIMIT ?",
            (_us(since), _us(until), *names, most),
        )
        if len(within) == most:
            since = max(since, _at(within[-1][1]))
        before = self._fetch(_LAST.format(_marks(lasting)), (*lasting, _us(since), _MOST_CARRIED))
        return tuple(_occurrence(row) for row in (*before, *reversed(within))), since

    def find_last(self) -> dict[str, datetime]:
        """Return when each event was told last."""
        return {str(name): _at(at_us) for name, at_us in self._fetch("SELECT name, max(at_us) FROM events GROUP BY name")}

    def find_newest(self) -> Moment | None:
        """Return when anything was told last."""
        rows = self._fetch("SELECT at_us, boot, up_us FROM events ORDER BY at_us DESC LIMIT 1")
        return next((_moment(*row) for row in rows), None)

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
            new = tuple(one for one in told if database.execute(_INSERT, _row(one)).rowcount)
            for name, number in sum_counts(new).items() if count else ():
                database.execute(_COUNT, (name, number))
            database.executemany("INSERT OR REPLACE INTO places VALUES (?, ?)", places.items())
        self.version += bool(new)
        return new

    def trim(self, now: datetime, *, age: timedelta = KEPT_AGE, events: int = KEPT_EVENTS) -> None:
        """Drop what is too old, and the oldest of what is too much."""
        with self._write() as database:
            database.execute("DELETE FROM events WHERE at_us < ?", (_us(now - age),))
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
            database.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {SCHEMA}; COMMIT;")
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


def _us(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _at(at_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_us)


def keep(told: Told) -> Kept:
    """Return an event as the index has it."""
    return Kept(
        id=told.id,
        at=told.at,
        name=told.event.name,
        priority=int(told.event.priority),
        unit=_plain(told.unit),
        host=_plain(told.host),
        subject=_plain(title_of(told)),
        message=_plain(told.message)[:_MOST_MESSAGE],
        # A number that has a form of its own, as a mode does, is kept in that form.
        fields={name: value if type(value) in (int, float) else str(value) for name, value in told.values.items()},
    )


def _row(told: Told) -> tuple[Any, ...]:
    kept, downtime_s, moment = keep(told), told.values.get("downtime_s"), told.moment
    return (
        kept.id,
        _us(kept.at),
        kept.name,
        kept.priority,
        kept.unit,
        kept.host,
        _plain(told.about),
        kept.subject,
        kept.message,
        json.dumps(kept.fields),
        downtime_s if isinstance(downtime_s, float) else None,
        _plain(moment.boot_id),
        round(moment.uptime_s * 1e6),
    )


def _plain(text: str) -> str:
    """Bytes that are no UTF-8 cannot be sent to anybody."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _kept(row: tuple[Any, ...]) -> Kept:
    id_, at_us, name, priority, unit, host, subject, message, fields = row
    return Kept(
        id=id_,
        at=_at(at_us),
        name=name,
        priority=priority,
        unit=unit,
        host=host,
        subject=subject,
        message=message,
        fields=json.loads(fields),
    )


def _moment(at_us: int, boot_id: str, up_us: int) -> Moment:
    return Moment(wall=_at(at_us), boot_id=boot_id, uptime_s=up_us / 1e6)


def _occurrence(row: tuple[Any, ...]) -> Occurrence:
    id_, at_us, name, unit, about, title, message, downtime_s, boot_id, up_us = row
    return Occurrence(
        id=id_,
        moment=_moment(at_us, boot_id, up_us),
        name=name,
        unit=unit,
        about=about,
        title=title,
        message=message,
        downtime_s=downtime_s,
    )
