"""A watch over real files, a real database and a real socket, with a root side that answers as it is told."""

import contextlib
import errno
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from plexguard.core import perms_request
from plexguard.core.clock import Clock, SystemClock
from plexguard.core.guarded import NONE_GUARDED
from plexguard.core.perms_request import Answer, Verdict
from plexguard.core.state import StateFile
from plexguard.log_watch.act import STATE_SCHEMA, State, Watcher, World
from plexguard.log_watch.config import Config
from plexguard.log_watch.database import Database
from plexguard.log_watch.observe import Sources
from plexguard.log_watch.proxy import NoProxy
from tests.fakes.plex import PlexSimulator
from tests.fakes.ports import FakeJournal, fake_ports


class Audit:
    """The root side: it repairs a file by giving it the bits that it lacks, and remembers what it was asked."""

    def __init__(self, address: Path) -> None:
        self.asked: list[str] = []
        self.answers: list[bytes] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(address))
        self._listener.listen(8)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                with peer:
                    packet = peer.recv(perms_request.MAX_PACKET_BYTES)
                    path = perms_request.parse_request(packet).path
                    self.asked.append(path)
                    peer.sendall(self.answers.pop(0) if self.answers else perms_request.to_packet(self._repair(path)))

    def _repair(self, path: str) -> Answer:
        try:
            before = stat.S_IMODE(os.stat(path).st_mode)
        except OSError:
            return Answer(verdict=Verdict.MISSING)
        if before & 0o444 == 0o444:
            return Answer(verdict=Verdict.READABLE)
        os.chmod(path, before | 0o644)
        return Answer(verdict=Verdict.REPAIRED, detail=f"mode {before:04o} is now 0644")

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5.0)


def open_as_plex(path: str) -> int:
    """Open a file as a user who is not its owner, whoever runs the tests."""
    if not os.stat(path).st_mode & 0o004:
        raise PermissionError(errno.EACCES, "Permission denied", path)
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


class Site:
    """A Plex with films, the root side, and what a watch needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.films = folder / "Films"
        self.films.mkdir()
        for number in (1, 2, 3):
            (self.films / f"Film {number}.mkv").write_text(f"film {number}\n")
        self.plex = PlexSimulator(folder / "Plex Media Server", opener=open_as_plex)
        self.plex.set(claimed=True)
        self.plex.start()
        self.plex.scan(self.plex.add_library("Films", "movie", self.films))
        self.address = folder / "perms-request.socket"
        self.audit = Audit(self.address)
        self.journal = FakeJournal()
        self.logs = self.plex.log_file.parent

    @property
    def sources(self) -> Sources:
        return Sources(folder=str(self.logs), logs=self.logs, database=self.plex.database)

    def watch(self, *, clock: Clock | None = None, state: Path | None = None) -> Watcher:
        world = World(
            find_sources=lambda: self.sources,
            read_mounts=lambda: (),
            open_library=Database,
            open_proxy=NoProxy,
            ask=lambda path, timeout_s: perms_request.ask(path, timeout_s=timeout_s, address=self.address),
            read_guarded=lambda: NONE_GUARDED,
            hint=lambda _name: None,
        )
        file = StateFile(state or self.folder / "state.json", State, schema=STATE_SCHEMA, journal=self.journal)
        watcher = Watcher(Config(), fake_ports(journal=self.journal, clock=clock or SystemClock()), world, file)
        watcher.cycle()
        return watcher

    def close(self) -> None:
        self.plex.stop()
        self.audit.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    try:
        yield site
    finally:
        site.close()
