"""The port: connections, HTTP framing, the request log, and the modes that break the transport itself."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .messages import Reply, Request
from .misbehaviour import GARBAGE, REPLIES, SILENT

if TYPE_CHECKING:
    from .simulator import PlexSimulator

KEEP_ALIVE_S = 20
POLL_S = 0.02
DRIP_S = 1.0


class Listener(socketserver.ThreadingMixIn, HTTPServer):
    """One listening socket and its connections, each with a thread."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: str, port: int, plex: PlexSimulator) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.plex = plex
        self.closing = threading.Event()
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._number = 0
        super().__init__((address, port), Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(POLL_S,), name="listener", daemon=True)
        self._thread.start()

    def server_bind(self) -> None:
        """Bind without asking the name service for the host's name, as the base class would."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    @property
    def live(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    def next_number(self) -> str:
        """Return the number a request has in the log."""
        with self._lock:
            self._number += 1
            return f"{self._number:x}"

    def enter(self, connection: socket.socket) -> None:
        """Note a connection that was accepted."""
        with self._lock:
            self._connections.add(connection)
        if self.closing.is_set():
            connection.shutdown(socket.SHUT_RDWR)

    def leave(self, connection: socket.socket) -> None:
        """Forget a connection that has ended."""
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
            # The client may have been quicker.
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

    def setup(self) -> None:
        super().setup()
        self.server.enter(self.connection)

    def finish(self) -> None:
        # What was still to be written may have no reader any more.
        with contextlib.suppress(OSError):
            super().finish()
        self.server.leave(self.connection)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the base class from writing to stderr; Plex has a log of its own."""

    def respond(self) -> None:
        """Answer one request as the mode of this moment demands."""
        started = time.monotonic()
        plex = self.server.plex
        request = self.read_request(started)
        plex.record(request)
        mode = plex.faults.current().mode
        if mode in SILENT and not self.outlast(mode):
            self.close_connection = True
            return
        number = self.server.next_number()
        self.log_request_line(request, number)
        reply = self.choose_reply(request)
        if reply is None:
            self.close_connection = True
            return
        self.send(reply, with_body=request.method != "HEAD")
        self.log_completed_line(request, number, reply, time.monotonic() - started)

    # The base class looks its methods up by these names.
    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = respond  # noqa: N815

    def read_request(self, now: float) -> Request:
        """Return what the client sent."""
        length = self.headers.get("Content-Length", "0")
        return Request(
            method=self.command,
            target=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(length)) if length.isdigit() else b"",
            client=self.client_address[0].removeprefix("::ffff:"),
            at_s=now,
        )

    def outlast(self, mode: str) -> bool:
        """Sit through a silent mode; True if an answer is due afterwards.

        A paused server has all requests still before it and answers them; a hung one never will.
        """
        return self.wait_while(mode) and mode == "pause"

    def wait_while(self, mode: str) -> bool:
        """Wait until the mode is over; False if client or server went first."""
        while self.server.plex.faults.current().mode == mode:
            if not self.sleep(POLL_S):
                return False
        return True

    def sleep(self, seconds: float) -> bool:
        """Wait; False if client or server goes meanwhile."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self.server.closing.wait(min(left, POLL_S)) or self.client_has_left():
                return False
        return not self.server.closing.is_set()

    def client_has_left(self) -> bool:
        """Tell whether the client closed the connection."""
        try:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):
            return True

    def choose_reply(self, request: Request) -> Reply | None:
        """Return the answer, or None if there is none to send."""
        plex = self.server.plex
        switches = plex.faults.current()
        if switches.mode == "slow" and not self.sleep(switches.delay_s):
            return None
        if switches.mode == "garbage":
            self.connection.sendall(GARBAGE)
            return None
        if switches.mode == "database-blocked" and request.path != "/identity" and not self.wait_while(switches.mode):
            return None
        if switches.mode in REPLIES:
            return REPLIES[switches.mode](request)
        return plex.answer(request)

    def send(self, reply: Reply, *, with_body: bool) -> None:
        """Put an answer on the wire, whole or as the mode has it."""
        head = self.head(reply)
        body = reply.body if with_body else b""
        mode = self.server.plex.faults.current().mode
        if mode == "half":
            self.close_connection = True
            body = body[: len(body) // 2]
        if mode == "drip":
            self.close_connection = True
            self.drip(head + body)
            return
        # A player takes its time. The limit is for the wait for the next request, and all of a sending would count against it.
        self.connection.settimeout(None)
        self.connection.sendall(head + body)
        self.connection.settimeout(self.timeout)

    def head(self, reply: Reply) -> bytes:
        """Return status line and headers."""
        closes = reply.closes or self.close_connection
        headers = {"X-Plex-Protocol": "1.0", "Content-Length": str(len(reply.body))}
        if reply.content_type:
            headers["Content-Type"] = reply.content_type
        headers |= {"Connection": "close"} if closes else {"Connection": "Keep-Alive", "Keep-Alive": f"timeout={KEEP_ALIVE_S}"}
        headers |= {"Cache-Control": "no-cache", "Date": self.date_time_string()} | dict(reply.headers)
        self.close_connection = closes
        phrase = self.responses.get(reply.status, ("",))[0]
        lines = [f"HTTP/1.1 {reply.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1")

    def drip(self, data: bytes) -> None:
        """Send one byte a second."""
        for byte in data:
            self.connection.sendall(bytes((byte,)))
            if not self.sleep(DRIP_S):
                return

    def log_request_line(self, request: Request, number: str) -> None:
        """Write the line a request begins with."""
        place = "Loopback" if request.client.startswith("127.") or request.client == "::1" else "Subnet"
        signed = " Signed-in Token (owner)" if request.token else ""
        self.server.plex.log_request(
            f"Request: [{self.peer()} ({place})] {request.method} {self.shown_target(request)} ({self.server.live} live)"
            f" #{number}{signed}"
        )

    def log_completed_line(self, request: Request, number: str, reply: Reply, seconds: float) -> None:
        """Write the line a request ends with."""
        self.server.plex.log_request(
            f"Completed: [{self.peer()}] {reply.status} {request.method} {self.shown_target(request)} ({self.server.live} live)"
            f" #{number} {seconds * 1000:.0f}ms {len(reply.body)} bytes"
        )

    def shown_target(self, request: Request) -> str:
        """Return path and query without the token."""
        return request.masked_target() if urlsplit(request.target).query else request.target

    def peer(self) -> str:
        """Return the client's address and port."""
        return f"{self.client_address[0]}:{self.client_address[1]}"
