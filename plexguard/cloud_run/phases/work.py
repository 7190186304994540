"""What every phase works with."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from plexguard.cloud_run import events
from plexguard.cloud_run.config import Config
from plexguard.cloud_run.life.run_file import RunFile
from plexguard.cloud_run.life.state import Book
from plexguard.cloud_run.reap.world import World
from plexguard.cloud_run.rent.keys import Keys
from plexguard.cloud_run.rent.lease import Lease
from plexguard.cloud_run.rent.resources import Key, Kind
from plexguard.core.errors import IoFailed, NoPermission, PlexguardError, TryAgain, Unavailable
from plexguard.core.host import Commands
from plexguard.core.notify import one_line
from plexguard.core.program import Ports
from plexguard.core.spans import show_span
from plexguard.core.ssh import Login, Reconnecting

# For how long a connection that was lost is tried anew: a router at home that restarts is no reason to give a machine back.
_PATIENCE_S = 3600.0
_PAUSE_S = 20.0
_TOLD_S = 60.0
# After these: also a refusal, which a machine may give that has just booted.
_BORNE = (Unavailable, TryAgain, NoPermission)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A run, for one of its phases."""

    name: str
    file: RunFile
    config: Config
    ports: Ports
    world: World
    book: Book
    keys: Keys

    def tell(self, line: str, *, done: int = 0, total: int = 0) -> None:
        """Say how far the phase is: for `systemctl status`, and for everybody who looks at the run."""
        self.ports.notifier.tell(f"STATUS={one_line(line)}")
        with contextlib.suppress(IoFailed):  # a disk that is full for a minute ends no work of days
            self.book.change(line=one_line(line), done=done, total=total)

    def tell_trouble(self, detail: str, *, library: str = "") -> None:
        """Have it known that the work on a library has trouble; "" for one that is not of a single one."""
        self.ports.journal.send(events.LIBRARY_TROUBLE, run=self.name, library=library or "all libraries", detail=one_line(detail))

    @property
    def is_shut_down(self) -> bool:
        """Whether this machine is being shut down, or that cannot be told: then what is paid for stays, and where it is held by
        nothing after all the reaper gives it back."""
        try:
            return self.ports.manager.is_stopping()
        except PlexguardError:
            return True

    @property
    def lease(self) -> Lease:
        """Raises TryAgain when the run holds none."""
        read = self.world.leases.read(self.name)
        if read is None or read.lease is None:
            raise TryAgain(f"{self.name}: {read.why if read else 'it holds no machine'}")
        return read.lease

    @contextlib.contextmanager
    def machine(self, *, patience_s: float = _PATIENCE_S) -> Iterator[Commands]:
        """Yield the run's machine, for commands; a connection that is lost is made anew for the next one, for so long.

        Raises what the provider and the connection raise.
        """
        server = self.server
        login = self._find_login(server, patience_s)
        if login is None:
            yield self.ports.host
            return

        def find() -> Login:
            found = self.world.provider.find_login(server, self.keys)
            assert found is not None
            return found

        host = Reconnecting(find, clock=self.ports.clock, patience_s=patience_s, bears=_BORNE, tell=Reach(self).note)
        with contextlib.closing(host):
            yield host

    def _find_login(self, server: Key, patience_s: float) -> Login | None:
        """Ask the provider for it, for so long: that it is away for a while is no reason to give a machine back either."""
        until_s = self.ports.clock.monotonic_s() + patience_s
        while True:
            try:
                return self.world.provider.find_login(server, self.keys)
            except (Unavailable, TryAgain):
                if self.ports.clock.monotonic_s() >= until_s:
                    raise
                self.ports.clock.sleep(_PAUSE_S)

    @property
    def server(self) -> Key:
        """Raises TryAgain when no machine is known."""
        server = next((key for key in self.lease.keys if key.kind is Kind.SERVER), None)
        if server is None:
            raise TryAgain(f"{self.name}: its machine is not known")
        return server


@dataclass(slots=True)
class Reach:
    """Whether a run's machine is in reach, as far as people were told."""

    run: Work
    is_away: bool = False

    def note(self, away_s: float, why: str) -> None:
        """See Reconnecting. A line that is back within a minute is nobody's trouble."""
        span = show_span(timedelta(seconds=round(away_s)))
        if why:
            with contextlib.suppress(PlexguardError):  # what cannot be told is no reason to give it up
                self.run.tell(f"its machine is out of reach for {span}: {why}")
        if why and not self.is_away and away_s >= _TOLD_S:
            self.is_away = True
            self.run.ports.journal.send(events.LINE_LOST, run=self.run.name, span=span, reason=one_line(why))
        elif not why and self.is_away:
            self.is_away = False
            self.run.ports.journal.send(events.LINE_BACK, run=self.run.name, span=span)
