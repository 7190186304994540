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
from plexguard.notify import events
from plexguard.notify.config import Channel
from plexguard.notify.deliver import Delivery, Outside, kind_of, note_failure, retry_after_of
from plexguard.notify.desk import Desk
from plexguard.notify.heartbeat import Ping
from plexguard.notify.message import Sender, SendError
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

    def deliver(self, desk: Desk) -> Work:
        def work(sign: Callable[[], None], go_on: Callable[[], bool]) -> None:
            reader = SpoolReader(self._world.root / SPOOL)
            outside = self.open_outside(desk, sign, go_on)
            # A worker of a daemon that was killed may still be at it.
            with contextlib.suppress(TryAgain), exclusive_lock(self._world.root / FOLDER / f"{desk.name}.lock"):
                Delivery(
                    desk.name, desk.channel, root=self._world.root, file=desk.file, reader=reader, outside=outside, state=desk.state
                ).run()

        return work

    def open_outside(self, desk: Desk, sign: Callable[[], None], go_on: Callable[[], bool]) -> Outside:
        return Outside(
            clock=self._clock,
            journal=self._journal,
            open_sender=lambda: self._world.open_sender(desk.name, desk.channel),
            zone=self._world.zone(desk.channel),
            events=self._world.events,
            sign=sign,
            go_on=go_on,
            jitter=self._world.jitter,
        )

    def ping(self, desk: Desk, ping: Ping) -> Work:
        def work(sign: Callable[[], None], go_on: Callable[[], bool]) -> None:
            sign()
            outside = self.open_outside(desk, sign, go_on)
            before = desk.state.outage
            # One that could not be kept would be told again and again.
            desk.file.save(desk.state)
            try:
                self._world.send_ping(desk.name, desk.channel, ping)
            except SendError as error:
                desk.file.save(note_failure(desk.state, desk.name, kind_of(error), str(error), retry_after_of(error), outside))
                return
            succeeded = self._clock.now()
            delivered = desk.state.delivered + 1
            desk.file.save(dataclasses.replace(desk.state, outage=None, delivered=delivered, succeeded=succeeded, reason=""))
            if before is not None and before.told:
                lasted_s = self._clock.moment().seconds_since(before.since)
                self._journal.send(events.CHANNEL_RECOVERED, channel=desk.name, downtime_s=lasted_s)

        return work
