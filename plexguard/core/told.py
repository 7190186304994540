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

from plexguard.core.clock import Moment, read_boot_id
from plexguard.core.events import MARK, Event
from plexguard.core.journal import open_reader
from plexguard.core.suite import events

_USER = "plexguard"
# There a mail system runs what any user has in .forward, as that user.
_ANYBODYS = "plexguard-mail@"
# Of a cursor, what an entry keeps when journald moves it from /run to disk, or another machine receives it: the boot, the times
# and the hash of what it holds. The rest counts entries file by file.
_OWN_PARTS = frozenset("bmtx")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event as it was told. id: the same for the same entry, wherever and however often it is read. cursor: its place in
    the journal. at: UTC. values: of the event's fields, typed. unit: "" where there was none. host: the machine's name.
    machine: its id, which another of the same name has not."""

    id: str
    cursor: str
    at: datetime
    event: Event
    message: str
    values: Mapping[str, object] = field(default_factory=dict)
    unit: str = ""
    host: str = ""
    machine: str = ""

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

    def first(self) -> datetime | None:
        """Return when the oldest entry was written, of whomever, None where there is none: what was told before is not known. Seek
        after it."""
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

    Entries of several boots are in the order of their times, so that what a machine tells whose clock is behind after a start has
    its place before what was read already. So the boot that runs is read by itself, after all others.
    """

    def __init__(self, folder: Path | None = None, *, boot: str | None = None) -> None:
        """boot: the id of the one that runs; as the kernel has it, and none for a folder, unless it is given."""
        self._reader = open_reader(folder)
        self._by_id = {event.message_id: event for event in events()}
        self._uids = trusted_uids()
        self._boot = self._find_boot(boot if boot is not None else "" if folder else read_boot_id().replace("-", ""))
        # What was written in the boot that runs is left for later.
        self._is_before_boot = False
        # It stands at an event that was looked at to know where we are, and is still to be read.
        self._is_ahead = False
        self._match()
        self._reader.seek_head()

    def seek(self, cursor: str) -> bool:
        self._is_before_boot = self._is_ahead = False
        self._reader.flush_matches()
        try:
            self._reader.seek_cursor(cursor)
        except ValueError:  # it is none
            self.seek_end()
            return False
        found = bool(self._reader._next()) and bool(self._reader.test_cursor(cursor))
        is_of_boot = bool(self._boot) and f"b={self._boot}" in cursor.split(";")
        self._is_before_boot = bool(self._boot) and not is_of_boot
        self._match(self._boot if is_of_boot else "")
        self._reader.seek_cursor(cursor)
        self._is_ahead = bool(self._reader._next()) and not self._reader.test_cursor(cursor)
        return found

    def seek_time(self, at: datetime) -> None:
        self._is_before_boot = self._is_ahead = False
        self._match()
        self._reader.seek_realtime(at.timestamp())

    def seek_end(self) -> str:
        last = self._find_last(f"_BOOT_ID={self._boot}") if self._boot else self._find_last()
        self._match()
        if last:
            self.seek(last)
        return last

    def _find_boot(self, boot: str) -> str:
        """Return the id of the boot that runs, "" where the journal knows none such: in a container, a service may see the one of
        the machine around it."""
        return boot if boot and self._find_last(f"_BOOT_ID={boot}") else ""

    def _find_last(self, *matches: str) -> str:
        self._reader.flush_matches()
        for match in matches:
            self._reader.add_match(match)
        self._reader.seek_tail()
        return str(self._reader._get_cursor()) if self._reader._previous() else ""

    def first(self) -> datetime | None:
        self._reader.flush_matches()
        self._reader.seek_head()
        at = datetime.fromtimestamp(self._reader._get_realtime() / 1e6, UTC) if self._reader._next() else None
        self._match()
        self._reader.seek_head()
        self._is_ahead = False
        return at

    def read(self, limit: int) -> tuple[Told, ...]:
        found: list[Told] = []
        while len(found) < limit and self._step():
            told = self._read_here()
            if told is not None:
                found.append(told)
        return tuple(found)

    def _step(self) -> bool:
        """Go to the next entry that may be an event."""
        while self._is_ahead or self._reader._next():
            self._is_ahead = False
            if not self._is_before_boot or self._field("_BOOT_ID") != self._boot:
                return True
        if not self._is_before_boot:
            return False
        self._is_before_boot = False
        self._match(self._boot)
        self._reader.seek_head()
        return bool(self._reader._next())

    def _read_here(self) -> Told | None:
        # First of all who wrote it: an entry of another user's may be larger than our memory.
        if not is_trusted(self._field("_UID"), self._field("_SYSTEMD_UNIT"), self._uids):
            return None
        entry = {
            **self._reader._get_all(),
            "__REALTIME_TIMESTAMP": self._reader._get_realtime(),
            "__CURSOR": self._reader._get_cursor(),
        }
        return read_entry(self._reader._convert_entry(entry), self._by_id, self._uids)

    def _field(self, name: str) -> Any:
        try:
            return self._reader._convert_field(name, self._reader._get(name))
        except KeyError:
            return None

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

    def _match(self, boot: str = "") -> None:
        self._reader.flush_matches()
        self._reader.add_match("=".join(MARK))
        if boot:
            self._reader.add_match(f"_BOOT_ID={boot}")


def trusted_uids() -> frozenset[int]:
    """Return the users whose events are ours: root's, and that of the programs without rights."""
    try:
        return frozenset({0, pwd.getpwnam(_USER).pw_uid})
    except KeyError:
        return frozenset({0})


def is_trusted(uid: int | None, unit: str | None, uids: Collection[int]) -> bool:
    """Tell whether an event is taken from that user, or that unit. A user's own unit of that name runs in user@UID.service."""
    if unit is None or not (unit.startswith("plexguard-") and unit.endswith(".service")) or unit.startswith(_ANYBODYS):
        return uid in uids
    return True


def read_entry(entry: Mapping[str, Any], by_id: Mapping[str, Event], uids: Collection[int]) -> Told | None:
    """Return the event of a journal entry, as python3-systemd gives it; None for one that is forged, foreign or from another
    version of the suite."""
    unit = entry.get("_SYSTEMD_UNIT") or ""
    event = by_id.get(str(entry.get("MESSAGE_ID")))
    if event is None or not is_trusted(entry.get("_UID"), unit, uids):
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
        machine=str(entry.get("_MACHINE_ID", "")),
    )


def stable_id(cursor: str) -> str:
    """Return 32 hex digits that tell an entry from every other, for receivers that want to drop what they have."""
    parts = sorted(part for part in cursor.split(";") if part.partition("=")[0] in _OWN_PARTS)
    return hashlib.sha256(";".join(parts).encode()).hexdigest()[:32]
