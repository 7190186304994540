"""A small server in Plex's place that does what no proxy likes: it answers each path as its script says, and keeps what it was asked."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Asked:
    """A request as it came in. at: on time.monotonic()."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower())


Script = Callable[["Peer", Asked], None]


class Peer:
    """One connection, for a script to write to."""

    def __init__(self, connection: socket.socket, closing: threading.Event) -> None:
        self._connection = connection
        self.closing = closing
        self.file = connection.makefile("rb")

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def answer(self, status: int = 200, body: bytes = b"<MediaContainer/>", *headers: str) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def hang(self) -> None:
        """Say nothing until the server ends."""
        self.closing.wait(60)

    def reset(self) -> None:
        """End with a reset, not with an end."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        # The last one to hold it closes it.
        self.file.close()
        self._connection.close()
        raise OSError


def well(peer: Peer, asked: Asked) -> None:
    peer.answer(200, b"" if asked.method == "HEAD" else b"<MediaContainer/>", "Content-Type: text/xml")


class Upstream:
    """script: what is done with a request; exchange it at will. HAProxy's own questions are answered beside it."""

    def __init__(self, script: Script = well, *, port: int = 0) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        self._connections: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    def close(self) -> None:
        self.closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        peer = Peer(connection, self.closing)
        with contextlib.suppress(OSError, ValueError), connection:
            while (asked := read_request(peer)) is not None:
                if asked.path == "/identity":
                    well(peer, asked)
                    continue
                self.asked.append(asked)
                self.script(peer, asked)
        self._connections.discard(connection)


def read_request(peer: Peer) -> Asked | None:
    first = peer.file.readline().decode("latin-1").split()
    if len(first) != 3:
        return None
    headers = []
    while (line := peer.file.readline().decode("latin-1").rstrip("\r\n")) != "":
        name, _, value = line.partition(":")
        headers.append((name, value.strip()))
    asked = Asked(first[0], first[1], headers, b"")
    if asked.header("Expect"):
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    if "chunked" in asked.header("Transfer-Encoding"):
        while size := int(peer.file.readline().split(b";")[0], 16):
            asked.body += peer.file.read(size)
            peer.file.readline()
        peer.file.readline()
    elif length := asked.header("Content-Length"):
        asked.body = peer.file.read(int(length))
    return asked
