"""What workers do: deliver events over a channel, or ping. Made in the process that stays, run in processes of their own."""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from plexguard.core.errors import TryAgain
from plexguard.core.events import Event
from plexguard.core.program import Ports
from plexguard.core.published import ProbeSeen
from plexguard.core.state import exclusive_lock
from plexguard.core.told import ToldReader
from plexguard.notify.config import Channel
from plexguard.notify.deliver import Delivery, Outside
from plexguard.notify.heartbeat import Ping
from plexguard.notify.message import Sender, SendError
from plexguard.notify.outage import note_failure, tell_recovery
from plexguard.notify.outlet import Outlet
from plexguard.notify.spool import SPOOL, SpoolReader
from plexguard.notify.state import FOLDER
from plexguard.notify.worker import Work, Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is outside. open_journal raises OSError. open_sender runs in a worker, and raises SendError."""

    root: Path
    open_journal: Callable[[], ToldReader]
    open_sender: Callable[[str, Channel], Sender]
    send_ping: Callable[[str, Channel, Ping], None]
    start: Callable[[Work], Worker]
    zone: Callable[[Channel], tzinfo]
    jitter: Callable[[], float]
    read_probe: Callable[[], ProbeSeen | None]
    events: Mapping[str, Event]


class Works:
    def __init__(self, world: World, ports: Ports) -> None:
        self._world = world
        self._clock = ports.clock
        self._journal = ports.journal

    def deliver(self, outlet: Outlet) -> Work:
        def work(sign: Callable[[], None], go_on: Callable[[], bool]) -> None:
            reader = SpoolReader(self._world.root / SPOOL)
            outside = self._open_outside(outlet, sign, go_on)
            # A worker of a daemon that was killed may still be at it.
            with contextlib.suppress(TryAgain), exclusive_lock(self._world.root / FOLDER / f"{outlet.name}.lock"):
                Delivery(
                    outlet.name,
                    outlet.channel,
                    root=self._world.root,
                    file=outlet.file,
                    reader=reader,
                    outside=outside,
                    state=outlet.state,
                ).run()

        return work

    def _open_outside(self, outlet: Outlet, sign: Callable[[], None], go_on: Callable[[], bool]) -> Outside:
        return Outside(
            clock=self._clock,
            journal=self._journal,
            open_sender=lambda: self._world.open_sender(outlet.name, outlet.channel),
            zone=self._world.zone(outlet.channel),
            events=self._world.events,
            sign=sign,
            go_on=go_on,
            jitter=self._world.jitter,
        )

    def ping(self, outlet: Outlet, ping: Ping) -> Work:
        def work(sign: Callable[[], None], go_on: Callable[[], bool]) -> None:
            sign()
            state, clock, journal = outlet.state, self._clock, self._journal
            # One that could not be kept would be told again and again.
            outlet.file.save(state)
            try:
                self._world.send_ping(outlet.name, outlet.channel, ping)
            except SendError as error:
                failed = note_failure(state, outlet.name, error, clock=clock, journal=journal, jitter=self._world.jitter)
                outlet.file.save(failed)
                return
            delivered = state.delivered + 1
            outlet.file.save(dataclasses.replace(state, outage=None, delivered=delivered, succeeded=clock.now(), reason=""))
            tell_recovery(state.outage, outlet.name, clock=clock, journal=journal)

        return work
