"""Follow the journal, keep what is told, and have it delivered: the process that stays.

It stays small: what it takes to send something is loaded by its workers only.
"""

import contextlib
import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from plexguard.core.clock import Clock, Moment
from plexguard.core.errors import IoFailed, PlexguardError
from plexguard.core.journal import Journal
from plexguard.core.program import Ports
from plexguard.core.published import NOTIFY, ChannelSeen, NotifySeen
from plexguard.core.state import StateFile
from plexguard.notify import events
from plexguard.notify.config import Channel, Config
from plexguard.notify.heartbeat import LastPing, choose_ping, find_problems, judge_ping
from plexguard.notify.intake import Intake
from plexguard.notify.line import Line
from plexguard.notify.message import Away
from plexguard.notify.orders import CLEAR, clear, retry, take_orders
from plexguard.notify.outage import note_failure
from plexguard.notify.outlet import Outlet
from plexguard.notify.past import Past
from plexguard.notify.spool import SPOOL, Spool, SpoolReader, first_number, segments
from plexguard.notify.state import FOLDER, ChannelState, open_state
from plexguard.notify.worker import Work
from plexguard.notify.works import Works, World

_WAIT_S = 5.0
# A machine that logs a thousand lines a second must not wake this a thousand times.
_LEAST_CYCLE_S = 0.2
# Much longer than any call may take.
_STUCK_AFTER_S = 300.0
_HELD_S = 30.0
_PUBLISH_EVERY_S = 5.0
_PUBLISH_AT_LEAST_S = 300.0
_TRIM_EVERY_S = 10.0
_NEVER = Moment(wall=datetime.fromtimestamp(0, UTC), boot_id="", uptime_s=0.0)


class Engine:
    def __init__(self, config: Config, ports: Ports, world: World) -> None:
        self._config = config
        self._clock: Clock = ports.clock
        self._journal: Journal = ports.journal
        self._world = world
        self._works = Works(world, ports)
        self._spool = Spool(world.root / SPOOL, limit_bytes=config.spool_limit)
        self._intake = Intake(world, self._spool, self._clock, self._journal)
        self._outlets: dict[str, Outlet] = {}
        self._oldest = SpoolReader(self._spool.folder)
        self._is_first = True
        self._published: NotifySeen | None = None
        self._published_s = 0.0
        self._trimmed_s = 0.0

    def cycle(self) -> str:
        if not self._is_first:
            self._wait()
        self._intake.follow(self._note, self._admit_after)
        self._collect()
        self._obey()
        self._start()
        self._trim()
        self._publish()
        self._is_first = False
        return self._describe()

    def close(self) -> None:
        for outlet in self._outlets.values():
            if outlet.worker is not None:
                outlet.worker.end()

    # What comes in, and for whom

    def _admit_after(self, is_whole: bool) -> None:
        """Begin with channels that are not known yet, once all that was told before their time is in the spool."""
        known = self._config.channel
        self._admit(known if is_whole else {name: one for name, one in known.items() if self._open_state(name).path.exists()})

    def _open_state(self, name: str) -> StateFile[ChannelState]:
        return open_state(self._world.root, name, self._journal)

    def _note(self, lines: list[Line]) -> None:
        if lines:
            loudest = min(line.priority for line in lines)
            for outlet in self._outlets.values():
                outlet.note(loudest)

    def _admit(self, channels: Mapping[str, Channel]) -> None:
        """Begin with those channels that are not known yet. A new one is told what comes from now on, and one that was taken out of
        the configuration is new when it comes back."""
        if not self._outlets:
            for path in (self._world.root / FOLDER).glob("*.json"):
                if path.stem not in self._config.channel:
                    path.unlink()
        failures = []
        for name, channel in channels.items():
            if name not in self._outlets:
                try:
                    self._outlets[name] = self._admit_one(name, channel)
                except PlexguardError as error:
                    # The others are delivered to all the same; nothing is trimmed meanwhile.
                    failures.append(error)
        if failures:
            raise failures[0]

    def _admit_one(self, name: str, channel: Channel) -> Outlet:
        file = self._open_state(name)
        was_there = file.path.exists()
        state, end = file.load(), self._spool.next
        if state is None or state.past.position > end:
            # Of one whose state was spoilt nobody knows how far it was: rather twice than never.
            found = segments(self._spool.folder) if was_there else []
            state = ChannelState(past=Past(position=first_number(found[0]) if found else end), looked=0 if found else end)
            file.save(state)
        return Outlet(name=name, channel=channel, file=file, state=dataclasses.replace(state, looked=min(state.looked, end)))

    # Workers

    def _collect(self) -> None:
        """Take note of workers that have ended, and end those that are stuck."""
        now_s = self._clock.monotonic_s()
        for outlet in self._outlets.values():
            worker = outlet.worker
            if worker is None:
                continue
            if worker.look():
                outlet.sign_s = now_s
            if worker.ended:
                self._dismiss(outlet, worker.failure)
            elif now_s - outlet.sign_s > _STUCK_AFTER_S:
                self._dismiss(outlet, f"the process that sends gave no sign for {_STUCK_AFTER_S:.0f} s")

    def _dismiss(self, outlet: Outlet, failure: str) -> None:
        outlet.dismiss()
        if failure:
            outlet.held_until_s = self._clock.monotonic_s() + _HELD_S
            clock, journal, jitter = self._clock, self._journal, self._world.jitter
            outlet.keep(note_failure(outlet.state, outlet.name, Away(failure), clock=clock, journal=journal, jitter=jitter))

    def _start(self) -> None:
        for outlet in self._outlets.values():
            if outlet.worker is not None or self._clock.monotonic_s() < outlet.held_until_s:
                continue
            if outlet.is_ping:
                self._start_ping(outlet)
            elif outlet.is_due(self._spool.next, self._clock.moment()):
                outlet.quieten()
                self._run(outlet, self._works.deliver(outlet))

    def _run(self, outlet: Outlet, work: Work) -> None:
        try:
            (self._world.root / FOLDER).mkdir(exist_ok=True)
            outlet.worker = self._world.start(work)
        except OSError:
            # No memory, no process, no disk left; later.
            outlet.held_until_s = self._clock.monotonic_s() + _HELD_S
        outlet.sign_s = self._clock.monotonic_s()

    # The dead man's switch

    def _start_ping(self, outlet: Outlet) -> None:
        now = self._clock.moment()
        if outlet.state.outage is not None:
            if outlet.state.outage.wait_left_s(now):
                return
            # What was not heard is said again.
            outlet.last_ping = dataclasses.replace(outlet.last_ping, at=_NEVER) if outlet.last_ping is not None else None
        probe = self._world.read_probe()
        judged = judge_ping(probe, find_problems(probe), now)
        ping = choose_ping(judged, outlet.last_ping, interval_s=outlet.channel.interval.total_seconds(), now=now)
        if ping is not None:
            outlet.last_ping = LastPing(signal=ping.signal, at=now)
            # It takes no events: should it become a channel of another kind, that begins here.
            outlet.state = dataclasses.replace(outlet.state, past=Past(position=self._spool.next))
            self._run(outlet, self._works.ping(outlet, ping))

    # Orders, and what others see

    def _obey(self) -> None:
        for what, name in take_orders(self._world.root, later=self._config.channel.keys() - self._outlets.keys()):
            if name in self._outlets:
                outlet = self._outlets[name]
                outlet.dismiss()
                outlet.keep(retry(clear(outlet.state, self._spool.next) if what == CLEAR else outlet.state))
                outlet.held_until_s = 0.0

    def _trim(self) -> None:
        if self._intake.trouble or self._clock.monotonic_s() - self._trimmed_s < _TRIM_EVERY_S:
            return
        self._trimmed_s = self._clock.monotonic_s()
        positions = [outlet.find_position() for outlet in self._outlets.values() if not outlet.is_ping]
        dropped = 0
        # A disk that refuses is told when it refuses what is to be kept.
        with contextlib.suppress(PlexguardError, OSError):
            dropped = self._spool.drop(min(positions, default=self._spool.next))
        if dropped:
            self._journal.send(events.DROPPED, count=dropped, limit_bytes=self._config.spool_limit)

    def _publish(self) -> None:
        now_s = self._clock.monotonic_s()
        age_s = now_s - self._published_s
        if self._published is not None and age_s < _PUBLISH_EVERY_S:
            return
        seen = NotifySeen(channels=tuple(map(self._show, self._outlets.values())), trouble=self._intake.trouble)
        if seen == self._published and age_s < _PUBLISH_AT_LEAST_S:
            return
        file = StateFile(self._world.root / Path(NOTIFY.file).name, NotifySeen, schema=NOTIFY.schema, journal=self._journal)
        with contextlib.suppress(IoFailed):
            file.save(dataclasses.replace(seen, checked=self._clock.moment()))
        self._published, self._published_s = seen, now_s

    def _show(self, outlet: Outlet) -> ChannelSeen:
        position = outlet.find_position()
        waiting = 0 if outlet.is_ping else max(0, self._spool.next - position)
        return outlet.show(waiting, self._find_oldest(position) if waiting else None)

    def _find_oldest(self, position: int) -> datetime | None:
        with contextlib.suppress(IoFailed):
            return next((line.at for line in self._oldest.lines(position)), None)
        return None

    def _wait(self) -> None:
        began_s = self._clock.monotonic_s()
        pipes = [outlet.worker.pipe for outlet in self._outlets.values() if outlet.worker is not None]
        if not self._intake.wait(self._wait_s(), hangups=pipes):
            self._clock.sleep(_WAIT_S)
            return
        self._clock.sleep(max(0.0, began_s + _LEAST_CYCLE_S - self._clock.monotonic_s()))

    def _wait_s(self) -> float:
        now, now_s = self._clock.moment(), self._clock.monotonic_s()
        return max(0.0, min([_WAIT_S, *(wait_s for outlet in self._outlets.values() for wait_s in outlet.waits_s(now, now_s))]))

    def _describe(self) -> str:
        if self._intake.trouble:
            return f"nothing is taken from the journal: {self._intake.trouble}"
        failed = [name for name, outlet in self._outlets.items() if outlet.state.outage]
        count = len(self._outlets)
        return f"{count} channel{'s' if count > 1 else ''}" + (f", taking nothing: {', '.join(failed)}" if failed else "")
