"""A web server as it is met in the field: it takes what it is sent, and misbehaves when told, one mood a request."""

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def json(self):
        return json.loads(self.body)


Mood = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body go out one by one; the client would wait 40 ms in between.
    disable_nagle_algorithm = True
    server: "Receiver"

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.request_seen = Request(self.command, self.path, headers, body, self.client_address[1])
        with self.server.lock:
            self.server.requests.append(self.request_seen)
            mood = self.server.moods.pop(0) if self.server.moods else self.server.usual
        mood(self)

    do_GET = do_POST = do_PATCH = _take  # noqa: N815

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if not {"Content_Length", "Transfer_Encoding"} & headers.keys():
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args) -> None:
        pass


class Receiver(ThreadingHTTPServer):
    daemon_threads = True
    # More than the usual five may wait: the kernel would drop the sixth, which looks like a slow server.
    request_queue_size = 64

    def __init__(self, usual: Mood) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.usual = usual
        self.moods: list[Mood] = []
        self.requests: list[Request] = []
        self.lock = threading.Lock()
        self.gone = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def handle_error(self, request, client_address) -> None:
        """A client that gives up is no error here."""


@contextlib.contextmanager
def running(receiver: Receiver) -> Iterator[Receiver]:
    thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.gone.set()
        receiver.shutdown()
        receiver.server_close()


# -- moods ------------------------------------------------------------------------------------------------------------


def says(status: int, body: bytes | str | dict = b"", **headers: str) -> Mood:
    data = json.dumps(body).encode() if isinstance(body, dict) else body.encode() if isinstance(body, str) else body
    return lambda handler: handler.answer(status, data, **headers)


def redirects(to: str, status: int = 302) -> Mood:
    return says(status, Location=to)


def hangs(handler: Handler) -> None:
    """Never says anything."""
    handler.server.gone.wait()


def drips_headers(handler: Handler) -> None:
    """A byte of headers now and then, each well within any timeout of a single read."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    _drip(handler)


def drips_body(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    _drip(handler)


def _drip(handler: Handler) -> None:
    while not handler.server.gone.wait(0.02):
        handler.wfile.write(b"x")
        handler.wfile.flush()


def cuts(body: bytes, length: int) -> Mood:
    """Promises more of a body than it sends, and closes."""

    def mood(handler: Handler) -> None:
        handler.answer(200, body, Content_Length=str(length))
        handler.close_connection = True

    return mood


def resets_in_body(handler: Handler) -> None:
    handler.answer(200, b"{", Content_Length="1000")
    handler.wfile.flush()
    resets(handler)


def resets(handler: Handler) -> None:
    """Breaks the connection off (RST)."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # The handler's files hold the socket too.
    handler.rfile.close()
    handler.wfile.close()
    handler.connection.close()
    handler.close_connection = True


def closes_after(status: int, body: bytes = b"") -> Mood:
    """Answers as if the connection stayed open, and closes it."""

    def mood(handler: Handler) -> None:
        handler.answer(status, body)
        handler.close_connection = True

    return mood


def speaks_no_http(handler: Handler) -> None:
    handler.wfile.write(b"220 mail.example.org ESMTP\r\n")
    handler.close_connection = True


def never_ends(handler: Handler) -> None:
    """A body without an end, as fast as it goes."""
    handler.answer(200, b"", Transfer_Encoding="chunked")
    with contextlib.suppress(OSError):
        while not handler.server.gone.is_set():
            handler.wfile.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
    handler.close_connection = True
