"""From the journal into the spool: what is told is on disk before anything is done about it."""

import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from plexguard.core.clock import Clock
from plexguard.core.errors import PlexguardError
from plexguard.core.journal import Journal
from plexguard.core.told import ToldReader
from plexguard.notify import events
from plexguard.notify.line import Line, line_from_told
from plexguard.notify.orders import ORDERS
from plexguard.notify.spool import Spool
from plexguard.notify.state import FOLDER
from plexguard.notify.works import World

# Of the journal, before what was read is on disk, and in one cycle: each ends well within WatchdogSec=.
_BATCH = 500
_BATCHES = 20


class Intake:
    """trouble: why nothing is taken from the journal just now, "" while it is. It is told when it begins and when it ends."""

    def __init__(self, world: World, spool: Spool, clock: Clock, journal: Journal) -> None:
        self.trouble = ""
        self._world = world
        self._spool = spool
        self._clock = clock
        self._journal = journal
        self._reader: ToldReader | None = None
        self._gap_told = ""
        self._trouble_since = clock.moment()

    def follow(self, note: Callable[[list[Line]], None], admit: Callable[[bool], None]) -> None:
        """Take what is new. note: is given what was kept. admit: is told at the end whether that was all; what it raises is
        trouble, too, and tried again."""
        try:
            reader = self._reader or self._open()
            self._reader = None
            admit(self._take(reader, note))
        except (PlexguardError, OSError) as error:
            self._begin_trouble(str(error))
        else:
            self._reader = reader
            self._end_trouble()

    def wait(self, timeout_s: float, *, hangups: Sequence[int]) -> bool:
        """Wait for what is new, or for the end of a pipe; False, and at once, where the journal is not open."""
        if self._reader is None:
            return False
        self._reader.wait(timeout_s, hangups=hangups)
        return True

    def _open(self) -> ToldReader:
        (self._world.root / FOLDER).mkdir(parents=True, exist_ok=True)
        (self._world.root / ORDERS).mkdir(exist_ok=True)
        reader = self._world.open_journal()
        self._spool.open(reader.seek_end)
        if not self._spool.cursor:
            reader.seek_time(datetime.fromtimestamp(0, UTC))
        elif not reader.seek(self._spool.cursor) and self._gap_told != self._spool.cursor:
            self._gap_told = self._spool.cursor
            self._journal.send(events.JOURNAL_GAP, since=show_cursor_time(self._spool.cursor))
        return reader

    def _take(self, reader: ToldReader, note: Callable[[list[Line]], None]) -> bool:
        for _ in range(_BATCHES):
            told = reader.read(_BATCH)
            lines = [line_from_told(item, self._spool.next + number) for number, item in enumerate(told)]
            self._spool.append(lines)
            note(lines)
            if len(told) < _BATCH:
                return True
        return False

    def _begin_trouble(self, reason: str) -> None:
        if not self.trouble:
            self._trouble_since = self._clock.moment()
            self._journal.send(events.SPOOL_FAILED, reason=reason)
        self.trouble = reason

    def _end_trouble(self) -> None:
        if self.trouble:
            self.trouble = ""
            lasted_s = self._clock.moment().seconds_since(self._trouble_since)
            self._journal.send(events.SPOOL_RECOVERED, downtime_s=lasted_s)


def show_cursor_time(cursor: str) -> str:
    """Return when the entry of a cursor was written, as people read it."""
    for part in cursor.split(";"):
        name, _, value = part.partition("=")
        if name == "t":
            with contextlib.suppress(ValueError, OverflowError, OSError):
                return f"{datetime.fromtimestamp(int(value, 16) / 1e6, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return "an unknown time"
