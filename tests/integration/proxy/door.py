"""The front door as it runs: two real HAProxys with the configuration that is made for them, and a breaker beside them."""

import contextlib
import http.client
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

from plexguard.core.clock import SystemClock
from plexguard.core.endpoints import Endpoint
from plexguard.core.plex_http import HttpPlex
from plexguard.core.program import Ports
from plexguard.core.published import ProbeSeen, ProxySeen
from plexguard.core.state import StateFile
from plexguard.proxy import act, prepare
from plexguard.proxy.config import Config
from plexguard.proxy.decide import Phase
from plexguard.proxy.render.common import BREAKER, MAIN, SOCKET, Places
from plexguard.proxy.render.front import render_front
from plexguard.proxy.render.pictures import render_pictures
from plexguard.proxy.runtime import ProxyAway, RuntimeSocket
from tests.fakes.ports import FakeJournal, fake_ports
from tests.loopback import take_port
from tests.waiting import await_true

HAPROXY = "/usr/sbin/haproxy"


@dataclass
class Got:
    """An answer. fault: why it broke off, "" when it came whole."""

    status: int
    headers: dict[str, str]
    body: bytes
    took_s: float
    fault: str = ""


class Door:
    """Use it as a context. url: Plex's. tuned: what no option sets, by the line of the front's configuration that sets it."""

    def __init__(self, url: str, *, tuned: Mapping[str, str] | None = None, **options: object) -> None:
        # Short, as the path of a socket has 107 bytes; and in memory, as /run is.
        self.folder = Path(tempfile.mkdtemp(prefix="door-", dir="/dev/shm"))
        self._taken = (take_port(), take_port())
        self.port, self.metrics_port = (int(taken.getsockname()[1]) for taken in self._taken)
        self.places = Places(run=f"{self.folder}/run", pictures=f"{self.folder}/pics", log=f"{self.folder}/log")
        listen = (Endpoint(address="127.0.0.1", port=self.port),)
        metrics = (Endpoint(address="127.0.0.1", port=self.metrics_port),)
        quick = {
            "metadata_limit": timedelta(seconds=1),
            "media_limit": timedelta(seconds=2),
            "transcode_limit": timedelta(seconds=3),
        }
        # Over half a minute of a closed gate no test would live.
        breaker = {"open_for": timedelta(seconds=1), "check_limit": timedelta(seconds=1), "check_interval": timedelta(seconds=1)}
        self.config = replace(Config(listen=listen, metrics_listen=metrics), **{**quick, **breaker, **options})  # type: ignore[arg-type]
        self.marker = self.folder / "drained"
        self.url = url
        self.tuned = tuned or {}
        self.lines: list[str] = []
        self.journal = FakeJournal()
        self.probe: ProbeSeen | None = None
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.breaker: act.Breaker | None = None

    def __enter__(self) -> "Door":
        for folder in (self.places.run, self.places.pictures):
            os.mkdir(folder)
        self._log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._log.bind(self.places.log)
        self._log.settimeout(0.2)
        self._follow(self._read_log)
        prepare.make_servers(Path(self.places.run), self.url, is_shut=False, is_drained=False)
        self.place()
        self.start("run")
        self.start("pics")
        # The front looked for them before they were there.
        await_true(lambda: "L7OK" in self.runtime.ask("show stat picture-away 4 -1"), what="the pictures are known to be there")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(5)
        for process in self._processes.values():
            process.send_signal(signal.SIGCONT)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)
        self._log.close()
        for taken in self._taken:
            taken.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def place(self) -> None:
        front = render_front(self.config, self.url, self.places)
        for line, other in self.tuned.items():
            assert f"\n{line}\n" in front[MAIN], line
            front[MAIN] = front[MAIN].replace(f"\n{line}\n", f"\n{other}\n")
        prepare.place(front, Path(self.places.run))
        prepare.place(render_pictures(self.config, self.url, self.places), Path(self.places.pictures))

    def start(self, name: str) -> None:
        with open(self.folder / f"{name}.out", "ab") as output:
            self._processes[name] = subprocess.Popen(
                [HAPROXY, "-W", "-f", f"{self.folder}/{name}/{MAIN}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        await_true(lambda: _answers(f"{self.folder}/{name}/{SOCKET}"), what=f"{name} answers")

    def stop(self, name: str) -> None:
        process = self._processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(5)
        # The worker may outlive its master by a moment, and would be taken for the next.
        (self.folder / name / SOCKET).unlink(missing_ok=True)

    @contextlib.contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """Have a process say nothing for a while, without its end."""
        group = self._processes[name].pid
        os.killpg(group, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(group, signal.SIGCONT)

    def reload(self) -> None:
        """As the unit does it."""
        before = self.worker
        prepare.keep_servers(Path(self.places.run))
        self.place()
        self._processes["run"].send_signal(signal.SIGUSR2)
        await_true(lambda: self.worker not in ("", before), what="another worker answers")

    @property
    def worker(self) -> str:
        try:
            said = self.runtime.ask("show info")
        except ProxyAway:
            return ""
        return next((line for line in said.splitlines() if line.startswith("Pid:")), "")

    @property
    def runtime(self) -> RuntimeSocket:
        return RuntimeSocket(f"{self.places.run}/{SOCKET}")

    @property
    def phase(self) -> Phase:
        assert self.breaker is not None
        return self.breaker.state.phase

    def guard(self) -> None:
        """Have a breaker decide, from now on."""
        self.breaker = self._make_breaker()
        self.breaker.look()
        self._follow(self._look)
        if not self.breaker.state.opened:
            await_true(lambda: self.breaker is not None and self.breaker.state.has_answered, what="Plex has answered")

    def guard_apart(self) -> BaseProcess:
        """Have a breaker of a process of its own decide, which can be killed."""
        process = multiprocessing.get_context("fork").Process(target=self._look_on, daemon=True)
        process.start()
        await_true(lambda: self.runtime.look().is_held, what="the breaker has the gate")
        return process

    def _look_on(self) -> None:
        breaker = self._make_breaker()
        while True:
            breaker.look()
            time.sleep(0.1)

    def _make_breaker(self) -> act.Breaker:
        ports: Ports = replace(fake_ports(journal=self.journal), clock=SystemClock())
        world = act.World(
            runtime=self.runtime,
            open_plex=lambda: HttpPlex(self.url, None),
            read_probe=lambda: self.probe,
            is_drained=self.marker.exists,
            maps=self.places.run,
        )
        file = StateFile(self.folder / "state.json", ProxySeen, schema=act.STATE_SCHEMA, journal=self.journal)
        return act.Breaker(self.config, ports, world, file)

    def shut(self) -> None:
        """Close the gate, and nobody opens it."""
        self.runtime.tell([f"disable health {BREAKER}", f"set server {BREAKER} health down"])

    def open(self) -> None:
        self.runtime.tell([f"set server {BREAKER} health up"])

    def get(self, target: str, *, method: str = "GET", timeout_s: float = 15, body: bytes | None = None, **headers: str) -> Got:
        """Ask at the door. Headers: with "_" for "-"."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        began = time.monotonic()
        try:
            connection.request(
                method, target, body=body, headers={name.replace("_", "-"): value for name, value in headers.items()}
            )
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            fault, content = "", b""
            try:
                content = response.read()
            except (http.client.HTTPException, OSError) as error:
                fault = type(error).__name__
            return Got(response.status, found, content, time.monotonic() - began, fault)
        finally:
            connection.close()

    def line(self, text: str) -> str:
        """Return the line of the log with that text, when it has come."""
        return await_true(lambda: next((line for line in self.lines if text in line), ""), what=f"a line with {text}")

    def _follow(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=lambda: self._repeat(work), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _repeat(self, work: Callable[[], None]) -> None:
        while not self._stop.is_set():
            work()

    def _look(self) -> None:
        assert self.breaker is not None
        with contextlib.suppress(ProxyAway):
            self.breaker.look()
        time.sleep(0.1)

    def _read_log(self) -> None:
        with contextlib.suppress(TimeoutError):
            self.lines.append(self._log.recv(65536).decode())


def _answers(path: str) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as peer:
        peer.connect(path)
        return True
    return False
