"""The tables of the index, what is asked of them, and an event as a row of theirs and back. Pure."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from plexguard.core.clock import Moment
from plexguard.core.told import Told
from plexguard.status.incidents import Occurrence, title_of

# The order of the columns is that of the values below.
TABLES = """
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
INSERT = "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
COUNT = "INSERT INTO counts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET number = number + excluded.number"
# What follows are conditions, their values as question marks only.
EVENTS = "SELECT id, at_us, name, priority, unit, host, subject, message, fields FROM events INDEXED BY events_by_time"
_OCCURRENCE = "name, unit, about, subject, message, downtime_s, boot, up_us FROM events"
OCCURRENCES = f"SELECT id, at_us, {_OCCURRENCE} INDEXED BY events_by_time"
# The names and things first, which an index has: of a million events, it is far quicker.
LAST = (
    "SELECT e.id, e.at_us, e.name, e.unit, e.about, e.subject, e.message, e.downtime_s, e.boot, e.up_us FROM "
    "(SELECT name, about, max(at_us) AS at_us FROM events INDEXED BY events_by_thing WHERE name IN ({}) AND at_us < ?"
    " GROUP BY name, about ORDER BY 3 DESC LIMIT ?) AS last CROSS JOIN events AS e INDEXED BY events_by_thing"
    " ON e.name = last.name AND e.about = last.about AND e.at_us = last.at_us ORDER BY e.at_us, e.id"
)
_MOST_MESSAGE = 2000
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedEvent:
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


def to_us(at: datetime) -> int:
    """Return a time in microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def from_us(at_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_us)


def index_event(told: Told) -> IndexedEvent:
    """Return an event as the index has it."""
    return IndexedEvent(
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


def to_row(told: Told) -> tuple[Any, ...]:
    kept, downtime_s, moment = index_event(told), told.values.get("downtime_s"), told.moment
    return (
        kept.id,
        to_us(kept.at),
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


def event_from_row(row: tuple[Any, ...]) -> IndexedEvent:
    id_, at_us, name, priority, unit, host, subject, message, fields = row
    return IndexedEvent(
        id=id_,
        at=from_us(at_us),
        name=name,
        priority=priority,
        unit=unit,
        host=host,
        subject=subject,
        message=message,
        fields=json.loads(fields),
    )


def moment_from_row(at_us: int, boot_id: str, up_us: int) -> Moment:
    return Moment(wall=from_us(at_us), boot_id=boot_id, uptime_s=up_us / 1e6)


def occurrence_from_row(row: tuple[Any, ...]) -> Occurrence:
    id_, at_us, name, unit, about, title, message, downtime_s, boot_id, up_us = row
    return Occurrence(
        id=id_,
        moment=moment_from_row(at_us, boot_id, up_us),
        name=name,
        unit=unit,
        about=about,
        title=title,
        message=message,
        downtime_s=downtime_s,
    )
