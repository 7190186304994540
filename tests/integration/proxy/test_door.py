"""A real HAProxy with the configuration that is made for it, before servers that hang, break off, err and reset."""

import contextlib
import gzip
import http.client
import json
import re
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from xml.etree import ElementTree

import pytest

from plexguard.proxy.config import Paths
from tests.fakes.upstream import Asked, Peer, Upstream, well
from tests.integration.proxy.door import Door, Got
from tests.static.tree import ROOT
from tests.waiting import await_true

IMAGE = b"\xff\xd8\xff" + b"picture" * 20


@pytest.fixture
def plex() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture
def door(plex: Upstream) -> Iterator[Door]:
    with Door(plex.url) as opened:
        yield opened


def always(status: int, body: bytes = b"no", *headers: str):
    return lambda peer, _asked: peer.answer(status, body, *headers)


def in_turn(*scripts):
    """One script a request, the last one for all that follow."""
    left = list(scripts)
    return lambda peer, asked: (left.pop(0) if len(left) > 1 else left[0])(peer, asked)


def reset(peer: Peer, _asked: Asked) -> None:
    peer.reset()


def hang(peer: Peer, _asked: Asked) -> None:
    peer.hang()


def close(peer: Peer, _asked: Asked) -> None:
    raise OSError


def picture(peer: Peer, asked: Asked) -> None:
    """As Plex does it: who has no token that counts gets none."""
    if asked.header("X-Plex-Token") in ("anna", "bert"):
        peer.answer(200, IMAGE, "Content-Type: image/jpeg", "Cache-Control: no-cache", "Vary: Origin, X-Plex-Token")
    else:
        peer.answer(401, b"", "Content-Type: text/html")


# -- what passes ------------------------------------------------------------------------------------------------------


def test_answer_of_plex_passes_untouched(plex, door):
    plex.script = always(200, b"<a/>", "Content-Type: text/xml", "X-Plex-Protocol: 1.0", "Content-Encoding: gzip")
    got = door.get("/library/sections?X-Plex-Token=secret", Accept_Encoding="gzip")
    assert (got.status, got.body) == (200, b"<a/>")
    assert got.headers["x-plex-protocol"] == "1.0" and got.headers["content-encoding"] == "gzip"
    assert plex.asked[0].target == "/library/sections?X-Plex-Token=secret"
    assert plex.asked[0].header("Accept-Encoding") == "gzip"


@pytest.mark.parametrize("path", ["/library/sections/1/all", "/photo/:/transcode", "/library/parts/1/2/film.srt"])
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_compressed_answer_is_neither_unpacked_nor_given_to_who_wants_none(plex, door, path, framing):
    plain = b"<MediaContainer>" + b"<Video/>" * 20_000 + b"</MediaContainer>"
    packed = gzip.compress(plain)

    def pack(peer: Peer, asked: Asked) -> None:
        coded = "gzip" in asked.header("Accept-Encoding")
        body = packed if coded else plain
        coding = "Content-Encoding: gzip\r\n" if coded else ""
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nVary: Origin, Accept-Encoding\r\n{coding}"
        if framing == "length":
            peer.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        else:
            peer.send(f"{head}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n")

    plex.script = pack
    wanted = door.get(path, Accept_Encoding="gzip, deflate")
    assert (wanted.body, wanted.headers["content-encoding"], wanted.fault) == (packed, "gzip", "")
    unwanted = door.get(path, Accept_Encoding="identity")
    assert unwanted.body == plain and "content-encoding" not in unwanted.headers
    assert wanted.headers["vary"] == unwanted.headers["vary"] == "Origin, Accept-Encoding"


def test_part_of_a_file_is_the_part_that_was_asked_for(plex, door):
    film = bytes(range(256)) * 1000

    def cut(peer: Peer, asked: Asked) -> None:
        first, last = (int(word) for word in asked.header("Range").removeprefix("bytes=").split("-"))
        peer.answer(206, film[first : last + 1], f"Content-Range: bytes {first}-{last}/{len(film)}", "Accept-Ranges: bytes")

    plex.script = cut
    for first, last in ((0, 0), (1000, 99_999), (255_999, 255_999)):
        got = door.get("/library/parts/1/2/film.mkv", Range=f"bytes={first}-{last}")
        assert (got.status, got.body) == (206, film[first : last + 1])
        assert got.headers["content-range"] == f"bytes {first}-{last}/256000"


@pytest.mark.parametrize("status", [206, 301, 304, 400, 401, 404, 416, 429])
def test_status_of_plex_that_is_no_failure_passes(plex, door, status):
    plex.script = always(status, b"", "Retry-After: 7")
    got = door.get("/library/parts/1/2/file.mkv", Range="bytes=0-3")
    assert (got.status, got.headers["retry-after"], len(plex.asked)) == (status, "7", 1)
    assert plex.asked[0].header("Range") == "bytes=0-3"


def test_address_of_the_client_is_passed_on_and_cannot_be_forged(plex, door):
    for path in ("/", "/:/timeline", "/library/metadata/1/thumb/2"):
        door.get(path, X_Forwarded_For="192.0.2.1", X_Real_IP="192.0.2.1", Forwarded="for=192.0.2.1")
        asked = plex.asked[-1]
        assert [asked.header(name) for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded")] == ["127.0.0.1", "", ""]


def test_head_has_its_length_and_no_body(plex, door):
    plex.script = lambda peer, _: peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
    got = door.get("/library/parts/1/2/file.mkv", method="HEAD")
    assert (got.status, got.headers["content-length"], got.body) == (200, "1234", b"")


def test_chunked_body_passes_both_ways(plex, door):
    plex.script = lambda peer, asked: peer.send(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n" + asked.body[:4] + b"\r\n0\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", door.port), 5) as peer:
        peer.sendall(b"POST /playlists HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n")
        assert b"\r\n4\r\nabcd\r\n0\r\n\r\n" in read_until(peer, b"0\r\n\r\n")
    assert plex.asked[0].body == b"abcd"


def test_expect_continue_is_answered_and_the_body_arrives(plex, door):
    with socket.create_connection(("127.0.0.1", door.port), 5) as peer:
        peer.sendall(b"POST /playlists HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        assert read_until(peer, b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        peer.sendall(b"abcd")
        assert b"200" in read_until(peer, b"</MediaContainer>", b"/>")
    assert plex.asked[0].body == b"abcd"


def read_until(peer: socket.socket, *ends: bytes, timeout_s: float = 5) -> bytes:
    peer.settimeout(timeout_s)
    got = b""
    while not any(end in got for end in ends):
        chunk = peer.recv(65536)
        if not chunk:
            break
        got += chunk
    return got


def test_websocket_is_a_pipe_for_longer_than_any_limit(plex, door):
    def echo(peer: Peer, _asked: Asked) -> None:
        peer.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        )
        while data := peer.file.read1(100):
            peer.send(data)

    plex.script = echo
    with socket.create_connection(("127.0.0.1", door.port), 5) as peer:
        peer.sendall(
            b"GET /:/websockets/notifications HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert b"101" in read_until(peer, b"\r\n\r\n")
        time.sleep(3.5)
        peer.sendall(b"hello")
        assert read_until(peer, b"hello") == b"hello"


def test_event_stream_is_waited_for_without_a_limit(plex, door):
    def speak(peer: Peer, _asked: Asked) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.closing.wait(3.5)
        peer.send(b"5\r\nevent\r\n0\r\n\r\n")

    plex.script = speak
    assert door.get("/:/eventsource/notifications").body == b"event"


def test_stream_that_flows_is_not_cut_however_long(plex, door):
    def drip(peer: Peer, _asked: Asked) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
        for _ in range(8):
            peer.closing.wait(0.5)
            peer.send(b"x")

    plex.script = drip
    got = door.get("/library/parts/1/2/file.mkv")
    assert (got.body, got.fault) == (b"x" * 8, "")


def test_player_that_is_paused_reads_on(plex):
    size = 16_000_000

    def pour(peer: Peer, _asked: Asked) -> None:
        peer.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        peer.send(b"x" * size)

    plex.script = pour
    with Door(plex.url, media_limit=timedelta(seconds=1)) as door, socket.socket() as peer:
        # Less than all, so that something waits; and no less, or TCP itself crawls afterwards.
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
        peer.connect(("127.0.0.1", door.port))
        peer.sendall(b"GET /library/parts/1/2/file.mkv HTTP/1.1\r\nHost: x\r\n\r\n")
        head = read_until(peer, b"\r\n\r\n")
        # Twice the limit of media and a bit, in which nothing is read.
        time.sleep(2.5)
        got = len(head.partition(b"\r\n\r\n")[2])
        while got < size:
            chunk = peer.recv(1 << 20)
            assert chunk, got
            got += len(chunk)
    assert got == size


# -- what does not come -----------------------------------------------------------------------------------------------


def test_body_that_breaks_off_reaches_the_client_as_an_abort(plex, door):
    def cut(peer: Peer, _asked: Asked) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n")
        raise OSError

    plex.script = cut
    got = door.get("/library/parts/1/2/file.mkv")
    assert got.status == 200 and got.fault == "IncompleteRead"


def test_body_that_hangs_reaches_the_client_as_an_abort_in_time(plex, door):
    def stall(peer: Peer, _asked: Asked) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabcd")
        peer.hang()

    plex.script = stall
    got = door.get("/library/parts/1/2/file.mkv")
    assert got.fault == "IncompleteRead"


@pytest.mark.parametrize(
    ("path", "attempts"),
    [
        ("/library/sections", 2),
        ("/library/metadata/1/thumb/2", 2),
        ("/library/parts/1/2/file.mkv", 1),
        ("/video/:/transcode/universal/session/s/0/1.ts", 1),
        ("/:/timeline", 1),
    ],
    ids=["metadata", "picture", "media", "transcode", "report"],
)
def test_hang_is_answered_in_the_limit_of_its_kind_and_repeated_once_at_most(plex, door, path, attempts):
    plex.script = hang
    got = door.get(path)
    limits_s = {"/library/parts/1/2/file.mkv": 2, "/video/:/transcode/universal/session/s/0/1.ts": 3}
    assert (got.status, len(plex.asked)) == (504, attempts)
    assert limits_s.get(path, 1) * attempts <= got.took_s < limits_s.get(path, 1) * attempts + 1
    assert json.loads(door.get(path, Accept="application/json").body)["error"] == "Gateway timeout"
    assert int(got.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    "fault", [always(502), always(503), always(504), close, reset], ids=["502", "503", "504", "close", "reset"]
)
def test_fault_that_passes_is_not_seen(plex, door, fault):
    plex.script = in_turn(fault, fault, well)
    got = door.get("/library/sections")
    assert (got.status, len(plex.asked)) == (200, 3)


@pytest.mark.parametrize("kind", ["/library/sections", "/library/parts/1/2/x.mkv", "/video/:/transcode/universal/session/s/0/1.ts"])
def test_no_more_than_three_attempts_are_made(plex, door, kind):
    plex.script = always(503, b"busy", "Content-Type: text/html")
    assert (door.get(kind).status, len(plex.asked)) == (503, 3)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/library/sections"),
        ("PUT", "/library/metadata/1"),
        ("DELETE", "/library/metadata/1"),
        ("GET", "/:/timeline"),
        ("GET", "/:/scrobble"),
        ("GET", "/:/progress"),
        ("GET", "/library/sections/1/refresh"),
        ("GET", "/status/sessions/terminate"),
        ("GET", "/video/:/transcode/universal/decision"),
        ("GET", "/video/:/transcode/universal/start.m3u8"),
        ("GET", "/library/../:/scrobble"),
        ("GET", "/library/%2e%2e/:/scrobble"),
        ("GET", "/library/sections/1/%72efresh"),
        ("GET", "/library/sections/1/Refresh"),
        ("GET", "/library/sections/1/refresh;a=b"),
        ("GET", "/library/sections/1/refresh//"),
        ("GET", "/library//sections//1//refresh"),
        ("GET", "//library/sections"),
        ("GET", "http://plex.lan/library/sections/1/refresh"),
        ("GET", "/something/unknown"),
    ],
)
def test_what_may_do_something_is_asked_once(plex, door, method, path):
    plex.script = always(503)
    door.get(path, method=method)
    plex.script = close
    door.get(path, method=method)
    assert len(plex.asked) == 2


def test_slow_failures_take_twice_the_limit_together(plex, door):
    def err_late(peer: Peer, _asked: Asked) -> None:
        peer.closing.wait(1.8)
        peer.answer(503)

    plex.script = err_late
    got = door.get("/library/parts/1/2/file.mkv")
    assert (got.status, len(plex.asked)) == (504, 2) and got.took_s < 4.5


def test_connection_that_is_refused_is_tried_again_after_a_second(door, plex):
    door.shut()
    door.open()
    plex.close()
    threading.Timer(0.5, lambda: again.append(Upstream(port=plex.port))).start()
    again: list[Upstream] = []
    try:
        got = door.get("/library/sections", method="POST")
        assert got.status == 200 and 0.9 < got.took_s < 3
    finally:
        again[0].close()


FAULTS = {
    "close": close,
    "reset": reset,
    "half a header": lambda peer, _: (peer.send(b"HTTP/1.1 200 OK\r\nConte"), peer.reset()),
    "no header": lambda peer, _: (peer.send(b"rubbish\r\n\r\n"), peer.reset()),
    "hang": hang,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("method", "path"), [("GET", "/library/sections"), ("POST", "/:/timeline"), ("GET", "/:/scrobble")])
def test_caller_who_has_asked_before_on_his_connection_is_answered_too(plex, door, fault, method, path):
    connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=10)
    with contextlib.closing(connection):
        # HAProxy's connections to Plex are kept as well, and two of them show if an attempt goes where it should not.
        for _ in range(2):
            connection.request("GET", "/library/sections")
            connection.getresponse().read()
        plex.script, before = FAULTS[fault], len(plex.asked)
        connection.request(method, path, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        assert answer.status == (504 if fault == "hang" else 503) and json.loads(answer.read())["retry_after_s"] > 0
        attempts = len(plex.asked) - before
        assert attempts == 1 if path != "/library/sections" else attempts <= (2 if fault == "hang" else 3)


def test_caller_who_has_asked_before_is_answered_while_plex_is_away(plex, door):
    connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=10)
    with contextlib.closing(connection):
        for path in ("/library/sections", THUMB, "/:/timeline", THUMB):
            connection.request("GET", path, headers={"Accept": "application/json"})
            answer = connection.getresponse()
            assert answer.status == (200 if path == "/library/sections" else 503)
            assert path == "/library/sections" or json.loads(answer.read())["reason"] == "failed"
            answer.read()
            door.shut()


# -- while Plex is away -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json, text/plain, */*", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html;charset=utf-8"),
        ("Application/JSON", "application/json"),
        ("text/xml", "text/xml;charset=utf-8"),
        ("*/*", "text/xml;charset=utf-8"),
        (None, "text/xml;charset=utf-8"),
    ],
)
def test_caller_is_answered_at_once_in_his_language(plex, door, accept, kind):
    door.shut()
    got = door.get("/library/sections", **({"Accept": accept} if accept else {}))
    assert (got.status, got.headers["content-type"], plex.asked) == (503, kind, [])
    assert got.headers["retry-after"] == "5" and got.headers["cache-control"] == "no-store"
    if "json" in kind:
        assert json.loads(got.body)["reason"] == "failed"
    elif "html" in kind:
        assert b"<h1>Plex did not answer properly.</h1>" in got.body
    else:
        assert ElementTree.fromstring(got.body).get("code") == "503"


def test_head_is_answered_without_a_body(door):
    door.shut()
    got = door.get("/", method="HEAD")
    assert (got.status, got.body) == (503, b"")


def test_request_that_waits_to_be_repeated_does_not_reach_plex_any_more(plex, door):
    plex.script = hang
    threading.Timer(0.5, door.shut).start()
    got = door.get("/library/sections")
    assert (got.status, len(plex.asked)) == (503, 1)


def test_who_waits_for_his_second_attempt_is_answered_when_the_gate_is_shut(plex, door):
    # HAProxy 2.6 says nothing when no server is left for a request whose first attempt went over a connection that was used before.
    assert door.get("/library/sections").status == 200
    plex.script = hang
    waits = threading.Thread(target=lambda: got.append(door.get("/library/sections", Accept="application/json")))
    got: list[Got] = []
    waits.start()
    await_true(lambda: len(plex.asked) == 3, what="the second attempt")
    door.shut()
    waits.join(15)
    assert [(one.status, json.loads(one.body)["reason"]) for one in got] == [(503, "failed")]
    assert len(plex.asked) == 3


def test_stream_goes_on_while_the_gate_is_shut(plex, door):
    def drip(peer: Peer, _asked: Asked) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        for _ in range(6):
            peer.closing.wait(0.3)
            peer.send(b"x")

    plex.script = drip
    threading.Timer(0.5, door.shut).start()
    assert door.get("/library/parts/1/2/file.mkv").body == b"x" * 6


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {"Access_Control_Request_Headers": "x-plex-token,range"}, 204),
        ("HEAD", {}, 204),
        ("DELETE", {}, 503),
        ("PUT", {"Access_Control_Request_Headers": "x-plex-token"}, 503),
    ],
)
def test_whether_a_page_may_read_is_said_by_plex_and_only_while_it_is_away_by_the_door(plex, door, method, headers, status):
    question = {"method": "OPTIONS", "Origin": "http://app.example", "Access_Control_Request_Method": method, **headers}
    plex.script = always(403, b"", "Access-Control-Allow-Origin: http://another.example")
    got = door.get("/library/sections", **question)
    assert (got.status, got.headers["access-control-allow-origin"]) == (403, "http://another.example")
    door.shut()
    got = door.get("/library/sections", **question)
    assert (got.status, got.headers["access-control-allow-origin"], len(plex.asked)) == (status, "*", 1)
    if status == 204:
        assert got.headers.get("access-control-allow-headers") == headers.get("Access_Control_Request_Headers")
        # It does not hold any more when Plex has the say again.
        assert got.headers["access-control-max-age"] == "0"


def test_page_of_another_address_may_read_the_wait(plex, door):
    plex.script = always(429, b"", "Retry-After: 7", "Access-Control-Allow-Origin: *")
    got = door.get("/library/sections")
    assert (got.status, got.headers["retry-after"], got.headers["access-control-expose-headers"]) == (429, "7", "Retry-After")
    plex.script = well
    assert "access-control-expose-headers" not in door.get("/library/sections").headers
    door.shut()
    got = door.get("/library/sections")
    assert (got.status, got.headers["access-control-expose-headers"]) == (503, "Retry-After")


# -- pictures ---------------------------------------------------------------------------------------------------------

THUMB = "/library/metadata/1/thumb/1700000000"


def test_picture_is_shown_to_who_has_seen_it_and_to_nobody_else(plex, door):
    plex.script = picture
    shown = door.get(THUMB, X_Plex_Token="anna")
    assert (shown.status, shown.headers["cache-control"], shown.headers["vary"]) == (200, "no-cache", "Origin, X-Plex-Token")
    assert door.get(THUMB).status == 401
    door.shut()
    kept = door.get(THUMB, X_Plex_Token="anna")
    assert (kept.status, kept.body, kept.headers["content-type"]) == (200, IMAGE, "image/jpeg")
    assert "private" in kept.headers["cache-control"]
    # Bert would be given it by Plex as well: but nobody knows, and he gets none. Nor does who has no token, or a wrong one.
    for token in ({"X_Plex_Token": "bert"}, {}, {"X_Plex_Token": "wrong"}, {"X_Plex_Token": "anna", "Origin": "http://x"}):
        refused = door.get(THUMB, Accept="application/json", **token)
        assert (refused.status, json.loads(refused.body)["reason"]) == (503, "failed"), token
    assert door.get(THUMB + "?X-Plex-Token=anna").status == 503


def test_picture_asked_for_as_of_a_proxy_is_shown_to_nobody_else_either(plex, door):
    """HAProxy takes a whole address for the key of an entry as it is, and not the Host header, in which the caller is."""
    plex.script = picture

    def ask(token: str) -> bytes:
        with socket.create_connection(("127.0.0.1", door.port), 5) as peer:
            peer.sendall(f"GET http://plex{THUMB} HTTP/1.1\r\nHost: plex\r\nX-Plex-Token: {token}\r\n\r\n".encode())
            return read_until(peer, b"\r\n\r\n")[:13]

    assert ask("anna") == b"HTTP/1.1 200 "
    door.shut()
    assert [ask(token) for token in ("anna", "bert", "")] == [b"HTTP/1.1 200 ", b"HTTP/1.1 503 ", b"HTTP/1.1 503 "]


def test_plex_decides_on_each_picture_while_it_is_there(plex, door):
    plex.script = picture
    assert door.get(THUMB, X_Plex_Token="anna").status == 200
    plex.script = always(401, b"")
    assert door.get(THUMB, X_Plex_Token="anna").status == 401
    assert len(plex.asked) == 2


@pytest.mark.parametrize("status", [401, 403, 404])
def test_picture_is_not_shown_to_who_was_refused_it_since(plex, door, status):
    plex.script = picture
    assert door.get(THUMB, X_Plex_Token="anna").status == 200
    assert door.get(THUMB, X_Plex_Token="bert").status == 200
    plex.script = always(status, b"gone", "Content-Type: text/html", "Cache-Control: no-cache", "Vary: Origin")
    got = door.get(THUMB, X_Plex_Token="anna")
    assert (got.status, got.body, got.headers["cache-control"], got.headers["vary"]) == (status, b"gone", "no-cache", "Origin")
    assert [name for name in got.headers if name.startswith("plexguard")] == []
    door.shut()
    refused = door.get(THUMB, X_Plex_Token="anna", Accept="application/json")
    assert (refused.status, json.loads(refused.body)["reason"]) == (503, "failed")
    assert door.get(THUMB, X_Plex_Token="bert").status == 200
    door.open()
    plex.script = picture
    door.get(THUMB, X_Plex_Token="anna")
    door.shut()
    assert door.get(THUMB, X_Plex_Token="anna").body == IMAGE


@pytest.mark.parametrize("header", ["Content-Encoding: gzip", "Set-Cookie: a=b"])
def test_picture_that_is_more_than_one_is_not_kept(plex, door, header):
    plex.script = always(200, IMAGE, "Content-Type: image/svg+xml", header)
    assert door.get(THUMB, X_Plex_Token="anna").body == IMAGE
    door.shut()
    assert door.get(THUMB, X_Plex_Token="anna").status == 503


def test_picture_by_an_address_with_a_host_is_kept_for_the_same_caller_only(plex, door):
    plex.script = picture
    lines = f"GET http://plex.lan{THUMB} HTTP/1.1\r\nHost: plex.lan\r\nConnection: close\r\n"

    def ask(token: str) -> bytes:
        with socket.create_connection(("127.0.0.1", door.port), 5) as peer:
            peer.sendall(f"{lines}{token}\r\n".encode())
            return read_until(peer, b"\r\n\r\n")

    assert b" 200 " in ask("X-Plex-Token: anna\r\n")
    door.shut()
    assert b" 503 " in ask("") and b" 503 " in ask("X-Plex-Token: bert\r\n")
    assert b" 200 " in ask("X-Plex-Token: anna\r\n")


def test_own_key_cannot_be_given_by_the_caller(plex, door):
    plex.script = picture
    door.get(THUMB, X_Plex_Token="anna")
    stolen = plex.asked[0].header("X-Plexguard-Key")
    assert stolen == ""
    door.shut()
    assert door.get(THUMB, X_Plexguard_Key="anything").status == 503


def test_reload_in_a_browser_gets_its_picture(plex, door):
    plex.script = picture
    door.get(THUMB, X_Plex_Token="anna", Cache_Control="no-cache", Pragma="no-cache")
    assert plex.asked[0].header("Cache-Control") == "no-cache"
    door.shut()
    assert door.get(THUMB, X_Plex_Token="anna", Cache_Control="no-cache", Pragma="no-cache").status == 200
    assert door.get(THUMB, X_Plex_Token="anna", method="HEAD").status == 200


def test_picture_outlives_a_reload(plex, door):
    plex.script = picture
    door.get(THUMB, X_Plex_Token="anna")
    door.reload()
    door.shut()
    assert door.get(THUMB, X_Plex_Token="anna").body == IMAGE


def test_only_pictures_are_kept(plex, door):
    plex.script = always(200, b"<secret/>", "Content-Type: text/xml", "Cache-Control: max-age=100")
    door.get(THUMB, X_Plex_Token="anna")
    door.get("/library/sections", X_Plex_Token="anna")
    door.shut()
    assert door.get(THUMB, X_Plex_Token="anna").status == 503
    assert door.get("/library/sections", X_Plex_Token="anna").status == 503


def test_pictures_come_from_plex_when_their_keeper_is_gone(plex, door):
    plex.script = picture
    door.stop("pics")
    assert door.get(THUMB, X_Plex_Token="anna").status == 200


def test_nobody_waits_for_pictures_whose_keeper_is_stuck(plex, door):
    plex.script = picture
    with door.stopped("pics"):
        await_true(lambda: door.get(THUMB, X_Plex_Token="anna").took_s < 0.5, what="a picture without its keeper")
        door.shut()
        assert door.get(THUMB, X_Plex_Token="anna").took_s < 0.5
        door.open()
    await_true(lambda: shown_and_kept(door), what="the keeper is used again")


def shown_and_kept(door: Door) -> bool:
    assert door.get(THUMB, X_Plex_Token="anna").status == 200
    door.shut()
    try:
        return door.get(THUMB, X_Plex_Token="anna").status == 200
    finally:
        door.open()


# -- reloads ----------------------------------------------------------------------------------------------------------


def test_gate_stays_shut_through_a_reload(plex, door):
    door.shut()
    door.reload()
    assert [door.get("/library/sections").status for _ in range(20)] == [503] * 20
    time.sleep(2.5)
    assert (door.get("/library/sections").status, plex.asked) == (503, [])


def test_connection_that_is_older_than_a_reload_does_not_pass_a_gate_that_is_shut_after_it(plex, door):
    """The process of before does not hear of the gate."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", door.port, timeout=5)) as connection:
        connection.request("GET", "/library/sections")
        connection.getresponse().read()
        plex.asked.clear()
        door.reload()
        door.shut()
        with contextlib.suppress(http.client.HTTPException, OSError):
            connection.request("GET", "/library/sections")
            assert connection.getresponse().status == 503
    assert plex.asked == []


def test_streams_go_on_through_a_reload(plex, door):
    def drip(peer: Peer, _asked: Asked) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
        for _ in range(8):
            peer.closing.wait(0.25)
            peer.send(b"x")

    plex.script = drip
    got = []
    threads = [threading.Thread(target=lambda: got.append(door.get("/library/parts/1/2/file.mkv"))) for _ in range(20)]
    for thread in threads:
        thread.start()
    await_true(lambda: len(plex.asked) == 20, what="all streams have begun")
    door.reload()
    plex.script = well
    assert door.get("/library/sections").status == 200
    for thread in threads:
        thread.join(20)
    assert [(one.body, one.fault) for one in got] == [(b"x" * 8, "")] * 20


def test_configured_paths_are_treated_as_told(plex):
    tables = {"mine": Paths(kind="media", paths=("/library/sections/7/*",)), "live": Paths(kind="stream", paths=("/my/stream",))}
    with Door(plex.url, path=tables) as door:
        plex.script = hang
        got = door.get("/library/sections/7/all")
        assert (got.status, len(plex.asked)) == (504, 1) and got.took_s > 1.9
        assert door.get("/library/sections/8/all").took_s < 2.9


# -- the log ----------------------------------------------------------------------------------------------------------


def test_log_names_what_a_program_needs_and_no_token(plex, door):
    plex.script = always(404, b"")
    door.get("/library/parts/77/2/file.mkv?X-Plex-Token=sekret1", X_Plex_Token="sekret2")
    line = door.line("/library/parts/77/")
    assert '"GET /library/parts/77/2/file.mkv HTTP/1.1" 404 kind=media' in line
    fields = dict(re.findall(r"(\w+)=(\S+)", line))
    assert {"client", "kind", "duration_ms", "first_byte_ms", "bytes", "repeats", "outcome", "cache", "breaker", "server"} == set(
        fields
    )
    assert (fields["breaker"], fields["repeats"], fields["server"]) == ("closed", "0", "media/plex")


@pytest.mark.parametrize(
    "path", ["/x/X-Plex-Token=sekret/y", "/x/X-Plex-Token%3Dsekret", "/x/X-Plex-Token%253Dsekret", "/x/access_token=sekret"]
)
def test_token_in_a_path_is_not_logged(plex, door, path):
    plex.script = always(500, b"")
    door.get(path)
    assert "sekret" not in door.line("HTTP/1.1") and "oken" in door.line("HTTP/1.1")


def test_request_in_the_form_for_proxies_is_logged_without_its_host(plex, door):
    plex.script = always(500, b"")
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as client:
        client.sendall(b"GET http://me:sekret@plex.lan/x/y HTTP/1.1\r\nHost: plex.lan\r\nConnection: close\r\n\r\n")
        while client.recv(65536):
            pass
    line = door.line("HTTP/1.1")
    assert "sekret" not in line and '"GET /x/y HTTP/1.1"' in line


def test_log_line_of_a_part_is_one_that_the_log_watch_knows(plex, door):
    from plexguard.log_watch.patterns import parse_proxy_line

    plex.script = always(404, b"")
    door.get("/library/parts/77/2/file.mkv")
    complaint = parse_proxy_line(door.line("/library/parts/77/").encode())
    assert complaint is not None and complaint.subject.part == 77


def test_what_goes_well_is_logged_by_sample_and_what_does_not_each_time(plex):
    with Door(plex.url, log_sample=100_000) as door:
        for _ in range(5):
            door.get("/library/sections")
        plex.script = always(500)
        door.get("/library/failing")
        assert "/library/failing" in door.line("/library/")
        assert not [line for line in door.lines if "/library/sections" in line]


@pytest.mark.parametrize("path", ["/library/once", "/library/metadata/1/thumb/2"])
def test_what_was_made_again_is_logged_although_it_went_well(plex, path):
    with Door(plex.url, log_sample=100_000) as door:
        plex.script = in_turn(always(503), well)
        assert door.get(path).status == 200
        assert "repeats=1" in door.line(path)


def test_slow_answer_is_logged(plex):
    with Door(plex.url, log_sample=100_000, slow=timedelta(milliseconds=300)) as door:
        plex.script = lambda peer, asked: (peer.closing.wait(0.6), well(peer, asked))
        door.get("/library/slow")
        assert "first_byte_ms=6" in door.line("/library/slow")


def test_log_is_bounded_while_everything_fails(plex):
    with Door(plex.url, log_sample=1000) as door:
        door.shut()
        for _ in range(300):
            door.get("/library/sections")
        time.sleep(0.5)
        assert len([line for line in door.lines if "/library/sections" in line]) < 30


def test_dashboard_names_metrics_of_haproxy_that_exist(plex, door):
    named = set(re.findall(r"\bhaproxy_\w+", (ROOT / "packaging/grafana/plexguard.json").read_text(encoding="utf-8")))
    door.get("/library/sections")
    with urllib.request.urlopen(f"http://127.0.0.1:{door.metrics_port}/metrics", timeout=5) as answer:
        told = answer.read().decode()
    assert named and named <= set(re.findall(r"^(haproxy_\w+)\{", told, re.MULTILINE))
    assert 'haproxy_frontend_http_responses_total{proxy="plexguard",code="2xx"} 1' in told


def test_metrics_are_on_their_own_port(door):
    with urllib.request.urlopen(f"http://127.0.0.1:{door.metrics_port}/metrics", timeout=5) as answer:
        assert b"haproxy_server_status" in answer.read()
