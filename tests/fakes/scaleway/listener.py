"""The port: connections and HTTP framing."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Protocol

from .messages import Answer, Dropped, Request
from .records import new_id

KEEP_ALIVE_S = 20
POLL_S = 0.01


class Server(Protocol):
    """What answers."""

    def answer(self, request: Request, is_alive: Callable[[], bool]) -> Answer:
        """Answer a request, or raise Dropped. is_alive: tells whether somebody still waits for it."""

    def date(self) -> str:
        """Return the time, for the header Date."""


class Listener(socketserver.ThreadingMixIn, HTTPServer):
    """One listening socket and its connections, each with a thread."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: str, port: int, server: Server) -> None:
        self.server = server
        self.closing = threading.Event()
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__((address, port), Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(POLL_S,), name="scaleway", daemon=True)
        self._thread.start()

    def server_bind(self) -> None:
        """Bind without asking the name service for the host's name, as the base class would."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def enter(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.add(connection)

    def leave(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.discard(connection)

    def end(self) -> None:
        """Close the port and every connection."""
        self.closing.set()
        self.shutdown()
        self.server_close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing about clients that leave in the middle; anything else is a bug and is shown."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = KEEP_ALIVE_S
    server: Listener
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.server.enter(self.connection)

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        self.server.leave(self.connection)

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""

    def respond(self) -> None:
        length = self.headers.get("Content-Length", "0")
        request = Request(
            method=self.command,
            target=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(length)) if length.isdigit() else b"",
        )
        try:
            answer = self.server.server.answer(request, self.is_alive)
        except Dropped:
            self.close_connection = True
            return
        self.send(answer)

    # The base class looks its methods up by these names.
    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = respond  # noqa: N815

    def is_alive(self) -> bool:
        """Tell whether client and server are still there."""
        if self.server.closing.is_set():
            return False
        try:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return not readable or self.connection.recv(1, socket.MSG_PEEK) != b""
        except (OSError, ValueError):
            return False

    def send(self, answer: Answer) -> None:
        payload = answer.payload()
        headers = {"Date": self.server.server.date(), "X-Request-Id": new_id(), "Server": "Scaleway API Gateway"}
        if answer.status != 204:
            headers["Content-Length"] = str(len(payload))
        if payload:
            headers["Content-Type"] = (
                "text/plain" if isinstance(answer.body, bytes) and answer.status >= 400 else answer.content_type
            )
        headers |= dict(answer.headers)
        phrase = self.responses.get(answer.status, ("",))[0]
        lines = [f"HTTP/1.1 {answer.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        if not answer.whole:
            self.close_connection = True
            payload = payload[: len(payload) // 2]
        self.connection.sendall("\r\n".join(lines).encode("latin-1") + payload)


def date_of(moment: object) -> str:
    """Return a time as HTTP writes it."""
    return format_datetime(moment, usegmt=True)  # type: ignore[arg-type]


def sleep_while(is_alive: Callable[[], bool], seconds: float) -> None:
    """Wait, in real time. Raises Dropped once nobody waits for the answer."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if not is_alive():
            raise Dropped
        time.sleep(min(left, POLL_S))
