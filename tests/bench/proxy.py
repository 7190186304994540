"""The front door against the straight way, against HAProxy with next to no configuration, and against a proxy of Node's."""

import os
import re
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path

from plexguard.proxy.config import Config
from plexguard.proxy.decide import Phase
from tests.bench.measure import Row, at_least_times, at_most, row
from tests.fakes.upstream import Upstream
from tests.integration.proxy.door import HAPROXY, Door
from tests.loopback import free_port
from tests.waiting import await_true

_RUNS = 3
_SECONDS = 3
_BODY_BYTES = 1_000_000_000
_GIGABIT_BYTES_PER_S = 125_000_000
# socket.h of Linux; Python has no name for it.
_SO_MAX_PACING_RATE = 47
_HANG_S = 60.0
_PER_SECOND = 10
_HONEST_S = 2.0
_PLAIN = """
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend front
    bind 127.0.0.1:{port}
    {rest}
"""
_TO_PLEX = "default_backend plex\nbackend plex\n    server plex 127.0.0.1:{port}\n"
_ANSWER = '<MediaContainer size="0"></MediaContainer>'
_NODE = """
const http = require('http');
const agent = new http.Agent({ keepAlive: true });
http.createServer((ask, answer) => {
  const options = { host: '127.0.0.1', port: +process.argv[2], path: ask.url, method: ask.method, headers: ask.headers, agent };
  ask.pipe(http.request(options, (got) => { answer.writeHead(got.statusCode, got.headers); got.pipe(answer); }));
}).listen(+process.argv[1], '127.0.0.1');
"""


def measure(folder: Path) -> Iterator[Row]:
    yield from _measure_requests()
    yield from _measure_bodies()


@contextmanager
def _running(argv: list[str], port: int) -> Iterator[int]:
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await_true(lambda: _listens(port), what=argv[0])
        yield port
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as peer:
        return peer.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _haproxy(rest: str) -> Iterator[int]:
    port = free_port()
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
        file.write(_PLAIN.format(port=port, rest=rest))
        file.flush()
        with _running([HAPROXY, "-db", "-q", "-f", file.name], port):
            yield port


@contextmanager
def _node(to: int) -> Iterator[int]:
    port = free_port()
    with _running(["node", "-e", _NODE, str(port), str(to)], port):
        yield port


def _wrk(port: int, connections: int) -> tuple[float, float, float]:
    """Return requests a second, and the median and the 99th percentile of the latency in ms."""
    url = f"http://127.0.0.1:{port}/library/sections"
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{_SECONDS}", "--latency", url]
    said = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "Non-2xx" not in said, said
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    spans = {name: float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit] for name, value, unit in _SPAN.findall(said)}
    assert rate is not None
    return float(rate[1]), spans["50"], spans["99"]


_SPAN = re.compile(r"^\s+(\d\d)%\s+([\d.]+)(us|ms|s)$", re.MULTILINE)


def _door(url: str, **options: object) -> Door:
    """Return a door with the limits that it has by default."""
    limits = {f.name: f.default for f in fields(Config) if f.name not in ("listen", "metrics_listen", "path")}
    return Door(url, **{**limits, **options})


def _measure_requests() -> Iterator[Row]:
    with ExitStack() as held:
        plex = held.enter_context(_haproxy(f"http-request return status 200 content-type text/xml string '{_ANSWER}'"))
        plain = held.enter_context(_haproxy(_TO_PLEX.format(port=plex)))
        node = held.enter_context(_node(plex))
        door = held.enter_context(_door(f"http://127.0.0.1:{plex}"))
        ports = {"door": door.port, "plain": plain, "node": node}
        rates: dict[str, list[float]] = {name: [] for name in ports}
        for _ in range(_RUNS):
            for name, port in ports.items():
                rates[name].append(_wrk(port, 32)[0])
        for name, other, what, least in (("", "plain", "HAProxy without rules", 0.8), ("-node", "node", "Node's http", 5)):
            note = f"requests/s with 32 connections; reference: {what}"
            target = at_least_times(least)
            yield row(f"proxy.small-requests{name}", rates["door"], rates[other], unit="/s", note=note, target=target)
        pairs = [(_wrk(door.port, 1), _wrk(plex, 1)) for _ in range(_RUNS)]
        for name, place, most in (("p50", 1, 0.3), ("p99", 2, 2)):
            added = [max(0.0, ours[place] - direct[place]) for ours, direct in pairs]
            yield row(f"proxy.latency-{name}", added, None, unit="ms", note="added to the straight way", target=at_most(most))


def _measure_bodies() -> Iterator[Row]:
    yield _measure_body("", runs=_RUNS, least=0.6)
    yield _measure_body("-1gbit", runs=2, least=0.98, bytes_per_s=_GIGABIT_BYTES_PER_S)


def _measure_body(name: str, *, runs: int, least: float, bytes_per_s: int = 0) -> Row:
    """bytes_per_s: the speed of Plex's line, 0 for none."""
    with tempfile.TemporaryFile(dir="/dev/shm") as file:
        file.truncate(_BODY_BYTES)

        def serve(peer, _asked):
            connection = peer._connection
            if bytes_per_s:
                connection.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, bytes_per_s)
            peer.send(f"HTTP/1.1 200 OK\r\nContent-Length: {_BODY_BYTES}\r\n\r\n".encode())
            place = 0
            while place < _BODY_BYTES:
                place += os.sendfile(connection.fileno(), file.fileno(), place, 1 << 24)

        plex = Upstream(serve)
        with _door(plex.url) as door:
            times = [(_fetch_s(door.port), _fetch_s(plex.port)) for _ in range(runs)]
        plex.close()
    ours, direct = [_BODY_BYTES / a / 1e6 for a, _ in times], [_BODY_BYTES / b / 1e6 for _, b in times]
    note = f"a media part of 1 GB{' at 1 Gbit/s' if bytes_per_s else ''}; reference: the straight way"
    return row(f"proxy.body-throughput{name}", ours, direct, unit="MB/s", note=note, target=at_least_times(least))


def _fetch_s(port: int) -> float:
    began = time.perf_counter()
    url = f"http://127.0.0.1:{port}/library/parts/1/2/file.mkv"
    subprocess.run(["curl", "-sS", "-f", "-o", "/dev/null", url], timeout=60, check=True)
    return time.perf_counter() - began


def measure_hang(folder: Path) -> Iterator[Row]:
    """Plex hangs for a minute under ten requests a second."""
    hangs = threading.Event()

    def serve(peer, _asked):
        while hangs.is_set() and not peer.closing.is_set():
            time.sleep(0.05)
        peer.answer(200, b'{"MediaContainer":{"size":0}}', "Content-Type: application/json")

    plex = Upstream(serve)
    got: list[tuple[float, float, int]] = []
    threads = []
    with _door(plex.url) as door:
        door.guard()
        hangs.set()
        began = time.monotonic()
        opened_s = None
        for number in range(int(_HANG_S * _PER_SECOND)):
            time.sleep(max(0.0, began + number / _PER_SECOND - time.monotonic()))
            threads.append(threading.Thread(target=_note, args=(door, began, got)))
            threads[-1].start()
            if opened_s is None and door.phase is not Phase.CLOSED:
                opened_s = time.monotonic() - began
        hangs.clear()
        for thread in threads:
            thread.join(60)
        await_true(lambda: door.phase is Phase.CLOSED, what="the breaker closes", timeout_s=120)
        closed = time.monotonic()
        await_true(lambda: door.get("/library/sections").status == 200, what="a good answer", timeout_s=10)
        back_s = time.monotonic() - closed
    plex.close()
    assert opened_s is not None
    fast = sorted(took for at, took, _ in got if at > opened_s + 0.5)
    impact = {int(at) for at, took, _ in got if took > _HONEST_S}
    yield row("proxy.breaker-open", [opened_s], None, unit="s", note="Plex hangs under 10 requests/s", target=at_most(15))
    p99 = statistics.quantiles(fast, n=100)[98] * 1000
    yield row("proxy.fail-fast-p99", [p99], None, unit="ms", note="an answer while it is open", target=at_most(20))
    note = "seconds of a hang of 60 s in which a request had no honest answer within 2 s"
    yield row("proxy.user-impact", [float(len(impact))], None, unit="s", note=note, target=at_most(30))
    note = "from the third good check to the first good answer"
    yield row("proxy.back", [back_s], None, unit="s", note=note, target=at_most(5))


def _note(door: Door, began: float, got: list[tuple[float, float, int]]) -> None:
    at = time.monotonic() - began
    try:
        answer = door.get("/library/sections", timeout_s=40)
        got.append((at, answer.took_s, answer.status))
    except OSError:
        got.append((at, 40.0, 0))
