"""Twenty streams of 20 Mbit/s through whatever happens to the proxy, and bodies that break off on their way."""

import http.client
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from plexguard.core.clock import SystemClock
from plexguard.core.published import ProbeSeen
from plexguard.proxy import act
from plexguard.proxy.decide import Phase
from tests.fakes.upstream import Asked, Peer, Upstream, well
from tests.integration.proxy.door import Door, await_true

STREAMS = 20
RATE_BYTES_PER_S = 20_000_000 // 8
PIECE_BYTES = 1 << 16
LEAST_S = 8
# Nothing in it comes twice, so that no piece can stand for another.
MEDIA = os.urandom(RATE_BYTES_PER_S * LEAST_S)


class Pacer:
    """Sends MEDIA as fast as a film is played, one half with its length and one half in chunks."""

    def __init__(self) -> None:
        self.numbers = iter(range(STREAMS))

    def __call__(self, peer: Peer, asked: Asked) -> None:
        if not asked.path.startswith("/library/parts/"):
            well(peer, asked)
            return
        chunked = asked.path.endswith("chunked")
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(MEDIA)}"
        peer.send(f"HTTP/1.1 200 OK\r\n{framing}\r\nContent-Type: video/x-matroska\r\n\r\n".encode())
        began = time.monotonic()
        for start in range(0, len(MEDIA), PIECE_BYTES):
            peer.closing.wait(max(0.0, began + start / RATE_BYTES_PER_S - time.monotonic()))
            piece = MEDIA[start : start + PIECE_BYTES]
            peer.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            peer.send(b"0\r\n\r\n")


@dataclass
class Player:
    """Reads a stream and compares. place: how far it is; fault: what was wrong, "" when nothing was."""

    door: Door
    path: str
    place: int = 0
    fault: str = ""
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._play, daemon=True)
        self.thread.start()

    def _play(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.door.port, timeout=10)
        try:
            connection.request("GET", self.path)
            response = connection.getresponse()
            while chunk := response.read(PIECE_BYTES):
                if chunk != MEDIA[self.place : self.place + len(chunk)]:
                    self.fault = f"other bytes at {self.place}"
                    return
                self.place += len(chunk)
        except (OSError, http.client.HTTPException) as error:
            self.fault = f"{type(error).__name__} at {self.place}"
        finally:
            connection.close()


def test_twenty_streams_do_not_notice_what_happens_to_the_proxy():
    """A reload, the breaker killed, HAProxy alone, checks that fail, a verdict that opens it, another reload, the probe gone."""
    pacer = Pacer()
    plex = Upstream(pacer)
    try:
        with Door(plex.url, open_for=timedelta(seconds=30)) as door:
            breaker = door.guard_apart()
            players = [Player(door, f"/library/parts/{n}/1/film.{'chunked' if n % 2 else 'mkv'}") for n in range(STREAMS)]
            began = time.monotonic()
            await_true(lambda: min(player.place for player in players) > 0, what="all have begun")

            door.reload()
            assert door.get("/library/sections").status == 200
            assert breaker.pid is not None
            os.kill(breaker.pid, signal.SIGKILL)
            breaker.join(10)
            assert door.get("/library/sections").status == 200
            act.release(door.runtime)

            door.probe = ProbeSeen(verdict="stopped", checked=SystemClock().moment())
            door.guard()
            await_true(lambda: door.phase is Phase.OPEN or _verdict_anew(door), what="the breaker opens")
            await_true(lambda: door.get("/library/sections").status == 503, what="nothing new passes")
            door.reload()
            door.probe = None
            assert door.get("/library/sections").status == 503

            # All of that while all of them were playing.
            assert time.monotonic() - began < LEAST_S and not [player for player in players if player.place == len(MEDIA)]
            for player in players:
                player.thread.join(60)
            assert [(player.place, player.fault) for player in players] == [(len(MEDIA), "")] * STREAMS
    finally:
        plex.close()


def _verdict_anew(door: Door) -> bool:
    """What was found before the breaker began does not open it."""
    door.probe = ProbeSeen(verdict="stopped", checked=SystemClock().moment())
    return False


# -- what breaks off --------------------------------------------------------------------------------------------------

SMALL, BIG = 1_000, 3_000_000
PATHS = {
    "media": "/library/parts/1/2/file.mkv",
    "metadata": "/library/sections/1/all",
    "picture": "/library/metadata/1/thumb/2",
    "transcode": "/video/:/transcode/universal/session/s/0/1.ts",
    "stream": "/:/eventsource/notifications",
}


class Breaking:
    """Breaks each answer off in the middle, as the query of its request says."""

    def __call__(self, peer: Peer, asked: Asked) -> None:
        words = asked.target.partition("?")[2].split("&")
        if len(words) < 3:
            well(peer, asked)
            return
        framing, end, size = words[0], words[1], int(words[2])
        kind = "Content-Type: image/jpeg\r\n"
        if framing == "length":
            peer.send(f"HTTP/1.1 200 OK\r\n{kind}Content-Length: {size}\r\n\r\n".encode() + b"x" * (size // 2))
        elif framing == "chunks":
            head = f"HTTP/1.1 200 OK\r\n{kind}Transfer-Encoding: chunked\r\n\r\n{size // 2:x}\r\n".encode()
            peer.send(head + b"x" * (size // 2) + b"\r\n")
        else:
            peer.send(f"HTTP/1.1 200 OK\r\n{kind}Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n".encode() + b"x" * (size // 2))
        # What was sent is to be on its way, and not to be thrown away by a reset.
        time.sleep(0.2)
        match end:
            case "reset":
                peer.reset()
            case "hang":
                peer.hang()
            case _:
                raise OSError


@pytest.fixture(scope="module", params=["moved by the kernel", "moved by HAProxy"])
def breaking_door(request: pytest.FixtureRequest) -> Iterator[Door]:
    plex = Upstream(Breaking())
    spliced = "    option splice-response"
    tuned = {} if request.param == "moved by the kernel" else {spliced: ""}
    second = timedelta(seconds=1)
    # As many as there are cases do not open it: it is another thing that is to be seen.
    with Door(plex.url, tuned=tuned, open_after=1000, media_limit=second, transcode_limit=second) as door:
        yield door
    plex.close()


@pytest.mark.parametrize("size", [SMALL, BIG], ids=["small", "big"])
@pytest.mark.parametrize("end", ["end", "reset", "hang"])
@pytest.mark.parametrize("framing", ["length", "chunks", "chunk"])
def test_body_that_breaks_off_is_an_abort_for_the_caller_of_every_kind(breaking_door, framing, end, size):
    kinds = [kind for kind in PATHS if not (kind == "stream" and end == "hang")]
    got = {}

    def ask(kind: str) -> None:
        got[kind] = breaking_door.get(f"{PATHS[kind]}?{framing}&{end}&{size}")

    threads = [threading.Thread(target=ask, args=(kind,)) for kind in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {kind: (one.status, bool(one.fault)) for kind, one in got.items()} == dict.fromkeys(kinds, (200, True))


def test_picture_that_broke_off_is_not_kept(breaking_door):
    path = f"{PATHS['picture']}?length&end&{SMALL}"
    assert breaking_door.get(path).fault
    breaking_door.shut()
    try:
        assert breaking_door.get(path).status == 503
    finally:
        breaking_door.open()
