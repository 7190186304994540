"""A server on a port of this machine, with sources that do as they are told."""

import asyncio
import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from plexguard.core.clock import Clock, SystemClock
from plexguard.core.published import SpeedLine
from plexguard.core.responses import Response
from plexguard.status.overview import Overview, PlexView, State, Thing
from plexguard.status.server.desk import Taken, World
from plexguard.status.server.http import Limits
from plexguard.status.server.index import Index
from plexguard.status.server.serve import Service, Setting
from tests.fakes.ports import FakeJournal, FakeNotifier
from tests.fakes.told import EVENTS, FakeEvents

WELL = Overview(
    at=datetime(2026, 11, 21, 10, 0, tzinfo=UTC),
    host="media",
    healthy=True,
    things=(Thing(name="plex", title="Plex", state=State.WELL, summary="healthy"),),
    plex=PlexView(
        verdict="healthy", checked=datetime(2026, 11, 21, 9, 59, 30, tzinfo=UTC), latencies={"identity": 0.002}, viewers=2
    ),
)


@dataclass
class Sources:
    """What the server sees. overview: or what taking it raises. gate: taking it waits for this."""

    overview: Overview | Exception = WELL
    events: FakeEvents = field(default_factory=FakeEvents)
    responses: tuple[Response, ...] = ()
    speed: tuple[SpeedLine, ...] = ()
    units: dict[str, bool] = field(default_factory=dict)
    watched: list[Path] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    taken: int = 0

    def __post_init__(self) -> None:
        self.gate.set()

    def take(self) -> Taken:
        self.taken += 1
        self.gate.wait(60)
        if isinstance(self.overview, Exception):
            raise self.overview
        return Taken(overview=self.overview, failed=self.units)

    def change(self, **changes: Any) -> None:
        assert isinstance(self.overview, Overview)
        self.overview = replace(self.overview, **changes)


@dataclass
class Running:
    port: int
    sources: Sources
    journal: FakeJournal
    notifier: FakeNotifier
    thread: threading.Thread
    index: Index

    def get(self, path: str, *, method: str = "GET", headers: Mapping[str, str] = {}, body: bytes | None = None) -> "Got":
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, headers=dict(headers), body=body)
            answer = connection.getresponse()
            return Got(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def raw(self, data: bytes, *, timeout_s: float = 20) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s) as connection:
            connection.sendall(data)
            found = b""
            while part := connection.recv(65536):
                found += part
        return found

    def listen(self, path: str = "/api/v1/stream") -> "Listener":
        return Listener(self.port, path)

    @property
    def ended(self) -> bool:
        return not self.thread.is_alive()


@dataclass
class Got:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Listener:
    """A client of server-sent events."""

    def __init__(self, port: int, path: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n".encode())
        self._answer = http.client.HTTPResponse(self.socket)
        self._answer.begin()
        self.status = self._answer.status
        self.headers = {name.lower(): value for name, value in self._answer.getheaders()}

    def messages(self) -> Iterator[tuple[str, Any]]:
        with contextlib.suppress(http.client.IncompleteRead, ConnectionError):
            yield from self._messages()

    def _messages(self) -> Iterator[tuple[str, Any]]:
        event = ""
        for line in self._answer:
            text = line.decode().rstrip("\n")
            if text.startswith("event: "):
                event = text.removeprefix("event: ")
            elif text.startswith("data: "):
                yield event, json.loads(text.removeprefix("data: "))

    def close(self) -> None:
        self._answer.close()
        self.socket.close()


@contextmanager
def serving(
    folder: Path,
    sources: Sources | None = None,
    *,
    names: tuple[str, ...] = (),
    idle: timedelta = timedelta(hours=1),
    limits: Limits | None = None,
    page: Path | None = None,
    clock: Clock | None = None,
) -> Iterator[Running]:
    sources = sources or Sources()
    journal, notifier = FakeJournal(), FakeNotifier()
    listening = socket.create_server(("127.0.0.1", 0))
    index = Index(folder / "index.sqlite", journal)
    world = World(
        clock=clock or SystemClock(),
        take=sources.take,
        read_responses=lambda since: [r for r in sources.responses if r.at >= since.timestamp()],
        read_speed=lambda: sources.speed,
        find_watched=lambda: sources.watched,
    )
    setting = Setting(sockets=(listening,), names=names, idle=idle, limits=limits or Limits(), page=page or folder / "no page")
    loop = asyncio.new_event_loop()
    loop.add_signal_handler = lambda *_: None  # type: ignore[method-assign]  # only of a main thread
    service = Service(setting, world, index, sources.events.open, tuple(EVENTS.values()), journal=journal, notifier=notifier)
    errors: list[BaseException] = []

    def live() -> None:
        try:
            loop.run_until_complete(service.run())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=live)
    thread.start()
    try:
        yield Running(listening.getsockname()[1], sources, journal, notifier, thread, index)
    finally:
        sources.gate.set()
        if thread.is_alive():
            loop.call_soon_threadsafe(service.stop)
        thread.join(20)
        index.close()
        assert not thread.is_alive()
        assert errors == []
