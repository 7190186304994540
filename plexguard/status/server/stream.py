"""Server-sent events: the overview when it has changed, and each event as it is told.

A client that does not keep up is let go of: it connects again, and asks for what it missed. While there are none, nothing is
looked at.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from plexguard.core.errors import PlexguardError
from plexguard.status.server.conceal import conceal
from plexguard.status.server.desk import TookTooLong
from plexguard.status.server.http import HEADERS, Query, make_error
from plexguard.status.server.parameters import parse_none

MOST_CLIENTS = 16
# What a client may be behind; 64 events are told in a storm.
_MOST_WAITING = 256
COMMENT_S = 15.0
LOOK_S = 2.0
_LOOK_AGAIN_S = 20.0
_WRITE_S = 10.0
_RETRY_MS = 3000


class Streams:
    """Those who listen. take: the overview as data. stamp: what is another thing when it may have changed."""

    def __init__(self, take: Callable[[], Awaitable[dict[str, Any]]], stamp: Callable[[], Awaitable[object]]) -> None:
        self._take = take
        self._stamp = stamp
        self._clients: set[asyncio.Queue[bytes | None]] = set()
        self._last: dict[str, Any] | None = None
        self._last_stamp: object = None
        self._looked_s = 0.0

    def __len__(self) -> int:
        return len(self._clients)

    async def serve(self, request: web.BaseRequest, query: Query) -> web.StreamResponse:
        parse_none(query)
        if len(self._clients) >= MOST_CLIENTS:
            refusal = make_error(503, f"{MOST_CLIENTS} listen already", **{"Retry-After": "30"})
            # It will not ask for anything else, and connections are few.
            refusal.force_close()
            return refusal
        answer = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        if request.method == "HEAD":
            return answer
        waiting: asyncio.Queue[bytes | None] = asyncio.Queue(_MOST_WAITING)
        self._clients.add(waiting)
        try:
            await answer.prepare(request)
            await _write(answer, f"retry: {_RETRY_MS}\n\n".encode())
            with contextlib.suppress(TookTooLong, PlexguardError):
                await _write(answer, make_message("overview", await self._take()))
            await self._pass_on(answer, waiting)
        finally:
            self._clients.discard(waiting)
        return answer

    async def _pass_on(self, answer: web.StreamResponse, waiting: asyncio.Queue[bytes | None]) -> None:
        while True:
            try:
                message = await asyncio.wait_for(waiting.get(), COMMENT_S)
            except TimeoutError:
                message = b": still here\n\n"
            if message is None:
                return
            await _write(answer, message)

    def tell(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            self._send(make_message("told", event))

    def end(self) -> None:
        """Let go of all, as when the service stops."""
        for waiting in self._clients:
            _drop(waiting)

    async def look(self) -> None:
        """Send the overview to all when it is another than before, but for its time."""
        if not self._clients:
            self._last = None
            return
        now_s = asyncio.get_running_loop().time()
        with contextlib.suppress(TookTooLong, PlexguardError):
            stamp = await self._stamp()
            # Ages and rests of time change by themselves.
            if stamp == self._last_stamp and now_s - self._looked_s < _LOOK_AGAIN_S:
                return
            self._last_stamp, self._looked_s = stamp, now_s
            taken = await self._take()
            if _without_time(taken) != _without_time(self._last or {}):
                self._last = taken
                self._send(make_message("overview", taken))

    def _send(self, message: bytes) -> None:
        for waiting in self._clients:
            if waiting.full():
                _drop(waiting)
            else:
                waiting.put_nowait(message)


def _drop(waiting: asyncio.Queue[bytes | None]) -> None:
    while not waiting.empty():
        waiting.get_nowait()
    waiting.put_nowait(None)


def _without_time(overview: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in overview.items() if name != "at"}


def make_message(event: str, data: Any) -> bytes:
    """Return a message in one line of data: JSON has no line ends in its texts."""
    text = json.dumps(conceal(data), separators=(",", ":"), allow_nan=False)
    return f"event: {event}\ndata: {text}\n\n".encode("ascii")


async def _write(answer: web.StreamResponse, message: bytes) -> None:
    try:
        await asyncio.wait_for(answer.write(message), _WRITE_S)
    except TimeoutError as error:
        raise ConnectionResetError("the client takes nothing") from error
