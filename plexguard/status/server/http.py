"""Requests and answers: who may ask (a Host that is known), how (GET, HEAD), for what, and within which limits.

Every answer, also that to nonsense, goes out with the same headers. Nothing here writes, and nothing is made of HTML: data is JSON,
and the page is files as they are.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from plexguard.core.errors import PlexguardError
from plexguard.status.server.conceal import conceal
from plexguard.status.server.desk import DEADLINE_S, TookTooLong
from plexguard.status.server.parameters import BadParameter

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "plexguard",
}
# Names that only this machine's own programs can mean, whoever else's name leads here (DNS rebinding).
OWN_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::[0-9]{1,5})?", re.IGNORECASE | re.ASCII)
MOST_CONNECTIONS = 64
# Between two requests, for the head of one, and for a client to take what was sent.
PATIENCE_S = 15.0
_MOST_LINE, _MOST_HEADERS = 4096, 64
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".json": "application/json"}
_TYPES |= {".png": "image/png", ".ico": "image/x-icon", ".woff2": "font/woff2", ".txt": "text/plain"}
_MOST_FILE_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFile:
    content: bytes
    type: str
    tag: str


def load_files(folder: Path) -> dict[str, StaticFile]:
    """Return the files of the page by name: what is there when the service starts, and nothing else, can be asked for."""
    return {path.name: _load(path) for path in sorted(folder.glob("*")) if path.suffix in _TYPES and path.is_file()}


def _load(path: Path) -> StaticFile:
    with path.open("rb") as file:
        content = file.read(_MOST_FILE_BYTES)
    kind = _TYPES[path.suffix]
    return StaticFile(
        content=content,
        type=kind if kind.startswith("image/p") or "font" in kind else f"{kind}; charset=utf-8",
        tag=f'"{hashlib.sha256(content).hexdigest()[:16]}"',
    )


Query = Mapping[str, list[str]]
Answer = web.StreamResponse
Handler = Callable[[web.BaseRequest, Query], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    connections: int = MOST_CONNECTIONS
    patience_s: float = PATIENCE_S
    deadline_s: float = DEADLINE_S


class Gate:
    """Decides about each request, and counts what goes on. streams: paths whose answers have no end, and no deadline.

    bug: is told of an exception that nobody expected.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        files: Mapping[str, StaticFile],
        names: Collection[str],
        *,
        streams: Collection[str] = (),
        limits: Limits = Limits(),  # noqa: B008  # frozen
        bug: Callable[[BaseException], None],
    ) -> None:
        self._handlers = handlers
        self._files = files
        self._names = frozenset(name.lower() for name in names) | OWN_NAMES
        self._streams = frozenset(streams)
        self.limits = limits
        self._bug = bug
        self.active = 0
        self.last_s = 0.0
        self.connections: set[_Connection] = set()

    def make_server(self) -> web.Server:
        return _Server(self)

    async def await_newcomers(self, timeout_s: float) -> None:
        """Wait until each connection has had an answer, for so long at most."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + timeout_s
        while any(connection.is_new for connection in self.connections) and loop.time() < until_s:
            await asyncio.sleep(0.02)

    async def answer(self, request: web.BaseRequest) -> Answer:
        connection = request.protocol
        assert isinstance(connection, _Connection)
        self.active += 1
        try:
            refusal = self._refuse(request)
            return refusal if refusal is not None else await self._answer(request, connection)
        finally:
            self.active -= 1
            self.last_s = asyncio.get_running_loop().time()
            connection.is_new = False
            connection.wait_for_client()

    async def _answer(self, request: web.BaseRequest, connection: "_Connection") -> Answer:
        handler = self._find(request.path)
        if handler is None:
            return make_error(404, "there is nothing here")
        query = {name: request.query.getall(name) for name in request.query}
        timeout_s = None if request.path in self._streams else 2 * self.limits.deadline_s
        work = asyncio.ensure_future(asyncio.wait_for(handler(request, query), timeout_s))
        connection.work = work
        try:
            await asyncio.wait({work})
        finally:
            work.cancel()
        return self._settle(work, connection)

    def _settle(self, work: "asyncio.Task[Answer]", connection: "_Connection") -> Answer:
        """Return the answer that became of the work, whatever became of it."""
        error = asyncio.CancelledError() if work.cancelled() else work.exception()
        match error:
            case None:
                return work.result()
            case BadParameter():
                return make_error(400, str(error))
            case TookTooLong() | asyncio.TimeoutError():
                return make_error(503, "what was asked for cannot be told just now: it took too long")
            case PlexguardError():
                return make_error(503, f"what was asked for cannot be told just now: {error}")
            case ConnectionError() | asyncio.CancelledError():
                # The client has gone, or takes nothing.
                connection.cut()
                raise asyncio.CancelledError
            case _:
                self._bug(error)
                return make_error(500, "a bug of plexguard-status; it is in the journal")

    def _refuse(self, request: web.BaseRequest) -> Answer | None:
        host = _HOST.fullmatch(request.headers.get("Host", ""))
        if host is None:
            return make_error(400, "there must be a Host header with the name of this server")
        if host[1].lower() not in self._names:
            return make_error(403, "this name is not one of this server's; [status] names in plexguard.toml has more of them")
        if request.method not in ("GET", "HEAD"):
            return make_error(405, "only GET and HEAD: nothing can be changed here", Allow="GET, HEAD")
        if not request.raw_path.startswith("/"):
            # As to a proxy: then it is the name in there that counts, and not that in Host.
            return make_error(400, "what is asked for begins with a slash")
        if request.can_read_body:
            answer = make_error(400, "a request here has no body")
            answer.force_close()
            return answer
        return None

    def _find(self, path: str) -> Handler | None:
        name = "index.html" if path == "/" else path.removeprefix("/static/")
        if name != path and name in self._files:
            return self._serve_file(self._files[name])
        return self._handlers.get(path)

    def _serve_file(self, file: StaticFile) -> Handler:
        async def serve(request: web.BaseRequest, query: Query) -> Answer:
            headers = {**HEADERS, "Cache-Control": "no-cache", "ETag": file.tag}
            known = [tag.strip() for tag in request.headers.get("If-None-Match", "").split(",")]
            if file.tag in known:
                return web.Response(status=304, headers=headers)
            return web.Response(body=file.content, headers={**headers, "Content-Type": file.type})

        return serve


def make_json(data: Any, *, status: int = 200, **headers: str) -> web.Response:
    """Return an answer with data, its texts gone through the last net."""
    body = json.dumps(conceal(data), separators=(",", ":"), allow_nan=False).encode("ascii")
    return web.Response(body=body, status=status, headers={**HEADERS, "Content-Type": "application/json", **headers})


def make_error(status: int, text: str, **headers: str) -> web.Response:
    return make_json({"error": text}, status=status, **headers)


def make_text(body: bytes, content_type: str) -> web.Response:
    return web.Response(body=body, headers={**HEADERS, "Content-Type": content_type})


class _Server(web.Server):
    """aiohttp's own, with connections of ours."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(gate.answer)
        self._gate = gate

    def __call__(self) -> RequestHandler:
        return _Connection(self, self._gate)


class _Connection(RequestHandler):
    """A connection that is closed when its client takes its time, and that answers nonsense as it answers everything."""

    def __init__(self, server: web.Server, gate: Gate) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # none, as its documentation says
            keepalive_timeout=gate.limits.patience_s,
            lingering_time=0,
            max_line_size=_MOST_LINE,
            max_headers=_MOST_HEADERS,
            max_field_size=_MOST_LINE,
        )
        self._gate = gate
        self._clock = loop
        # When it is closed for its client's slowness; not while an answer is made.
        self._due_s = 0.0
        self.work: asyncio.Future[Answer] | None = None
        # It has not been answered yet.
        self.is_new = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if len(self._gate.connections) >= self._gate.limits.connections:
            self.force_close()
            return
        self._gate.connections.add(self)
        self.wait_for_client()
        self._look()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._gate.connections.discard(self)
        if self.work is not None:
            # Nobody waits for it any more.
            self.work.cancel()
        super().connection_lost(exc)

    def wait_for_client(self) -> None:
        """From now on it is the client's turn: to take what was sent, and to send a whole request."""
        self.work = None
        self._due_s = self._clock.time() + self._gate.limits.patience_s

    def cut(self) -> None:
        if self.transport is not None:
            # Not close(): that would wait until what was sent is taken.
            self.transport.abort()

    def _look(self) -> None:
        if self not in self._gate.connections:
            return
        if self.work is None and self._clock.time() >= self._due_s:
            self.cut()
            return
        self._clock.call_later(self._gate.limits.patience_s / 4, self._look)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> Answer:
        """Answer what is no request; aiohttp itself would log each with a traceback."""
        answer = make_error(status, "this is no request that can be understood")
        answer.force_close()
        return answer
