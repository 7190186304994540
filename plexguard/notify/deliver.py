"""Deliver what is due to one channel: pacing, batches, what is rejected, what waits. Runs in a worker process that ends when
nothing is left.

The state is kept after every batch that was taken: whatever ends this process, at most one batch is sent twice.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

from plexguard.core.clock import Clock
from plexguard.core.events import Event
from plexguard.core.journal import Journal
from plexguard.core.state import History, StateFile
from plexguard.notify import events
from plexguard.notify.config import Channel
from plexguard.notify.decide import DROPPED, Plan, Step, decide, find_quiet_end
from plexguard.notify.message import Message, Rejected, Sender, SendError
from plexguard.notify.outage import note_failure, tell_recovery
from plexguard.notify.past import Past
from plexguard.notify.spool import SpoolReader
from plexguard.notify.state import ChannelState

REJECTED = "rejected.jsonl"
_KEPT_REJECTED = 1000
# So that all of them stay a file that can be read again; the whole text is in the journal.
_KEPT_TEXT = 500
# How many rejected ones in a row are looked past for one that is taken; more with every try.
_FIRST_PATIENCE = 8
_MOST_PATIENCE = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedEvent:
    """An event that a channel did not take, while it took others."""

    at: datetime
    channel: str
    reason: str
    id: str
    name: str
    message: str


def rejected_events(root: Path) -> History[RejectedEvent]:
    return History(root / REJECTED, RejectedEvent, keep=_KEPT_REJECTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What a delivery reaches. sign: tells the parent that this process is alive, before each call. go_on: whether it still is
    to. jitter: 0.0 to 1.0."""

    clock: Clock
    journal: Journal
    open_sender: Callable[[], Sender]
    zone: tzinfo
    events: Mapping[str, Event]
    sign: Callable[[], None]
    go_on: Callable[[], bool]
    jitter: Callable[[], float]


class _Stopped(Exception):
    """The channel does not take more for now; the state says why."""


class Delivery:
    def __init__(
        self,
        name: str,
        channel: Channel,
        *,
        root: Path,
        file: StateFile[ChannelState],
        reader: SpoolReader,
        outside: Outside,
        state: ChannelState,
    ) -> None:
        """root: of all that is kept. state: to begin with where none was kept."""
        self._name = name
        self._channel = channel
        self._file = file
        self._reader = reader
        self._outside = outside
        self._rejected_file = rejected_events(root)
        self._sender: Sender | None = None
        self._called_s: float | None = None
        self._suspects: list[tuple[Step, str]] = []
        self.state = state

    def run(self) -> None:
        """Deliver until nothing is left for now. Raises IoFailed and NoPermission where the state cannot be kept."""
        self.state = self._file.load() or self.state
        try:
            while self._outside.go_on() and self._deliver_batch(self.state.past):
                pass
        except _Stopped:
            return

    def _decide(self, past: Past, limit: int) -> Plan:
        channel, outside = self._channel, self._outside
        return decide(
            self._reader.lines(past.position),
            channel=channel,
            past=past,
            now=outside.clock.now(),
            limit=limit,
            zone=outside.zone,
            events=outside.events,
        )

    def _deliver_batch(self, past: Past) -> bool:
        """Send one batch, and those after it that are needed to judge what was rejected of it; False when nothing was due."""
        plan = self._decide(past, self._sender.limits.batch if self._sender else 1)
        if not plan.steps:
            self._keep_rest(plan)
            return False
        if self._sender is None:
            self._open()
            return True
        self._send(plan.steps)
        while self._suspects:
            if len(self._suspects) > self._patience:
                self._fail(Rejected(self._suspects[0][1]))
            plan = self._decide(self._suspects[-1][0].after, 1)
            if not plan.steps:
                self._fail(Rejected(self._suspects[0][1]))
            self._send(plan.steps)
        return True

    @property
    def _patience(self) -> int:
        tries = self.state.outage.tries if self.state.outage else 0
        return min(_MOST_PATIENCE, _FIRST_PATIENCE << min(tries, 10))

    def _keep_rest(self, plan: Plan) -> None:
        outside = self._outside
        quiet_until = find_quiet_end(self._channel.quiet, outside.zone, outside.clock.now())
        outage = self.state.outage
        state = dataclasses.replace(
            self.state,
            past=plan.after,
            looked=max(self._reader.last + 1, plan.after.position),
            wake_at=plan.wake_at,
            quiet_until=quiet_until if plan.wake_at else None,
            outage=dataclasses.replace(outage, is_idle=True) if outage else None,
        )
        if state != self.state:
            self._save(state)

    def _open(self) -> None:
        # A state that cannot be kept would have the same messages sent again and again.
        self._save(self.state)
        try:
            self._sender = self._outside.open_sender()
        except SendError as error:
            self._fail(error)

    def _send(self, steps: Sequence[Step]) -> None:
        try:
            self._call([step.message for step in steps])
        except Rejected as error:
            if len(steps) == 1:
                self._suspects.append((steps[0], str(error)))
                return
            half = len(steps) // 2
            self._send(steps[:half])
            self._send(steps[half:])
        except SendError as error:
            self._fail(error)
        else:
            self._took(steps)

    def _call(self, messages: Sequence[Message]) -> None:
        assert self._sender is not None
        clock = self._outside.clock
        pause_s = 1.0 / self._sender.limits.per_second
        if self._called_s is not None:
            clock.sleep(max(0.0, self._called_s + pause_s - clock.monotonic_s()))
        self._outside.sign()
        self._called_s = clock.monotonic_s()
        self._sender.send(messages)

    def _took(self, steps: Sequence[Step]) -> None:
        """The receiver has these. What it rejected before them was not its own fault."""
        for step, reason in self._suspects:
            self._set_aside(step.message, reason)
        messages = [step.message for step in steps]
        now = self._outside.clock.now()
        state = dataclasses.replace(
            self.state,
            past=steps[-1].after,
            looked=max(self.state.looked, steps[-1].after.position),
            delivered=self.state.delivered + len(messages),
            rejected=self.state.rejected + len(self._suspects),
            dropped=self.state.dropped + sum(message.count for message in messages if message.name == DROPPED),
            outage=None,
            succeeded=now,
            reason="",
        )
        outage = self.state.outage
        self._suspects = []
        self._save(state)
        tell_recovery(outage, self._name, clock=self._outside.clock, journal=self._outside.journal)

    def _set_aside(self, message: Message, reason: str) -> None:
        at = self._outside.clock.now()
        self._rejected_file.append(
            RejectedEvent(
                at=at,
                channel=self._name,
                reason=reason[:_KEPT_TEXT],
                id=message.id,
                name=message.name,
                message=message.message[:_KEPT_TEXT],
            )
        )
        # What is told about this may be rejected for the same reason; it must not be told for ever.
        if message.area != "notify":
            self._outside.journal.send(
                events.EVENT_REJECTED, channel=self._name, reason=reason, rejected=message.name, rejected_id=message.id
            )

    def _fail(self, error: SendError) -> None:
        out = self._outside
        self._save(note_failure(self.state, self._name, error, clock=out.clock, journal=out.journal, jitter=out.jitter))
        raise _Stopped

    def _save(self, state: ChannelState) -> None:
        self._file.save(state)
        self.state = state
