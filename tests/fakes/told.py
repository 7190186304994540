"""A journal of events in memory, and the making of what is in it."""

import bisect
import hashlib
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta

from plexguard.core.events import Event, FilePath, Mode
from plexguard.core.suite import events
from plexguard.core.told import Told

EVENTS = {event.name: event for event in events()}
_VALUES = {str: "some", int: 1, float: 1.0, FilePath: FilePath("/srv/media/film.mkv"), Mode: Mode(0o640)}


def tell(name: str, at: datetime, number: int = 0, *, host: str = "media", unit: str = "", **values: object) -> Told:
    """Return an event of that name; what values are not given are made up."""
    event: Event = EVENTS[name]
    whole = {field: values.get(field, _VALUES[kind]) for field, kind in event.fields.items()}
    cursor = f"{at.timestamp():.6f} {name} {number} {host} {sorted(map(str, values.values()))}"
    return Told(
        id=hashlib.sha256(cursor.encode()).hexdigest()[:32],
        cursor=cursor,
        at=at,
        event=event,
        message=event.render(whole),
        values=whole,
        unit=unit or f"plexguard-{name.partition('.')[0]}.service",
        host=host,
    )


class FakeEvents:
    """What journald holds, and readers of it. An old part of it may be cut off."""

    def __init__(self, told: Iterable[Told] = ()) -> None:
        self.told = sorted(told, key=lambda one: one.at)
        self._changed = threading.Condition()
        self.read = 0
        self.trouble: OSError | None = None
        # A reader opens when this is set.
        self.gate = threading.Event()
        self.gate.set()
        # When its oldest entry was written; None stands for long ago.
        self.began: datetime | None = None

    def add(self, *told: Told) -> None:
        with self._changed:
            self.told += told
            self._changed.notify_all()

    def cut(self, number: int) -> None:
        """Drop the oldest, as journald does."""
        del self.told[:number]

    def open(self) -> "FakeReader":
        self.gate.wait(60)
        return FakeReader(self)

    def wait(self, timeout_s: float) -> None:
        with self._changed:
            self._changed.wait(min(timeout_s, 0.05))


class FakeReader:
    def __init__(self, journal: FakeEvents) -> None:
        self._journal = journal
        self._place: Told | None = None
        self._next = 0

    def seek(self, cursor: str) -> bool:
        place = next((number for number, one in enumerate(self._journal.told) if one.cursor == cursor), None)
        self._next = 0 if place is None else place + 1
        return place is not None

    def seek_time(self, at: datetime) -> None:
        self._next = bisect.bisect_left([one.at for one in self._journal.told], at)

    def seek_end(self) -> str:
        self._next = len(self._journal.told)
        return self._journal.told[-1].cursor if self._journal.told else ""

    def first(self) -> datetime | None:
        return self._journal.began

    def read(self, limit: int) -> tuple[Told, ...]:
        if self._journal.trouble is not None:
            raise self._journal.trouble
        found = tuple(self._journal.told[self._next : self._next + limit])
        self._next += len(found)
        self._journal.read += len(found)
        return found

    def wait(self, timeout_s: float) -> None:
        self._journal.wait(timeout_s)


def every(step: timedelta, name: str, since: datetime, until: datetime) -> list[Told]:
    """Return an event each so often."""
    number = int((until - since) / step)
    return [tell(name, since + step * n, n) for n in range(number)]
