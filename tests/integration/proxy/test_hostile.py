"""Callers who mean harm, or are many: requests with two ends, headers that never come, ten thousand idle connections."""

import contextlib
import re
import resource
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.upstream import Upstream
from tests.fakes.witness import Read, Witness
from tests.integration.proxy.door import Door
from tests.waiting import await_true


@pytest.fixture
def plex() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture
def door(plex: Upstream) -> Iterator[Door]:
    with Door(plex.url) as opened:
        yield opened


def say(door: Door, data: bytes, *, wait_s: float = 1.0) -> bytes:
    """Send bytes as they are, and return all that comes back."""
    with socket.create_connection(("127.0.0.1", door.port), 5) as peer:
        peer.sendall(data)
        return listen(peer, wait_s=wait_s)


def listen(peer: socket.socket, *, wait_s: float) -> bytes:
    peer.settimeout(wait_s)
    got = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        while chunk := peer.recv(65536):
            got += chunk
    return got


# The path of each is its own, @@ standing for its number: they are all sent at once.
NEXT = b"GET /@@/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
SIZE = str(len(NEXT)).encode()
GET = b"GET /@@ HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /@@ HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
LONG = b"Content-Length: " + SIZE + b"\r\n"
END = b"0\r\n\r\n"
WEBSOCKET = (
    b"GET /@@ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 777\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
# What reaches Plex, and what is refused. Whatever is refused reaches it with no byte.
PASS, REFUSED = 1, 0
SAMPLES: dict[str, tuple[int, bytes]] = {
    "one": (PASS, GET + b"\r\n"),
    # Two ends: what two servers would cut in two ways.
    "chunks and a length": (PASS, POST + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n" + END + NEXT),
    "a length and chunks": (PASS, POST + CHUNKED + LONG + b"\r\n" + END + NEXT),
    "chunks and all in the length": (PASS, POST + CHUNKED + b"Content-Length: 4\r\n\r\n" + b"2\r\nab\r\n" + END + NEXT),
    "two lengths": (REFUSED, POST + b"Content-Length: 0\r\n" + LONG + b"\r\n" + NEXT),
    "list of lengths": (REFUSED, POST + b"Content-Length: 0, " + SIZE + b"\r\n\r\n" + NEXT),
    "the same length twice": (PASS, POST + LONG + LONG + b"\r\n" + NEXT),
    "list of the same length": (PASS, POST + b"Content-Length: " + SIZE + b", " + SIZE + b"\r\n\r\n" + NEXT),
    "length and another with an underscore": (PASS, POST + b"Content_Length: 0\r\n" + LONG + b"\r\n" + NEXT),
    "length in the list of what is for one hop": (PASS, POST + b"Connection: Content-Length\r\n" + LONG + b"\r\n" + NEXT),
    "length of a request without a body": (PASS, GET + LONG + b"\r\n" + NEXT),
    "negative length": (REFUSED, POST + b"Content-Length: -1\r\n\r\n" + NEXT),
    "length with a plus": (REFUSED, POST + b"Content-Length: +" + SIZE + b"\r\n\r\n" + NEXT),
    "length in another base": (REFUSED, POST + b"Content-Length: 0x24\r\n\r\n" + NEXT),
    "length with a blank": (REFUSED, POST + b"Content-Length: 3 6\r\n\r\n" + NEXT),
    "length that is none": (REFUSED, POST + b"Content-Length: \r\n\r\n" + NEXT),
    "length that overflows": (REFUSED, POST + b"Content-Length: 18446744073709551652\r\n\r\n" + NEXT),
    # Codings that one knows and another does not.
    "unknown coding": (REFUSED, POST + LONG + b"Transfer-Encoding: xchunked\r\n\r\n" + NEXT),
    "coding of no change": (REFUSED, POST + LONG + b"Transfer-Encoding: identity\r\n\r\n" + NEXT),
    "two codings": (REFUSED, POST + CHUNKED + b"Transfer-Encoding: identity\r\n\r\n" + END + NEXT),
    "chunks twice": (REFUSED, POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + END + NEXT),
    "chunks of another coding": (REFUSED, POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + END + NEXT),
    "coding in quotes": (REFUSED, POST + LONG + b'Transfer-Encoding: "chunked"\r\n\r\n' + NEXT),
    "coding after a tab": (PASS, POST + LONG + b"Transfer-Encoding:\tchunked\r\n\r\n" + END + NEXT),
    "coding after a vertical tab": (REFUSED, POST + LONG + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + END + NEXT),
    "coding in capitals": (PASS, POST + LONG + b"TRANSFER-ENCODING: CHUNKED\r\n\r\n" + END + NEXT),
    "coding with an underscore": (PASS, POST + b"Transfer_Encoding: chunked\r\n" + LONG + b"\r\n" + NEXT),
    "coding of HTTP/1.0": (REFUSED, b"POST /@@ HTTP/1.0\r\n" + CHUNKED + LONG + b"\r\n" + END + NEXT),
    "blank before the colon of the coding": (REFUSED, POST + LONG + b"Transfer-Encoding : chunked\r\n\r\n" + END + NEXT),
    "blank before the colon of the length": (REFUSED, POST + b"Content-Length : " + SIZE + b"\r\n\r\n" + NEXT),
    "coding on a line of its own": (PASS, POST + b"Transfer-Encoding:\r\n chunked\r\n" + LONG + b"\r\n" + END + NEXT),
    # Chunks.
    "chunk with an extension": (PASS, POST + CHUNKED + b"\r\n2;a=b\r\nab\r\n" + END),
    "chunk with an extension that ends early": (REFUSED, POST + CHUNKED + b"\r\n2;\nxx\r\n28\r\nab\r\n" + END + NEXT),
    "chunks with bare ends of lines": (PASS, POST + CHUNKED + b"\n2\nab\n0\n\n" + NEXT),
    "chunk with a blank after its size": (PASS, POST + CHUNKED + b"\r\n2 \r\nab\r\n" + END + NEXT),
    "chunk shorter than it is": (REFUSED, POST + CHUNKED + b"\r\n2\r\nabcd\r\n" + END + NEXT),
    "chunk of a negative size": (REFUSED, POST + CHUNKED + b"\r\n-1\r\n" + NEXT),
    "chunk of a size in another base": (REFUSED, POST + CHUNKED + b"\r\n0x2\r\nab\r\n" + END + NEXT),
    "chunk of a size that overflows": (REFUSED, POST + CHUNKED + b"\r\nfffffffffffffffff\r\n" + NEXT),
    "trailer that is a length": (PASS, POST + CHUNKED + b"\r\n0\r\n" + LONG + b"\r\n" + NEXT),
    # Headers.
    "zero byte in a header": (REFUSED, GET + b"X: a\0b\r\n\r\n"),
    "zero byte in the name of a header": (REFUSED, GET + b"X\0: a\r\n\r\n"),
    "bare return in a header": (REFUSED, GET + b"X: a\rTransfer-Encoding: chunked\r\n" + LONG + b"\r\n" + NEXT),
    "header without a name": (REFUSED, GET + b": x\r\n" + LONG + b"\r\n" + NEXT),
    "header without a colon": (REFUSED, GET + b"smuggled\r\n\r\n"),
    "blank before the first header": (REFUSED, b"GET /@@ HTTP/1.1\r\n Host: x\r\n\r\n"),
    "two hosts": (REFUSED, GET + b"Host: y\r\n\r\n"),
    "no host": (PASS, b"GET /@@ HTTP/1.1\r\n" + LONG + b"\r\n" + NEXT),
    "bare ends of lines": (PASS, b"GET /@@ HTTP/1.1\nHost: x\n\n"),
    # The first line.
    "address of another host": (REFUSED, b"GET http://other/@@ HTTP/1.1\r\nHost: x\r\n\r\n"),
    "no version": (REFUSED, b"GET /@@\r\n" + NEXT),
    "version of nine tenths": (REFUSED, b"GET /@@ HTTP/0.9\r\n\r\n" + NEXT),
    "version without a dot": (REFUSED, b"GET /@@ HTTP/1\r\nHost: x\r\n\r\n"),
    "blank in the path": (REFUSED, b"GET /@@ smuggled HTTP/1.1\r\nHost: x\r\n\r\n"),
    "fragment": (REFUSED, b"GET /@@#x HTTP/1.1\r\nHost: x\r\n\r\n"),
    "bytes that are no text": (REFUSED, b"GET /@@\xff HTTP/1.1\r\nHost: x\r\n\r\n"),
    "empty lines before": (PASS, b"\r\n\r\n" + GET + b"\r\n"),
    "blank before": (REFUSED, b" " + GET + b"\r\n"),
    # Other protocols: what follows is said in a tunnel, or is a request.
    "tunnel": (REFUSED, b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n" + NEXT),
    "tunnel to a path": (REFUSED, b"CONNECT /@@ HTTP/1.1\r\nHost: x\r\n\r\n" + NEXT),
    "HTTP/2 from the beginning": (REFUSED, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" + NEXT),
    "HTTP/2 by upgrade": (PASS, GET + H2C + b"\r\n"),
    "websocket that Plex does not open": (PASS, WEBSOCKET + NEXT),
    "expectation that nobody meets": (PASS, POST + b"Expect: 200-maybe\r\n" + LONG + b"\r\n" + NEXT),
}


@dataclass
class Outcome:
    """reads: of which Plex was asked by this sample. answer: what its caller got."""

    reads: list[Read]
    answer: bytes


@pytest.fixture(scope="module")
def outcomes() -> Iterator[tuple[dict[str, Outcome], list[tuple[str, bytes]]]]:
    """All samples at once, over one door, whose connections to Plex they share."""
    witness = Witness()
    with contextlib.closing(witness), Door(witness.url) as door, contextlib.ExitStack() as stack:
        numbered = {name: b"%02d" % number for number, name in enumerate(SAMPLES, 10)}
        peers = {name: stack.enter_context(socket.create_connection(("127.0.0.1", door.port), 5)) for name in SAMPLES}
        for name, peer in peers.items():
            peer.sendall(SAMPLES[name][1].replace(b"@@", numbered[name]))
        until = time.monotonic() + 3
        answers = {name: listen(peer, wait_s=max(0.01, until - time.monotonic())) for name, peer in peers.items()}
        reads = {
            name: [read for read in witness.reads if re.match(rf"(http://\w+)?/{number.decode()}\b", read.target)]
            for name, number in numbered.items()
        }
        assert len(witness.reads) == sum(map(len, reads.values()))
        yield {name: Outcome(reads[name], answers[name]) for name in SAMPLES}, witness.malformed


@pytest.mark.parametrize("name", SAMPLES)
def test_doubtful_request_reaches_plex_as_one_good_request_or_not_at_all(outcomes, name):
    found, malformed = outcomes
    assert malformed == []
    passes, _ = SAMPLES[name]
    assert [read.target for read in found[name].reads] == [f"/{list(SAMPLES).index(name) + 10}"] * passes
    answers = re.findall(rb"HTTP/1.1 (\d+)", found[name].answer)
    assert len(answers) == 1 and (answers[0] == b"200" if passes else answers[0] in (b"400", b"405", b"422")), found[name].answer


def test_two_good_requests_in_one_piece_are_two_for_plex_as_well():
    """What the samples show by one could not be seen without this."""
    witness = Witness()
    with contextlib.closing(witness), Door(witness.url) as door:
        got = say(door, GET + b"\r\n" + NEXT)
        assert [read.target for read in witness.reads] == ["/@@", "/@@/smuggled"] and got.count(b"HTTP/1.1 200") == 2


@pytest.mark.parametrize("status", [b"200 OK", b"426 Upgrade Required", b"400 Bad Request"])
def test_tunnel_opens_only_when_plex_opens_it(status):
    witness = Witness(
        lambda _: b"HTTP/1.1 " + status + b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n"
    )
    with contextlib.closing(witness), Door(witness.url) as door, socket.create_connection(("127.0.0.1", door.port), 5) as peer:
        peer.sendall(WEBSOCKET)
        await_true(lambda: witness.reads, what="Plex is asked")
        with contextlib.suppress(OSError):
            peer.sendall(NEXT)
        got = listen(peer, wait_s=1)
        assert got.count(b"HTTP/1.1 ") == 1 and status in got
        assert len(witness.reads) == 1 and witness.malformed == []


@pytest.mark.parametrize("line", [b"GET /\x01 HTTP/1.1", b"G\0T / HTTP/1.1", b"\x16\x03\x01", b"GET"])
def test_nonsense_does_not_reach_plex(plex, door, line):
    say(door, line + b"\r\nHost: x\r\n\r\n")
    assert plex.asked == []
    assert door.get("/").status == 200


def test_headers_that_drip_do_not_hold_the_door_nor_reach_plex(plex):
    # Ten seconds are as good as two, and cost a test eight.
    with (
        Door(plex.url, tuned={"    timeout http-request 10s": "    timeout http-request 2s"}) as door,
        contextlib.ExitStack() as stack,
    ):
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", door.port), 5)) for _ in range(200)]
        for peer in slow:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        assert door.get("/").status == 200

        def drip() -> bool:
            for peer in slow[:]:
                try:
                    peer.sendall(b"X: y\r\n")
                except OSError:
                    slow.remove(peer)
            return not slow

        # They are sent away however they drip.
        await_true(drip, what="the last of them is sent away")
        assert len(plex.asked) == 1


def test_body_that_drips_is_waited_for_before_plex(plex):
    with Door(plex.url, tuned={"    timeout http-request 10s": "    timeout http-request 2s"}) as door:
        with socket.create_connection(("127.0.0.1", door.port), 5) as peer:
            peer.sendall(b"POST /playlists HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
            # The time is over for it, and not for Plex.
            assert b" 408 " in listen(peer, wait_s=5)
        assert plex.asked == []


def test_header_that_never_ends_is_refused(plex, door):
    assert b" 400 " in say(door, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000 + b"\r\n\r\n")
    assert plex.asked == []


IDLE = 10_000
# What a process of many has beside its connections.
_SPARE = 200


@pytest.fixture
def many_files() -> Iterator[int]:
    """Have as many open files as the machine allows a process, and give it back."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < IDLE + _SPARE:
        pytest.skip(f"a process of this machine may open {hard} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def numbers(door: Door) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in door.runtime.ask("show info").splitlines() if ": " in line)


def resident_bytes(door: Door) -> int:
    status = Path(f"/proc/{numbers(door)['Pid']}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024  # type: ignore[index]


def test_unit_allows_the_files_that_ten_thousand_callers_take(plex, many_files):
    """HAProxy takes as many connections as the limit of open files lets it, and no figure of ours: that is in the unit."""
    unit = (Path(__file__).resolve().parents[3] / "units/plexguard-proxy.service").read_text()
    allowed = int(re.search(r"^LimitNOFILE=(\d+)$", unit, re.MULTILINE)[1])  # type: ignore[index]
    with Door(plex.url) as door:
        told = numbers(door)
        files_each = many_files / int(told["Maxconn"])
        # Each caller of the third attempt, and each picture, is one more to HAProxy: itself.
        assert allowed / files_each > 2 * IDLE


def test_ten_thousand_idle_connections_are_kept_and_the_door_answers(plex, many_files):
    # It plans with two files and a half for each connection. Those that are idle have one, and this machine may not allow more.
    room = "global\n    no strict-limits\n    maxconn 10500"
    with Door(plex.url, tuned={"global": room}) as door, contextlib.ExitStack() as stack:
        before = resident_bytes(door)
        idle: list[socket.socket] = []
        stack.callback(lambda: [peer.close() for peer in idle])
        # Who asks nothing at all is sent away after ten seconds.
        while len(idle) < IDLE:
            sources = [(f"127.0.0.{1 + number % 4}", 0) for number in range(100)]
            idle += (socket.create_connection(("127.0.0.1", door.port), 5, source_address=source) for source in sources)
            ask_all(idle[-100:])
        assert int(numbers(door)["CurrConns"]) >= IDLE
        assert door.get("/").status == 200
        # Who is idle has no buffer: one is of 16 kB.
        assert resident_bytes(door) - before < IDLE * 16 * 1024
        door.shut()
        assert door.get("/").status == 503
        door.open()
        door.reload()
        assert door.get("/").status == 200
        # They are told, and not left to find out.
        assert {peer.recv(1) for peer in idle} == {b""}


def ask_all(peers: list[socket.socket]) -> None:
    """Ask over connections that were kept, and read the answers."""
    for peer in peers:
        peer.sendall(b"HEAD /library/sections HTTP/1.1\r\nHost: x\r\n\r\n")
    for peer in peers:
        assert peer.recv(4096).startswith(b"HTTP/1.1 200")
