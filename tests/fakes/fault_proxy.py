"""A storage that fails on purpose: a proxy before a real server of S3 or WebDAV, which does to each kind of request what it is told.

It stands alone, so that it can also be started in a test machine: `fault_proxy.py serve ADDRESS:PORT SERVER:PORT SOCKET` serves, and
`fault_proxy.py tell SOCKET JSON` tells it what to do. Its handle is storage.Faults.

Each request has a connection of its own to the server, and the answer ends with it: so bytes are passed on unread.
"""

import asyncio
import contextlib
import json
import re
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

# What asks of names and sizes, and what asks for the bytes of a file.
CONTROL, DATA = "control", "data"
KINDS = ("pass", "hang", "answer", "reset", "stall", "cut", "slow", "trickle")
_LIST = re.compile(r"[?&](list-type|prefix|delimiter|location|versions|uploads|versioning)\b")
_CODES = {
    401: "InvalidAccessKeyId",
    403: "AccessDenied",
    404: "NoSuchKey",
    429: "TooManyRequests",
    500: "InternalError",
    503: "SlowDown",
}
_REMEMBERED = 500
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Fault:
    """What becomes of a request: pass; hang: no answer until the fault changes, then pass; answer: `status`; reset: at once; stall:
    `after_bytes` of the body, and no more until the fault changes; cut: the same, and then a reset; slow: pass after `seconds`, or when
    the fault changes; trickle: pass at `bytes_per_s`."""

    kind: str = "pass"
    status: int = 503
    seconds: float = 0.0
    after_bytes: int = 0
    bytes_per_s: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: {self.kind!r} is none of {', '.join(KINDS)}")


@dataclass
class Request:
    method: str
    target: str
    head: bytes
    body: bytes = b""

    @property
    def about(self) -> str:
        """Return what it asks for: only a GET of a file is about data."""
        path = self.target.partition("?")[0]
        is_file = self.method == "GET" and not path.endswith("/") and not _LIST.search(self.target)
        return DATA if is_file else CONTROL


class Gone(Exception):
    """The client is no longer there."""


@dataclass
class Proxy:
    address: tuple[str, int]
    server: tuple[str, int]
    faults: dict[str, Fault] = field(default_factory=lambda: {CONTROL: Fault(), DATA: Fault()})
    counts: dict[str, int] = field(default_factory=lambda: {CONTROL: 0, DATA: 0})
    log: deque[tuple[float, str, str, str]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    held: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _listener: asyncio.Server | None = None
    _clients: set[asyncio.StreamWriter] = field(default_factory=set)
    # The loop alone keeps none from being collected while it waits, and its connection would end by that (Python 3.11).
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._begin, *self.address)

    def refuse(self) -> None:
        """Close the port, and end what is under way."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for client in list(self._clients):
            reset(client)

    async def obey(self, order: dict[str, object]) -> dict[str, object]:
        """Carry out an order and return how it stands. Keys: control, data, all (a fault each), listening."""
        for about in (CONTROL, DATA):
            told = order.get(about, order.get("all"))
            if isinstance(told, dict):
                self.faults[about] = Fault(**told)
        if "listening" in order:
            await self.listen() if order["listening"] else self.refuse()
        if order:
            self._changed.set()
            self._changed = asyncio.Event()
        return {"counts": self.counts, "held": self.held, "listening": self._listener is not None, "log": list(self.log)}

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, Gone):
                await self._answer(await read_request(reader), reader, writer)
        finally:
            self._clients.discard(writer)
            writer.close()

    async def _answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        about = request.about
        self.counts[about] += 1
        self.log.append((time.monotonic(), about, request.method, request.target))
        fault = self.faults[about]
        if fault.kind in ("hang", "slow"):
            await self._hold(reader, fault.seconds if fault.kind == "slow" else None)
        if fault.kind == "reset":
            reset(writer)
        elif fault.kind == "answer":
            writer.write(make_answer(fault.status, is_head=request.method == "HEAD"))
            await writer.drain()
        else:
            await self._pass_on(request, fault, reader, writer)

    async def _pass_on(self, request: Request, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answer, asked = await asyncio.open_connection(*self.server)
        except OSError:
            reset(writer)
            return
        try:
            asked.write(request.head + request.body)
            is_body, sent = False, 0
            async for piece in read_pieces(answer):
                if is_body and fault.kind in ("stall", "cut") and sent + len(piece) > fault.after_bytes:
                    writer.write(piece[: fault.after_bytes - sent])
                    await writer.drain()
                    if fault.kind == "cut":
                        reset(writer)
                        return
                    await self._hold(reader, None)
                    piece, fault = piece[fault.after_bytes - sent :], Fault()
                writer.write(piece)
                await writer.drain()
                sent += len(piece) if is_body else 0
                is_body = True
                if fault.kind == "trickle":
                    await asyncio.sleep(len(piece) / fault.bytes_per_s)
        finally:
            asked.close()

    async def _hold(self, reader: asyncio.StreamReader, seconds: float | None) -> None:
        """Wait until the faults change or the time is over. Raises Gone."""
        self.held += 1
        leaves, changes = asyncio.ensure_future(reader.read(1)), asyncio.ensure_future(self._changed.wait())
        try:
            done, _ = await asyncio.wait((leaves, changes), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.held -= 1
            changes.cancel()
            leaves.cancel()
        if leaves in done:
            raise Gone


async def read_request(reader: asyncio.StreamReader) -> Request:
    """Read a request whole, and have its answer end with the connection."""
    lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[:-2]
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
    kept = [line for line in lines if not line.lower().startswith((b"connection:", b"expect:"))]
    method, target, _ = lines[0].decode("latin-1").split(" ", 2)
    if b"chunked" in headers.get(b"transfer-encoding", b""):
        raise Gone
    body = await reader.readexactly(int(headers.get(b"content-length", b"0")))
    return Request(method, target, b"\r\n".join([*kept, b"Connection: close", b"", b""]), body)


async def read_pieces(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield an answer: first its head, then its body as it comes."""
    try:
        yield await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        yield error.partial
    while piece := await reader.read(_CHUNK):
        yield piece


def make_answer(status: int, *, is_head: bool) -> bytes:
    code = _CODES.get(status, "Fault")
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{code}, as told</Message></Error>'.encode()
    head = f"HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + (b"" if is_head else body)


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection by a reset instead of an end."""
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def serve(address: tuple[str, int], server: tuple[str, int], control: str) -> None:
    proxy = Proxy(address, server)
    await proxy.listen()

    async def take_order(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await proxy.obey(json.loads(await reader.readline()))
        except (ValueError, TypeError, OSError) as error:
            answer = {"error": str(error)}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
        writer.close()

    Path(control).unlink(missing_ok=True)
    async with await asyncio.start_unix_server(take_order, control):
        await asyncio.Event().wait()


def tell(control: str, order: str) -> str:
    """Send an order in JSON to the proxy and return what it answers."""
    with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rwb") as file:
        connection.connect(control)
        file.write(order.encode() + b"\n")
        file.flush()
        return file.readline().decode()


def parse_address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def main(argv: list[str]) -> None:
    if argv[0] == "tell":
        print(tell(argv[1], argv[2]), end="")
    else:
        asyncio.run(serve(parse_address(argv[1]), parse_address(argv[2]), argv[3]))


if __name__ == "__main__":
    main(sys.argv[1:])
