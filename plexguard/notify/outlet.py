"""What the process that stays knows of one channel: whether there is something to do, who does it, and what others see of it."""

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from plexguard.core.clock import Moment
from plexguard.core.errors import IoFailed, PlexguardError
from plexguard.core.events import Priority
from plexguard.core.published import ChannelSeen
from plexguard.core.state import StateFile
from plexguard.notify.config import PRIORITIES, Channel
from plexguard.notify.heartbeat import LastPing
from plexguard.notify.state import ChannelState
from plexguard.notify.worker import Worker

# Less than any event.
_SILENCE = int(Priority.INFO) + 1
# What wakes later than this was meant for a clock that was set back since.
_LONGEST_WAIT = timedelta(hours=25)


@dataclass(slots=True, kw_only=True)
class Outlet:
    """A channel's way out. sign_s: when its worker was last heard of. held_until_s: it is left alone that long, because its state
    cannot be kept. loudest: of the events that came since a worker last looked."""

    name: str
    channel: Channel
    file: StateFile[ChannelState]
    state: ChannelState
    worker: Worker | None = None
    sign_s: float = 0.0
    held_until_s: float = 0.0
    loudest: int = 0
    last_ping: LastPing | None = None

    @property
    def is_ping(self) -> bool:
        """Whether it is a dead man's switch, which takes no events."""
        return self.channel.kind == "ping"

    def note(self, priority: int) -> None:
        self.loudest = min(self.loudest, priority)

    def quieten(self) -> None:
        self.loudest = _SILENCE

    def is_due(self, end: int, now: Moment) -> bool:
        """Tell whether there may be something to send. end: the number of the next event that comes."""
        state = self.state
        if state.outage is not None:
            is_over = not state.outage.wait_left_s(now)
            if not (is_over and state.outage.is_idle):
                return is_over
        if state.wake_at is not None and not _is_near(state.wake_at, now):
            return True
        if end <= state.looked:
            return False
        is_quiet = state.quiet_until is not None and _is_near(state.quiet_until, now)
        return not is_quiet or self.loudest <= PRIORITIES[self.channel.quiet_priority]

    def waits_s(self, now: Moment, now_s: float) -> list[float]:
        """Return in how many seconds there is something to do without a new event. Of one that is at work the pipe tells."""
        state, held_s = self.state, self.held_until_s - now_s
        if self.worker is not None:
            return []
        waits = []
        if state.outage is not None and not state.outage.is_idle:
            waits.append(max(held_s, state.outage.wait_left_s(now)))
        if state.wake_at is not None:
            waits.append(max(held_s, (state.wake_at - now.wall).total_seconds()))
        return waits

    def dismiss(self) -> None:
        """End its worker, if it has one, and see how far that came."""
        if self.worker is None:
            return
        self.worker.end()
        self.worker = None
        with contextlib.suppress(PlexguardError):
            self.state = self.file.load() or self.state

    def keep(self, state: ChannelState) -> None:
        self.state = state
        with contextlib.suppress(IoFailed):
            self.file.save(state)

    def find_position(self) -> int:
        if self.worker is not None:
            self.state = self.file.peek() or self.state
        return self.state.past.position

    def show(self, waiting: int, oldest: datetime | None) -> ChannelSeen:
        state = self.state
        return ChannelSeen(
            name=self.name,
            kind=self.channel.kind,
            waiting=waiting,
            oldest=oldest,
            delivered=state.delivered,
            dropped=state.dropped,
            rejected=state.rejected,
            state="failed" if state.outage else "quiet" if state.quiet_until else "waiting" if waiting else "well",
            reason=state.outage.reason if state.outage else "",
            succeeded=state.succeeded,
            failed=state.failed,
        )


def _is_near(at: datetime, now: Moment) -> bool:
    """Tell whether a time is still to come, as far as a clock that may have been set tells."""
    return at - _LONGEST_WAIT < now.wall < at
