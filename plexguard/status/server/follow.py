"""Keep the index up with the journal: what is new at once, and what is older bit by bit, the latest days first.

The journal is asked for plexguard's own entries only (core/told.py). On the first start the last day is read before anything
else: it is what people look at. A day is read, then written down as read; a stop in the middle reads it once more.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from plexguard.core.clock import Clock
from plexguard.core.errors import IoFailed
from plexguard.core.told import Told, ToldReader
from plexguard.status.server.index import KEPT_AGE, Index, IndexTorn

FIRST = timedelta(days=1)
_STEP = timedelta(days=1)
# Small enough that an answer is not kept waiting for the interpreter.
_BATCH = 200
_TRIM_S = 86_400.0
_CURSOR, _COVERED, _NEWEST, _REACH = "cursor", "covered", "newest", "reach"
# The clock may have been set back a little since the last entry.
_OVERLAP = timedelta(minutes=5)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Follower:
    """One journal, read into one index. tell: is given what has just happened. Used by one thread.

    Every call raises OSError where the journal cannot be read, IoFailed where the index cannot be written."""

    def __init__(
        self, index: Index, open_reader: Callable[[], ToldReader], clock: Clock, tell: Callable[[tuple[Told, ...]], None]
    ) -> None:
        self._index = index
        self._open_reader = open_reader
        self._clock = clock
        self._tell = tell
        self._reader: ToldReader | None = None
        self._older: ToldReader | None = None
        self._step_from = _BEGINNING
        self._oldest: datetime | None = None
        self._trimmed_s: float | None = None
        self._has_more = False
        # From when on the index has all that the journal has; None before the first day was read.
        self.covered: datetime | None = None
        # When the journal began that it was made from.
        self._reach = _BEGINNING

    def cycle(self, wait_s: float) -> None:
        """Read what is new; when there is nothing, a little of what is old; else wait for something, for so long at most."""
        try:
            self._cycle(wait_s)
        except IndexTorn as error:
            self._reader = self._older = self.covered = None
            self._index.renew(str(error))
        except (OSError, IoFailed):
            # What was read and could not be kept is read again, from where the index ends.
            self._reader = self._older = None
            raise

    def _cycle(self, wait_s: float) -> None:
        if self._reader is None:
            self._reader = self._start()
            return
        told = self._reader.read(_BATCH)
        self._has_more = len(told) == _BATCH
        if told:
            new = self._index.add(told, places=_places(told[-1]), count=True)
            if new:
                self._tell(new)
            return
        if self._has_older:
            self._read_older()
            # Others want to read the journal too, and this process has answers to give.
            self._reader.wait(min(wait_s, 0.02))
            return
        self._trim()
        self._reader.wait(wait_s)

    @property
    def complete_from(self) -> datetime | None:
        """From when on the index has all that was told, None while it has nothing."""
        return max(self.covered, self._reach) if self.covered is not None else None

    @property
    def is_behind(self) -> bool:
        """Whether there is more to read at once."""
        return self.covered is None or self._has_older or self._has_more

    @property
    def _has_older(self) -> bool:
        """Whether older days are to be read: memory has room for the last one."""
        return self.covered is not None and self.covered > _BEGINNING and not self._index.no_disk

    def _start(self) -> ToldReader:
        """Return a reader at the place up to which the index has everything; read the last day when that is nowhere."""
        reader = self._open_reader()
        cursor, covered = self._index.place(_CURSOR), self._index.place(_COVERED)
        if covered and cursor:
            if not reader.seek(cursor):
                # The place is gone with an old journal. What is there twice is kept once.
                reader.seek_time(_parse(self._index.place(_NEWEST)) - _OVERLAP)
            self.covered, self._reach = _parse(covered), _parse(self._index.place(_REACH))
            return reader
        since = self._clock.now() - FIRST
        self._reach = reader.first() or _BEGINNING
        end = reader.seek_end()
        reader.seek_time(since)
        places = {_CURSOR: end, _NEWEST: self._clock.now().isoformat()} if end else {}
        while told := reader.read(_BATCH):
            places = _places(told[-1])
            self._index.add(told, places={}, count=False)
        self._index.add((), places={**places, _COVERED: since.isoformat(), _REACH: self._reach.isoformat()}, count=False)
        self.covered = since
        return reader

    def _read_older(self) -> None:
        """Read on in the day before what is covered, and begin the next when it is done."""
        assert self.covered is not None
        if self._older is None:
            self._older = self._open_reader()
            first = self._older.read(1)
            self._oldest = first[0].at if first else None
            self._begin_step(self.covered - _STEP)
        told = self._older.read(_BATCH)
        wanted = tuple(one for one in told if one.at < self.covered)
        self._index.add(wanted, places={}, count=False)
        if told and len(wanted) == len(told):
            return
        is_last = self._oldest is None or self._step_from <= self._oldest or self._step_from <= self._clock.now() - KEPT_AGE
        self.covered = _BEGINNING if is_last else self._step_from
        self._index.add((), places={_COVERED: self.covered.isoformat()}, count=False)
        if is_last:
            self._older = None
        else:
            self._begin_step(self.covered - _STEP)

    def _begin_step(self, since: datetime) -> None:
        assert self._older is not None
        self._step_from = since
        self._older.seek_time(since)

    def _trim(self) -> None:
        now_s = self._clock.monotonic_s()
        if self._trimmed_s is None or now_s - self._trimmed_s >= _TRIM_S:
            self._index.trim(self._clock.now())
            self._trimmed_s = now_s


def read_covered(index: Index) -> datetime | None:
    """Return from when on an index has all that was told, None while it has nothing: all that the journal has, and no more than
    it had when the index was made."""
    covered = index.place(_COVERED)
    return max(_parse(covered), _parse(index.place(_REACH))) if covered else None


def _places(last: Told) -> dict[str, str]:
    return {_CURSOR: last.cursor, _NEWEST: last.at.isoformat()}


def _parse(text: str) -> datetime:
    """Return a time that we have written; a torn one stands for long ago, and what is read again is kept once."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return _BEGINNING + _OVERLAP
