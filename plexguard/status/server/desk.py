"""What the answers are made of: taken from the world, kept for a moment, and never waited for longer than an answer may take.

What may hang (a state file on a sick disk, the service manager) is done by threads. One that does not come back is not waited for:
its answer is "cannot tell", and while it hangs the watchdog of this service is not fed.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar

from plexguard.core.clock import Clock
from plexguard.core.errors import PlexguardError, Unavailable
from plexguard.core.events import Event, Priority
from plexguard.core.published import SpeedLine
from plexguard.core.records import encode
from plexguard.core.responses import Response
from plexguard.core.told import Told
from plexguard.status.incidents import Incident, Life, Rules, find_incidents, forget, pick_between
from plexguard.status.overview import Overview
from plexguard.status.server.index import Index
from plexguard.status.server.metrics import Measured, render_metrics
from plexguard.status.server.parameters import EventQuery
from plexguard.status.server.rows import IndexedEvent, index_event
from plexguard.status.server.runbooks import render_runbook, show_fields
from plexguard.status.server.series import thin_responses

T = TypeVar("T")
# An answer that takes longer is given up, with 503.
DEADLINE_S = 8.0
# What was taken just now is still true.
_FRESH_S = 1.0
# Taken anew in any case: a state says by its age, too, how things are.
_STALE_S = 20.0
_MOST_INCIDENTS = 500
# For how long a question waits for the first day after the first start.
_FIRST_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """failed: of plexguard's units, whether each has failed; empty when the service manager does not tell. life: of the machine."""

    overview: Overview
    life: Life | None = None
    failed: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Where it is taken from. take: may raise PlexguardError and OSError. find_watched: files and folders whose change may change
    the overview."""

    clock: Clock
    take: Callable[[], Taken]
    read_responses: Callable[[datetime], Iterable[Response]]
    read_speed: Callable[[], tuple[SpeedLine, ...]]
    find_watched: Callable[[], Iterable[Path]]


class TookTooLong(Exception):
    """What was asked did not come in time."""


class _Fresh(Generic[T]):
    """A value that is taken by a thread and kept for a moment; asked for twice at once, it is taken once."""

    def __init__(self, take: Callable[[], T], pool: ThreadPoolExecutor, bug: Callable[[BaseException], None]) -> None:
        self._take = take
        self._bug = bug
        self._pool = pool
        self._running: asyncio.Future[T] | None = None
        self._value: T | None = None
        self._stamp: object = None
        self._taken_s = 0.0
        self._began_s: float | None = None

    async def get(self, stamp: object, *, timeout_s: float) -> T:
        loop = asyncio.get_running_loop()
        age_s = loop.time() - self._taken_s
        if self._value is not None and (age_s < _FRESH_S or (stamp == self._stamp and age_s < _STALE_S)):
            return self._value
        if self._running is None:
            self._began_s = loop.time()
            self._running = loop.run_in_executor(self._pool, self._take)
            self._running.add_done_callback(lambda done: self._keep(done, stamp))
        running = self._running
        done, _ = await asyncio.wait({running}, timeout=timeout_s)
        if not done:
            raise TookTooLong
        return _open(running, self._bug)

    def _keep(self, done: "asyncio.Future[T]", stamp: object) -> None:
        self._running, self._began_s = None, None
        if not done.cancelled() and done.exception() is None:
            self._value, self._stamp, self._taken_s = done.result(), stamp, asyncio.get_running_loop().time()

    def hangs(self) -> bool:
        """Whether the thread has been away for longer than any answer waits."""
        return self._began_s is not None and asyncio.get_running_loop().time() - self._began_s > 2 * DEADLINE_S


class Desk:
    """The answers, as data. find_covered: from when on the index has everything, None while it has nothing."""

    def __init__(
        self,
        world: World,
        index: Index,
        rules: Rules,
        events: Mapping[str, Event],
        find_covered: Callable[[], datetime | None],
        bug: Callable[[BaseException], None],
    ) -> None:
        self._world = world
        self._index = index
        self._rules = rules
        self._events = events
        self._find_covered = find_covered
        self._bug = bug
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="read")
        self._taken = _Fresh(world.take, ThreadPoolExecutor(max_workers=1, thread_name_prefix="overview"), bug)
        # How many events there have been since the start: part of what tells whether anything has changed.
        self.told = 0

    async def overview(self) -> Overview:
        """Return the overview. Raises TookTooLong and PlexguardError."""
        return (await self._take()).overview

    async def _take(self) -> Taken:
        return await self._taken.get(await self.stamp(), timeout_s=DEADLINE_S)

    async def keep_warm(self) -> None:
        """Take the overview anew when it has changed, or is old, so that who asks need not wait for it. Failing is an answer."""
        with contextlib.suppress(TookTooLong, PlexguardError):
            await self._taken.get(await self.stamp(), timeout_s=0.0)

    async def stamp(self) -> object:
        """Return what is another thing when something has changed. What happens while the first day is read is told to nobody."""
        has_begun = self._find_covered() is not None
        return (self.told, has_begun, self._index.behind, await self._in_thread(self._stamp_files))

    def hangs(self) -> bool:
        return self._taken.hangs()

    async def _await_first_day(self) -> None:
        """Wait a moment for a first start to have read the last day."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + _FIRST_S
        while self._find_covered() is None and loop.time() < until_s:
            await asyncio.sleep(0.01)

    async def events(self, query: EventQuery) -> dict[str, Any]:
        await self._await_first_day()
        found, following = await self._in_thread(lambda: self._index.find_events(query))
        return {"events": [self.show_event(event) for event in found], "next": str(following) if following else None}

    def show_event(self, event: IndexedEvent) -> dict[str, Any]:
        return {
            "id": event.id,
            "at": event.at.isoformat(),
            "name": event.name,
            "priority": event.priority,
            "severity": Priority(event.priority).severity,
            "unit": event.unit,
            "host": event.host,
            "message": event.message,
            "subject": event.subject,
            "fields": show_fields(event.fields),
            "runbook": render_runbook(self._events[event.name], event.fields) if event.name in self._events else None,
        }

    def show_told(self, told: Told) -> dict[str, Any]:
        """Return an event that has just come as it will be found."""
        return self.show_event(index_event(told))

    async def timeline(self, length: timedelta) -> dict[str, Any]:
        await self._await_first_day()
        until = self._world.clock.now()
        since, covered = until - length, self._find_covered()
        taken = await _or_none(self._take())
        life = taken.life if taken else None
        found, complete_from = await self._in_thread(lambda: self._find_incidents(since, until, life))
        return {
            "from": since.isoformat(),
            "to": until.isoformat(),
            "complete": covered is not None and covered <= since and complete_from <= since,
            "incidents": [self._show_incident(incident) for incident in found[:_MOST_INCIDENTS]],
            "left_off": max(0, len(found) - _MOST_INCIDENTS),
        }

    async def series(self, length: timedelta) -> dict[str, Any]:
        until = self._world.clock.now()
        since = until - length
        points = await self._in_thread(lambda: thin_responses(self._world.read_responses(since), since, until))
        tests = [test for test in await self._in_thread(self._world.read_speed) if since <= test.time <= until]
        return {
            "from": since.isoformat(),
            "to": until.isoformat(),
            "response": encode(points),
            "speed": [_show_test(test) for test in tests],
        }

    async def metrics(self) -> bytes:
        taken = await _or_none(self._take())
        measured = Measured(
            overview=taken.overview if taken else None,
            counts=await _or_none(self._in_thread(self._index.counts)),
            events={name: event.priority.severity for name, event in self._events.items()},
            speed=next((test for test in reversed(await self._in_thread(self._world.read_speed)) if test.result), None),
            failed_units=taken.failed if taken else {},
        )
        return await self._in_thread(lambda: render_metrics(measured))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        running = asyncio.get_running_loop().run_in_executor(self._pool, work)
        done, _ = await asyncio.wait({running}, timeout=DEADLINE_S)
        if not done:
            raise TookTooLong
        return _open(running, self._bug)

    def _stamp_files(self) -> tuple[tuple[str, int], ...]:
        return tuple((str(path), stamp) for path in self._world.find_watched() if (stamp := mtime_ns(path)))

    def _find_incidents(self, since: datetime, until: datetime, life: Life | None) -> tuple[tuple[Incident, ...], datetime]:
        """Return the incidents of a time, the newest first, and from when on they are all there."""
        occurrences, complete_from = self._index.find_occurrences(since, until, self._rules)
        incidents = find_incidents(occurrences, self._rules)
        return pick_between(forget(incidents, life, self._rules) if life else incidents, since, until), complete_from

    def _show_incident(self, incident: Incident) -> dict[str, Any]:
        return {
            "id": incident.id,
            "name": incident.name,
            "area": incident.area,
            "about": incident.about,
            "title": incident.title,
            "severity": incident.severity,
            "began": incident.began.isoformat(),
            "ended": incident.ended.isoformat() if incident.ended else None,
            "downtime_s": incident.downtime_s if incident.ended else None,
            "count": incident.count,
            "message": incident.message,
        }


def _open(done: "asyncio.Future[T]", bug: Callable[[BaseException], None]) -> T:
    """Return what a thread has come back with. Raises PlexguardError for what the system refused, and for a bug, which is told."""
    match done.exception():
        case None:
            return done.result()
        case PlexguardError() as error:
            raise error
        case OSError() as error:
            raise Unavailable(str(error)) from error
        case error:
            bug(error)
            raise Unavailable("a bug of plexguard-status; it is in the journal") from error


def _show_test(test: SpeedLine) -> dict[str, Any]:
    result = test.result
    return {
        "at": test.time.isoformat(),
        "download_bit_per_s": result.download_bit_per_s if result else None,
        "upload_bit_per_s": result.upload_bit_per_s if result else None,
        "ping_ms": result.ping_ms if result else None,
        "failure": test.failure,
    }


def mtime_ns(path: Path) -> int:
    """Return when a file was changed, 0 where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


async def _or_none(asked: Awaitable[T]) -> T | None:
    try:
        return await asked
    except (TookTooLong, PlexguardError):
        return None
