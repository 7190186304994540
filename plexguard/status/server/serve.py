"""The life of the service: sockets that were handed over, a thread that follows the journal, and an end when nobody asks.

The watchdog is fed when a cycle of the follower has ended and the loop of requests has taken notice, and not while something that
was taken for an answer hangs: both sides of the work prove themselves.
"""

import asyncio
import contextlib
import dataclasses
import signal
import socket
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiohttp import web

from plexguard.core import core_events
from plexguard.core.errors import PlexguardError
from plexguard.core.events import Event
from plexguard.core.journal import Journal
from plexguard.core.notify import Notifier, one_line
from plexguard.core.records import encode
from plexguard.core.told import Told, ToldReader
from plexguard.status.config import Config
from plexguard.status.incidents import make_rules
from plexguard.status.server.desk import Desk, TookTooLong, World
from plexguard.status.server.follow import Follower
from plexguard.status.server.health import Health, cannot_tell, judge_all, judge_plex
from plexguard.status.server.http import Gate, Handler, Limits, Query, load_files, make_json, make_text
from plexguard.status.server.index import Index
from plexguard.status.server.metrics import CONTENT_TYPE
from plexguard.status.server.parameters import parse_events, parse_none, parse_range
from plexguard.status.server.stream import LOOK_S, Streams

PAGE = Path(__file__).parent.parent / "web"
PROGRAM = "plexguard-status"
# How long the follower waits for news, and how long it leaves the journal alone between two looks.
_WAIT_S = 2.0
_PAUSE_S, _QUIET_PAUSE_S = 0.2, 1.0
_RETRY_S = 5.0
_BEAT_S = 5.0
_STOP_S = 5.0
_LAST_S = 2.0
_MOST_BUGS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """sockets: to listen at, already bound. names: under which it may be asked, beside its own. idle: it ends after so long without
    requests."""

    sockets: Sequence[socket.socket]
    names: tuple[str, ...]
    idle: timedelta
    limits: Limits = dataclasses.field(default_factory=Limits)
    page: Path = PAGE


class Service:
    """One life: from the sockets to the end. open_reader: the journal's events."""

    def __init__(
        self,
        setting: Setting,
        world: World,
        index: Index,
        open_reader: Callable[[], ToldReader],
        events: Sequence[Event],
        *,
        journal: Journal,
        notifier: Notifier,
    ) -> None:
        self._setting = setting
        self._index = index
        self._journal = journal
        self._notifier = notifier
        self._follower = Follower(index, open_reader, world.clock, self._pass_on)
        rules = make_rules(events)
        self._desk = Desk(
            world, index, rules, {event.name: event for event in events}, lambda: self._follower.complete_from, self._tell_bug
        )
        self._streams = Streams(self._take_overview, self._desk.stamp)
        self._gate = Gate(
            self._handlers(),
            load_files(setting.page),
            setting.names,
            streams={"/api/v1/stream"},
            limits=setting.limits,
            bug=self._tell_bug,
        )
        self._stop = threading.Event()
        self._ended: asyncio.Event
        self._loop: asyncio.AbstractEventLoop
        self._beaten_s = 0.0
        self._is_ready = False
        # Why the journal cannot be followed just now, "" while it can.
        self._trouble = ""
        self._told_bugs: set[str] = set()

    async def run(self) -> None:
        """Serve until asked to stop, or until nobody has asked for anything for a while. Raises what the follower raised."""
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self.stop)
        self._gate.last_s = self._loop.time()
        follower = self._loop.run_in_executor(None, self._follow)
        server = self._gate.make_server()
        listeners = [await self._loop.create_server(server, sock=listening) for listening in self._setting.sockets]
        # Whatever became of it: what cannot be told is an answer, too.
        first = await self._judge(judge_all)
        self._is_ready = True
        self._notifier.tell("READY=1", f"STATUS={one_line(self._describe(first))}", "WATCHDOG=1")
        watch = asyncio.ensure_future(self._watch())
        ended = asyncio.ensure_future(self._ended.wait())
        waited: set[asyncio.Future[Any]] = {watch, ended, follower}
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._notifier.tell("STOPPING=1")
            self._stop.set()
            self._streams.end()
            # Who comes from now on waits at systemd's socket for the next life; who has come is answered in this one.
            for listener in listeners:
                listener.close()
            await self._gate.await_newcomers(_LAST_S)
            await server.shutdown(_STOP_S)
            for task in (watch, ended):
                task.cancel()
            await asyncio.wait({follower}, timeout=_STOP_S)
        for one in waited - {ended}:
            if one.done() and not one.cancelled():
                one.result()

    def stop(self) -> None:
        self._ended.set()

    # -- the two sides ------------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        """Run in a thread of its own until the service stops."""
        while not self._stop.is_set():
            trouble = ""
            try:
                self._follower.cycle(_WAIT_S)
            except (OSError, PlexguardError) as error:
                trouble = str(error)
            self._index.behind = trouble
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._beat, trouble)
            # A journal in which others write all the time is looked at a few times a second, and no more.
            is_behind = not trouble and self._follower.is_behind
            self._stop.wait(_RETRY_S if trouble else 0.01 if is_behind else _PAUSE_S if len(self._streams) else _QUIET_PAUSE_S)

    def _beat(self, trouble: str) -> None:
        self._trouble = trouble
        now_s = self._loop.time()
        if self._is_ready and now_s - self._beaten_s >= _BEAT_S and not self._desk.hangs():
            self._beaten_s = now_s
            self._notifier.tell("WATCHDOG=1")

    def _pass_on(self, told: tuple[Told, ...]) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._tell, told)

    def _tell(self, told: tuple[Told, ...]) -> None:
        self._desk.told += len(told)
        if len(self._streams):
            self._streams.tell([self._desk.show_told(one) for one in told])

    async def _watch(self) -> None:
        """Look after those who listen, and end when nobody has asked for anything for long enough."""
        told_s = self._loop.time()
        while True:
            await asyncio.sleep(LOOK_S)
            await self._desk.keep_warm()
            await self._streams.look()
            idle_s = self._loop.time() - self._gate.last_s
            if not self._gate.active and idle_s >= self._setting.idle.total_seconds():
                self._ended.set()
                return
            if self._loop.time() - told_s >= 60:
                told_s = self._loop.time()
                self._notifier.tell(f"STATUS={one_line(self._describe(None))}")

    def _describe(self, health: Health | None) -> str:
        parts = [f"{len(self._gate.connections)} connections, {len(self._streams)} listen"]
        parts += [f"the journal cannot be followed: {self._trouble}"] if self._trouble else []
        parts += ["all is well" if health.healthy else f"not well: {'; '.join(health.reasons)}"] if health is not None else []
        return "; ".join(parts)

    def _tell_bug(self, error: BaseException) -> None:
        """Tell a bug once: who asks for what leads to it may ask a hundred times a second."""
        text = f"{type(error).__name__}: {error}"
        if text not in self._told_bugs and len(self._told_bugs) < _MOST_BUGS:
            self._told_bugs.add(text)
            lines = "".join(traceback.format_exception(error))
            self._journal.send(core_events.PROGRAM_BUG, program=PROGRAM, error=text, traceback=lines)

    # -- what can be asked for ----------------------------------------------------------------------------------------

    def _handlers(self) -> Mapping[str, Handler]:
        return {
            "/api/v1/overview": self._serve_overview,
            "/api/v1/health": lambda request, query: self._serve_health(query, judge_all),
            "/api/v1/health/plex": lambda request, query: self._serve_health(query, judge_plex),
            "/api/v1/events": self._serve_events,
            "/api/v1/timeline": self._serve_timeline,
            "/api/v1/series": self._serve_series,
            "/api/v1/stream": self._streams.serve,
            "/metrics": self._serve_metrics,
        }

    async def _take_overview(self) -> dict[str, Any]:
        return dict(encode(await self._desk.overview()))

    async def _serve_overview(self, request: web.BaseRequest, query: Query) -> web.StreamResponse:
        parse_none(query)
        return make_json(await self._take_overview())

    async def _serve_health(self, query: Query, judge: Callable[[Any], Health]) -> web.StreamResponse:
        parse_none(query)
        health = await self._judge(judge)
        return make_json(health.as_json(), status=health.status)

    async def _judge(self, judge: Callable[[Any], Health]) -> Health:
        try:
            return judge(await self._desk.overview())
        except TookTooLong:
            return cannot_tell("the state of what is guarded cannot be told: it took too long")
        except PlexguardError as error:
            return cannot_tell(f"the state of what is guarded cannot be told: {error}")

    async def _serve_events(self, request: web.BaseRequest, query: Query) -> web.StreamResponse:
        return make_json(await self._desk.events(parse_events(query)))

    async def _serve_timeline(self, request: web.BaseRequest, query: Query) -> web.StreamResponse:
        return make_json(await self._desk.timeline(parse_range(query)))

    async def _serve_series(self, request: web.BaseRequest, query: Query) -> web.StreamResponse:
        return make_json(await self._desk.series(parse_range(query)))

    async def _serve_metrics(self, request: web.BaseRequest, query: Query) -> web.StreamResponse:
        # Prometheus may be configured to send parameters of its own.
        return make_text(await self._desk.metrics(), CONTENT_TYPE)


def find_names(config: Config) -> tuple[str, ...]:
    """Return under which names it may be asked for: those that are configured, and the addresses it listens at."""
    addresses = (endpoint.address for endpoint in config.listen)
    return (*config.names, *(f"[{address}]" if ":" in address else address for address in addresses))


def serve_until_idle(service: Service) -> None:
    """Live one life. A thread that hangs does not keep the process from ending."""
    asyncio.run(service.run())
