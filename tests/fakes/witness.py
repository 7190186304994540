"""A server in Plex's place that believes nothing: what reaches it is read byte by byte, and all that HTTP/1.1's grammar does not
allow is kept as malformed."""

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

_FIRST = re.compile(rb"([A-Z]+) ([\x21-\x7e]+) HTTP/1\.([01])")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})(;[\x20-\x7e]*)?")
ONCE = (b"host", b"content-length", b"transfer-encoding", b"upgrade")


class Malformed(Exception):
    """It is no request of HTTP/1.1."""


@dataclass(frozen=True, slots=True)
class Read:
    """A request, and how it came."""

    method: str
    target: str
    headers: dict[bytes, bytes]
    body: bytes


class Witness:
    """reads: the requests in the order in which they ended, without HAProxy's checks. malformed: what was none, with its
    reason. answer: what is sent for a request."""

    def __init__(self, answer: Callable[[Read], bytes] | None = None) -> None:
        self.reads: list[Read] = []
        self.malformed: list[tuple[str, bytes]] = []
        self.answer = answer or (lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._peers: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        for peer in list(self._peers):
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                self._peers.add(peer)
                threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        stream = _Stream(peer)
        with contextlib.suppress(OSError), peer:
            try:
                while (read := read_strictly(stream)) is not None:
                    if read.target != "/identity":
                        self.reads.append(read)
                    peer.sendall(self.answer(read))
            except Malformed as error:
                self.malformed.append((str(error), stream.seen))
        self._peers.discard(peer)


class _Stream:
    """What comes over a connection. seen: since the last request ended."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer
        self._left = b""
        self.seen = b""

    def until_line_end(self) -> bytes:
        """Return a line without its end. Raises Malformed when none comes; EOFError when nothing at all does."""
        while b"\r\n" not in self._left:
            self._more()
        line, _, self._left = self._left.partition(b"\r\n")
        if b"\n" in line or b"\r" in line:
            raise Malformed("a bare end of line")
        return line

    def exactly(self, size: int) -> bytes:
        while len(self._left) < size:
            self._more()
        taken, self._left = self._left[:size], self._left[size:]
        return taken

    def _more(self) -> None:
        data = self._peer.recv(65536)
        self.seen += data
        self._left += data
        if not data:
            if self._left:
                raise Malformed("it breaks off")
            raise EOFError


def read_strictly(stream: _Stream) -> Read | None:
    """Read the next request, None when there is none. Raises Malformed."""
    stream.seen = b""
    try:
        first = _FIRST.fullmatch(stream.until_line_end())
    except EOFError:
        return None
    if first is None or first[1] == b"CONNECT":
        raise Malformed("the first line")
    headers: dict[bytes, bytes] = {}
    try:
        while line := stream.until_line_end():
            header = _HEADER.fullmatch(line)
            if header is None:
                raise Malformed(f"a header: {line!r}")
            name = header[1].lower()
            if name in ONCE and name in headers:
                raise Malformed(f"{name!r} twice")
            headers[name] = header[2]
        body = _read_body(stream, headers)
    except EOFError:
        raise Malformed("it breaks off") from None
    if first[3] == b"0" and b"transfer-encoding" in headers:
        raise Malformed("a coding in HTTP/1.0")
    if headers.get(b"upgrade", b"websocket").lower() != b"websocket":
        raise Malformed("another protocol is asked for")
    return Read(first[1].decode(), first[2].decode(), headers, body)


def _read_body(stream: _Stream, headers: dict[bytes, bytes]) -> bytes:
    length, coding = headers.get(b"content-length"), headers.get(b"transfer-encoding")
    if coding is None:
        if length is not None and not re.fullmatch(rb"[0-9]{1,15}", length):
            raise Malformed("the length")
        return stream.exactly(int(length or 0))
    if length is not None or coding.lower() != b"chunked":
        raise Malformed("the coding")
    body = b""
    while True:
        size = _SIZE.fullmatch(stream.until_line_end())
        if size is None:
            raise Malformed("the size of a chunk")
        if not int(size[1], 16):
            break
        body += stream.exactly(int(size[1], 16))
        if stream.exactly(2) != b"\r\n":
            raise Malformed("the end of a chunk")
    while line := stream.until_line_end():
        if _HEADER.fullmatch(line) is None:
            raise Malformed("a trailer")
    return body
