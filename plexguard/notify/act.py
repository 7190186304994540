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
from plexguard.core.told import ToldReader
from plexguard.notify import events
from plexguard.notify.config import Channel, Config
from plexguard.notify.decide import Past
from plexguard.notify.deliver import note_failure
from plexguard.notify.desk import Desk, clear, retry
from plexguard.notify.heartbeat import judge_ping
from plexguard.notify.line import Line, line_from_told
from plexguard.notify.pulse import Pulse, choose_pulse, find_problems
from plexguard.notify.queue import CLEAR, REQUESTS, take_requests
from plexguard.notify.spool import SPOOL, Spool, SpoolReader, first_number, segments
from plexguard.notify.state import FOLDER, ChannelState, open_state
from plexguard.notify.worker import Work
from plexguard.notify.works import Works, World

# Of the journal, before what was read is on disk, and in one cycle: each ends well within WatchdogSec=.
_BATCH = 500
_BATCHES = 20
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
        self._reader: ToldReader | None = None
        self._desks: dict[str, Desk] = {}
        self._oldest = SpoolReader(self._spool.folder)
        self._gap_told = ""
        self._trouble = ""
        self._trouble_since = self._clock.moment()
        self._is_first = True
        self._published: NotifySeen | None = None
        self._published_s = 0.0
        self._trimmed_s = 0.0

    def cycle(self) -> str:
        if not self._is_first:
            self._wait()
        self._follow()
        self._collect()
        self._obey()
        self._start()
        self._trim()
        self._publish()
        self._is_first = False
        return self._describe()

    def close(self) -> None:
        for desk in self._desks.values():
            if desk.worker is not None:
                desk.worker.end()

    # The journal, and what is kept of it

    def _follow(self) -> None:
        try:
            reader = self._reader or self._open()
            self._reader = None
            self._take(reader)
        except (PlexguardError, OSError) as error:
            self._begin_trouble(str(error))
        else:
            self._reader = reader
            self._end_trouble()

    def _open(self) -> ToldReader:
        (self._world.root / FOLDER).mkdir(parents=True, exist_ok=True)
        (self._world.root / REQUESTS).mkdir(exist_ok=True)
        reader = self._world.open_journal()
        self._spool.open(reader.seek_end)
        if not self._spool.cursor:
            reader.seek_time(datetime.fromtimestamp(0, UTC))
        elif not reader.seek(self._spool.cursor) and self._gap_told != self._spool.cursor:
            self._gap_told = self._spool.cursor
            self._journal.send(events.JOURNAL_GAP, since=show_cursor_time(self._spool.cursor))
        return reader

    def _take(self, reader: ToldReader) -> None:
        for _ in range(_BATCHES):
            told = reader.read(_BATCH)
            lines = [line_from_told(item, self._spool.next + number) for number, item in enumerate(told)]
            self._spool.append(lines)
            self._note(lines)
            if len(told) < _BATCH:
                self._admit(self._config.channel)
                return
        # What else is in the journal is from before a new channel's time.
        self._admit({name: one for name, one in self._config.channel.items() if self._open_state(name).path.exists()})

    def _open_state(self, name: str) -> StateFile[ChannelState]:
        return open_state(self._world.root, name, self._journal)

    def _note(self, lines: list[Line]) -> None:
        if lines:
            loudest = min(line.priority for line in lines)
            for desk in self._desks.values():
                desk.note(loudest)

    def _admit(self, channels: Mapping[str, Channel]) -> None:
        """Begin with those channels that are not known yet. A new one is told what comes from now on, and one that was taken out of
        the configuration is new when it comes back."""
        if not self._desks:
            for path in (self._world.root / FOLDER).glob("*.json"):
                if path.stem not in self._config.channel:
                    path.unlink()
        failures = []
        for name, channel in channels.items():
            if name not in self._desks:
                try:
                    self._desks[name] = self._admit_one(name, channel)
                except PlexguardError as error:
                    # The others are delivered to all the same; nothing is trimmed meanwhile.
                    failures.append(error)
        if failures:
            raise failures[0]

    def _admit_one(self, name: str, channel: Channel) -> Desk:
        file = self._open_state(name)
        was_there = file.path.exists()
        state, end = file.load(), self._spool.next
        if state is None or state.past.position > end:
            # Of one whose state was spoilt nobody knows how far it was: rather twice than never.
            found = segments(self._spool.folder) if was_there else []
            state = ChannelState(past=Past(position=first_number(found[0]) if found else end), looked=0 if found else end)
            file.save(state)
        return Desk(name=name, channel=channel, file=file, state=dataclasses.replace(state, looked=min(state.looked, end)))

    def _begin_trouble(self, reason: str) -> None:
        if not self._trouble:
            self._trouble_since = self._clock.moment()
            self._journal.send(events.SPOOL_FAILED, reason=reason)
        self._trouble = reason

    def _end_trouble(self) -> None:
        if self._trouble:
            self._trouble = ""
            lasted_s = self._clock.moment().seconds_since(self._trouble_since)
            self._journal.send(events.SPOOL_RECOVERED, downtime_s=lasted_s)

    # Workers

    def _collect(self) -> None:
        """Take note of workers that have ended, and end those that are stuck."""
        now_s = self._clock.monotonic_s()
        for desk in self._desks.values():
            worker = desk.worker
            if worker is None:
                continue
            if worker.look():
                desk.sign_s = now_s
            if worker.ended:
                self._dismiss(desk, worker.failure)
            elif now_s - desk.sign_s > _STUCK_AFTER_S:
                self._dismiss(desk, f"the process that sends gave no sign for {_STUCK_AFTER_S:.0f} s")

    def _dismiss(self, desk: Desk, failure: str) -> None:
        desk.dismiss()
        if failure:
            desk.held_until_s = self._clock.monotonic_s() + _HELD_S
            outside = self._works.open_outside(desk, lambda: None, lambda: True)
            desk.keep(note_failure(desk.state, desk.name, "away", failure, None, outside))

    def _start(self) -> None:
        for desk in self._desks.values():
            if desk.worker is not None or self._clock.monotonic_s() < desk.held_until_s:
                continue
            if desk.is_pulse:
                self._start_pulse(desk)
            elif desk.is_due(self._spool.next, self._clock.moment()):
                desk.quieten()
                self._run(desk, self._works.deliver(desk))

    def _run(self, desk: Desk, work: Work) -> None:
        try:
            (self._world.root / FOLDER).mkdir(exist_ok=True)
            desk.worker = self._world.start(work)
        except OSError:
            # No memory, no process, no disk left; later.
            desk.held_until_s = self._clock.monotonic_s() + _HELD_S
        desk.sign_s = self._clock.monotonic_s()

    # The dead man's switch

    def _start_pulse(self, desk: Desk) -> None:
        now = self._clock.moment()
        if desk.state.outage is not None:
            if desk.state.outage.wait_left_s(now):
                return
            # What was not heard is said again.
            desk.pulse = dataclasses.replace(desk.pulse, at=_NEVER) if desk.pulse is not None else None
        probe = self._world.read_probe()
        judged = judge_ping(probe, find_problems(probe), now)
        ping = choose_pulse(judged, desk.pulse, interval_s=desk.channel.interval.total_seconds(), now=now)
        if ping is not None:
            desk.pulse = Pulse(signal=ping.signal, at=now)
            # It takes no events: should it become a channel of another kind, that begins here.
            desk.state = dataclasses.replace(desk.state, past=Past(position=self._spool.next))
            self._run(desk, self._works.ping(desk, ping))

    # Orders, and what others see

    def _obey(self) -> None:
        for what, name in take_requests(self._world.root, later=self._config.channel.keys() - self._desks.keys()):
            if name in self._desks:
                desk = self._desks[name]
                desk.dismiss()
                desk.keep(retry(clear(desk.state, self._spool.next) if what == CLEAR else desk.state))
                desk.held_until_s = 0.0

    def _trim(self) -> None:
        if self._trouble or self._clock.monotonic_s() - self._trimmed_s < _TRIM_EVERY_S:
            return
        self._trimmed_s = self._clock.monotonic_s()
        positions = [desk.find_position() for desk in self._desks.values() if not desk.is_pulse]
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
        seen = NotifySeen(channels=tuple(map(self._show, self._desks.values())), trouble=self._trouble)
        if seen == self._published and age_s < _PUBLISH_AT_LEAST_S:
            return
        file = StateFile(self._world.root / Path(NOTIFY.file).name, NotifySeen, schema=NOTIFY.schema, journal=self._journal)
        with contextlib.suppress(IoFailed):
            file.save(dataclasses.replace(seen, checked=self._clock.moment()))
        self._published, self._published_s = seen, now_s

    def _show(self, desk: Desk) -> ChannelSeen:
        position = desk.find_position()
        waiting = 0 if desk.is_pulse else max(0, self._spool.next - position)
        return desk.show(waiting, self._find_oldest(position) if waiting else None)

    def _find_oldest(self, position: int) -> datetime | None:
        with contextlib.suppress(IoFailed):
            return next((line.at for line in self._oldest.lines(position)), None)
        return None

    def _wait(self) -> None:
        began_s = self._clock.monotonic_s()
        pipes = [desk.worker.pipe for desk in self._desks.values() if desk.worker is not None]
        if self._reader is None:
            self._clock.sleep(_WAIT_S)
            return
        self._reader.wait(self._wait_s(), hangups=pipes)
        self._clock.sleep(max(0.0, began_s + _LEAST_CYCLE_S - self._clock.monotonic_s()))

    def _wait_s(self) -> float:
        now, now_s = self._clock.moment(), self._clock.monotonic_s()
        return max(0.0, min([_WAIT_S, *(wait_s for desk in self._desks.values() for wait_s in desk.waits_s(now, now_s))]))

    def _describe(self) -> str:
        if self._trouble:
            return f"nothing is taken from the journal: {self._trouble}"
        failed = [name for name, desk in self._desks.items() if desk.state.outage]
        count = len(self._desks)
        return f"{count} channel{'s' if count > 1 else ''}" + (f", taking nothing: {', '.join(failed)}" if failed else "")


def show_cursor_time(cursor: str) -> str:
    """Return when the entry of a cursor was written, as people read it."""
    for part in cursor.split(";"):
        name, _, value = part.partition("=")
        if name == "t":
            with contextlib.suppress(ValueError, OverflowError, OSError):
                return f"{datetime.fromtimestamp(int(value, 16) / 1e6, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return "an unknown time"
