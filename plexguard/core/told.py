"""The port to what was told: the suite's events, read back from the journal.

Any local user can write an entry with our MESSAGE_ID. Who wrote it is vouched for by journald itself, in the fields that
begin with "_": an event is taken from root, from user plexguard, and from what runs in a unit of the suite.
"""

import hashlib
import pwd
import re
import select
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from plexguard.core.clock import Moment
from plexguard.core.events import MARK, Event
from plexguard.core.suite import events

_USER = "plexguard"
# Of a cursor, what an entry keeps when journald moves it from /run to disk, or another machine receives it: the boot, the times
# and the hash of what it holds. The rest counts entries file by file.
_OWN_PARTS = frozenset("bmtx")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event as it was told. id: the same for the same entry, wherever and however often it is read. cursor: its place in
    the journal. at: UTC. values: of the event's fields, typed. unit: "" where there was none. host: the machine's name."""

    id: str
    cursor: str
    at: datetime
    event: Event
    message: str
    values: Mapping[str, object] = field(default_factory=dict)
    unit: str = ""
    host: str = ""

    @property
    def about(self) -> str:
        """Which thing of its kind it is about, "" where there is only one."""
        return ", ".join(str(self.values[name]) for name in self.event.about)

    @property
    def moment(self) -> Moment:
        """When it was told, by the wall clock and by the boot: its id, and the seconds of CLOCK_MONOTONIC in it."""
        parts = dict(part.partition("=")[::2] for part in self.cursor.split(";"))
        # The kernel writes the id with dashes.
        boot = re.sub("^(.{8})(.{4})(.{4})(.{4})(.{12})$", r"\1-\2-\3-\4-\5", parts.get("b", ""))
        return Moment(wall=self.at, boot_id=boot, uptime_s=int(parts.get("m", "0"), 16) / 1e6)


class ToldReader(Protocol):
    def seek(self, cursor: str) -> bool:
        """Go behind an entry. False: it is gone, as old journals are trimmed, and what is left after it comes next."""
        ...

    def seek_time(self, at: datetime) -> None:
        """Go to the first event from that time on."""
        ...

    def seek_end(self) -> str:
        """Go to the end, and return the cursor of the last entry there, of whomever; "" while there is none."""
        ...

    def read(self, limit: int) -> tuple[Told, ...]:
        """Return the next events, oldest first, at most so many; none when there are no more just now."""
        ...

    def wait(self, timeout_s: float, *, hangups: Sequence[int] = ()) -> None:
        """Wait until something is written to the journal, or the other end of one of these pipes is closed, for so long at most."""
        ...


class JournalEvents:
    """The events in this machine's journal, or in a folder with the journals of many. It begins with the oldest.

    Every call raises OSError where the journal cannot be read. Who is not in group systemd-journal reads an empty one.
    """

    def __init__(self, folder: Path | None = None) -> None:
        from systemd import journal  # only for who reads it

        as_utc = {"__REALTIME_TIMESTAMP": lambda us: datetime.fromtimestamp(us / 1e6, UTC)}
        self._reader: Any = journal.Reader(path=str(folder) if folder else None, converters=as_utc)
        self._by_id = {event.message_id: event for event in events()}
        self._uids = trusted_uids()
        # An event that was looked at to know where we are, and is still to be read.
        self._ahead: dict[str, Any] = {}
        self._match()

    def seek(self, cursor: str) -> bool:
        self._reader.flush_matches()
        self._reader.seek_cursor(cursor)
        found = bool(self._reader.get_next()) and bool(self._reader.test_cursor(cursor))
        self._match()
        self._reader.seek_cursor(cursor)
        entry = self._reader.get_next()
        self._ahead = {} if entry and self._reader.test_cursor(cursor) else entry
        return found

    def seek_time(self, at: datetime) -> None:
        self._ahead = {}
        self._reader.seek_realtime(at.timestamp())

    def seek_end(self) -> str:
        self._reader.flush_matches()
        self._reader.seek_tail()
        last = self._reader.get_previous()
        self._match()
        if not last:
            return ""
        self.seek(str(last["__CURSOR"]))
        return str(last["__CURSOR"])

    def read(self, limit: int) -> tuple[Told, ...]:
        found: list[Told] = []
        while len(found) < limit and (entry := self._ahead or self._reader.get_next()):
            self._ahead = {}
            told = read_entry(entry, self._by_id, self._uids)
            if told is not None:
                found.append(told)
        return tuple(found)

    def wait(self, timeout_s: float, *, hangups: Sequence[int] = ()) -> None:
        poll = select.poll()
        poll.register(self._reader.fileno(), self._reader.get_events())
        for fd in hangups:
            poll.register(fd, 0)
        poll.poll(timeout_s * 1000)
        # It learns only here that a file was rotated or deleted.
        self._reader.process()

    def close(self) -> None:
        self._reader.close()

    def _match(self) -> None:
        self._reader.flush_matches()
        self._reader.add_match("=".join(MARK))


def trusted_uids() -> frozenset[int]:
    """Return the users whose events are ours: root's, and that of the programs without rights."""
    try:
        return frozenset({0, pwd.getpwnam(_USER).pw_uid})
    except KeyError:
        return frozenset({0})


def read_entry(entry: Mapping[str, Any], by_id: Mapping[str, Event], uids: Collection[int]) -> Told | None:
    """Return the event of a journal entry, as python3-systemd gives it; None for one that is forged, foreign or from another
    version of the suite."""
    unit = str(entry.get("_SYSTEMD_UNIT", ""))
    # A user's own unit of that name runs in user@UID.service.
    is_ours = entry.get("_UID") in uids or (unit.startswith("plexguard-") and unit.endswith(".service"))
    event = by_id.get(_show_id(entry.get("MESSAGE_ID")))
    if not is_ours or event is None:
        return None
    try:
        values = event.read_fields(entry)
    except (ValueError, TypeError):
        return None
    message = entry.get("MESSAGE", "")
    cursor = str(entry["__CURSOR"])
    return Told(
        id=stable_id(cursor),
        cursor=cursor,
        at=entry["__REALTIME_TIMESTAMP"],
        event=event,
        message=message if isinstance(message, str) else event.render(values),
        values=values,
        unit=unit,
        host=str(entry.get("_HOSTNAME", "")),
    )


def stable_id(cursor: str) -> str:
    """Return 32 hex digits that tell an entry from every other, for receivers that want to drop what they have."""
    parts = sorted(part for part in cursor.split(";") if part.partition("=")[0] in _OWN_PARTS)
    return hashlib.sha256(";".join(parts).encode()).hexdigest()[:32]


def _show_id(value: object) -> str:
    """python3-systemd makes a UUID of it."""
    return str(value).replace("-", "")
