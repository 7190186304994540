"""What a channel is told now, what later, and what not: filters, quiet hours, folding, pairs. Pure.

The events come one by one, in order. What is decided about one is in the state after it, so that a delivery that is broken off
anywhere begins again at the last state that was kept: an event is told again then, and none is left out.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from fnmatch import fnmatchcase

from plexguard.core.events import Event, Priority
from plexguard.core.spans import show_span
from plexguard.notify.config import PRIORITIES, Channel, Quiet
from plexguard.notify.line import Line, message_from_line
from plexguard.notify.message import Message
from plexguard.notify.past import MOST_KEPT, Past, Trouble, Window

# How often the same trouble is told within a window before the rest is folded: it came, went, came again and went again. What
# nothing ends says nothing new the second time.
_TOLD_PAIRS = 2
_TOLD_FAILURES = 1
UNIT_FAILED = "unit.failed"
DROPPED = "notify.dropped"


@dataclass(frozen=True, slots=True)
class Step:
    """Send this, and when it was taken, this is the state."""

    message: Message
    after: Past


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """after: the state when all steps are done, further than that of the last one where events were left out. wake_at: when there
    may be something to tell without a new event."""

    steps: tuple[Step, ...]
    after: Past
    wake_at: datetime | None


def decide(
    lines: Iterable[Line],
    *,
    channel: Channel,
    past: Past,
    now: datetime,
    limit: int,
    zone: tzinfo,
    events: Mapping[str, Event],
) -> Plan:
    """Return what to tell, at most so many messages. lines: of the spool, from the state's position on. zone: of the quiet hours.
    events: by name."""
    quiet_until = find_quiet_end(channel.quiet, zone, now)
    urgent = PRIORITIES[channel.quiet_priority]
    teller = _Teller(channel, past, events)
    steps: list[Step] = []
    if quiet_until is None:
        steps = _take(teller.run(lines, now), limit)
        if len(steps) >= limit:
            return Plan(steps=tuple(steps), after=steps[-1].after, wake_at=None)
        return Plan(steps=tuple(steps), after=teller.past, wake_at=_find_window_end(teller.past, channel))
    # What was kept goes out before what may not wait, so that the order stays.
    held: list[Step] = []
    after = past
    for step in teller.run(lines, now):
        held.append(step)
        if _is_urgent(step.message, urgent):
            steps, held = [*steps, *held], []
            after = steps[-1].after
        if len(steps) >= limit:
            return Plan(steps=tuple(steps[:limit]), after=steps[limit - 1].after, wake_at=None)
        # No more than this plan could send is held in memory.
        del held[limit - len(steps) :]
    if not held:
        after = teller.past
    ends = [end for end in (quiet_until if held else None, _find_window_end(teller.past, channel)) if end is not None]
    return Plan(steps=tuple(steps), after=after, wake_at=min(ends, default=None))


def _take(steps: Iterator[Step], limit: int) -> list[Step]:
    found = []
    for step in steps:
        found.append(step)
        if len(found) >= limit:
            break
    return found


def _is_urgent(message: Message, urgent: Priority) -> bool:
    return message.severity in {priority.severity for priority in Priority if priority <= urgent}


def _find_window_end(past: Past, channel: Channel) -> datetime | None:
    return min((window.began + channel.fold for window in past.windows.values() if window.folded), default=None)


# -- quiet hours ------------------------------------------------------------------------------------------------------


def find_quiet_end(quiet: Quiet | None, zone: tzinfo, now: datetime) -> datetime | None:
    """Return when the quiet hours that hold now end, None outside of them. By the clock on the wall, which may show an hour twice
    or never."""
    local = now.astimezone(zone)
    if quiet is None or not quiet.holds(local.time()):
        return None
    for days in (0, 1):
        end = datetime.combine(local.date() + timedelta(days=days), quiet.end)
        for fold in (0, 1):
            moment = end.replace(tzinfo=zone, fold=fold).astimezone(UTC)
            if moment > now:
                return moment
    return now + timedelta(minutes=1)


# -- filters, pairs, folding ------------------------------------------------------------------------------------------


def passes(line: Line, channel: Channel) -> bool:
    """Tell whether a channel wants an event by its kind."""
    return (
        line.priority <= PRIORITIES[channel.min_priority]
        and any(fnmatchcase(line.name, glob) for glob in channel.include)
        and not any(fnmatchcase(line.name, glob) for glob in channel.exclude)
    )


class _Teller:
    """Goes through the events, and remembers."""

    def __init__(self, channel: Channel, past: Past, events: Mapping[str, Event]) -> None:
        self.past = past
        self._channel = channel
        self._events = events
        self._ending = {name for event in events.values() for name in event.ends}

    def run(self, lines: Iterable[Line], now: datetime) -> Iterator[Step]:
        for line in lines:
            if line.n < self.past.position:
                continue
            yield from self._close_windows(line.at)
            if line.n > self.past.position:
                yield self._tell_dropped(line)
            yield from self._look_at(line)
        yield from self._close_windows(now)

    def _tell_dropped(self, line: Line) -> Step:
        """The events between the state's position and this line are gone."""
        message = describe_dropped(line.n - self.past.position, self.past.passed, line)
        self.past = self.past.move(line.n, line.at)
        return Step(message, self.past)

    def _look_at(self, line: Line) -> Iterator[Step]:
        self.past = self.past.move(line.n + 1, line.at)
        folded = [key for key in line.ended_keys if self._is_folded(key)]
        ended = [key for key in line.ended_keys if key in self.past.troubles and key not in folded]
        # What is told twice, as the end of one trouble now and of another later, is two messages.
        self._fold_recovery(dataclasses.replace(line, id=f"{line.id}-folded") if ended else line, folded)
        if ended:
            yield self._tell_recovery(line, ended)
        elif not folded and passes(line, self._channel) and not self._fold_problem(line):
            yield self._tell(line)

    def _tell_recovery(self, line: Line, ended: list[str]) -> Step:
        trouble = min((self.past.troubles[key] for key in ended), key=lambda trouble: trouble.at)
        self.past = self.past.forget_troubles(ended)
        downtime_s = line.downtime_s if line.downtime_s is not None else max(0.0, (line.at - trouble.at).total_seconds())
        return self._tell(line, problem_id=trouble.id, downtime_s=downtime_s)

    def _is_folded(self, key: str) -> bool:
        """Tell whether the last coming of a trouble was folded, and it is not over."""
        window = self.past.windows.get(key)
        return window is not None and window.last is not None and window.last.is_problem

    def _fold_recovery(self, line: Line, folded: Iterable[str]) -> None:
        for key in folded:
            self.past = self.past.keep_window(key, dataclasses.replace(self.past.windows[key], last=line))

    def _fold_problem(self, line: Line) -> bool:
        """Count a problem, and tell whether it is to be folded."""
        if not self._channel.fold or not line.is_problem:
            return False
        window = self.past.windows.get(line.key, Window(began=line.at))
        enough = _TOLD_FAILURES if line.name == UNIT_FAILED else _TOLD_PAIRS
        folds = window.comings >= enough
        window = dataclasses.replace(window, comings=window.comings + 1)
        if folds:
            window = dataclasses.replace(window, folded=window.folded + 1, last=line)
        self.past = self.past.keep_window(line.key, window)
        return folds

    def _tell(self, line: Line, *, problem_id: str = "", downtime_s: float | None = None) -> Step:
        if line.is_problem:
            self._keep_trouble(line)
        message = message_from_line(line, self._events.get(line.name))
        return Step(dataclasses.replace(message, problem_id=problem_id, downtime_s=downtime_s), self.past)

    def _close_windows(self, at: datetime) -> Iterator[Step]:
        """Tell what was folded in windows that are over at that time. A clock that was set back has left a window too."""
        if not self.past.windows:
            return
        span = self._channel.fold
        over = [item for item in self.past.windows.items() if not item[1].began <= at < item[1].began + span]
        for key, window in sorted(over, key=lambda item: item[1].began):
            following = Window(began=window.began + span, comings=_TOLD_PAIRS)
            # Trouble that goes on like this is one message a window, not one and the first ones of the next.
            yield from self._close_window(key, window, following if following.began <= at < following.began + span else None)
        while len(self.past.windows) > MOST_KEPT:
            yield from self._close_window(*min(self.past.windows.items(), key=lambda item: item[1].began), None)

    def _close_window(self, key: str, window: Window, following: Window | None) -> Iterator[Step]:
        self.past = self.past.forget_window(key)
        if window.last is None or not window.folded:
            return
        if following is not None:
            self.past = self.past.keep_window(key, following)
        trouble = self.past.troubles.get(key)
        if window.last.is_problem:
            self._keep_trouble(window.last)
        else:
            self.past = self.past.forget_troubles((key,))
        yield Step(self._describe_folded(key, window, trouble), self.past)

    def _describe_folded(self, key: str, window: Window, trouble: Trouble | None) -> Message:
        assert window.last is not None
        last = window.last
        message = message_from_line(last, self._events.get(last.name))
        name = key.partition(" ")[0]
        stands = "" if last.name == UNIT_FAILED else ", and it goes on" if last.is_problem else ", and it is over now"
        again = "once more" if window.folded == 1 else f"{window.folded} times more"
        within = show_span(self._channel.fold)
        downtime_s = last.downtime_s if not last.is_problem else None
        return dataclasses.replace(
            message,
            title=f"{message.title} ({again} in {within})",
            message=f"{name} came {again} within {within} of {window.began:%Y-%m-%d %H:%M:%S} UTC{stands}: {last.message}",
            count=window.folded,
            problem_id=trouble.id if trouble is not None and not last.is_problem else "",
            downtime_s=downtime_s,
        )

    def _keep_trouble(self, line: Line) -> None:
        """Keep in mind what was told, where something will be told to be over with it."""
        if line.name in self._ending:
            self.past = self.past.keep_trouble(line.key, Trouble(id=line.id, at=line.at))


def describe_dropped(count: int, since: datetime | None, following: Line) -> Message:
    """Return the honest word about events that are gone. since: of the last event before them, None when nothing is known."""
    begin = f"between {since:%Y-%m-%d %H:%M:%S} and" if since is not None else "before"
    plural = "1 event was" if count == 1 else f"{count} events were"
    return Message(
        id=f"dropped-{following.id}",
        at=following.at,
        host=following.host,
        name=DROPPED,
        severity=Priority.WARNING.severity,
        area="notify",
        title=f"{plural} dropped",
        message=f"{plural} dropped, told {begin} {following.at:%Y-%m-%d %H:%M:%S} UTC: too much was waiting for this channel, "
        "or it could not be read. They are in the journal.",
        details={"count": str(count), "since": since.isoformat() if since else "", "until": following.at.isoformat()},
        action=("plexguard-notify queue list", "journalctl PLEXGUARD=1"),
        count=count,
        unit="plexguard-notify.service",
    )
