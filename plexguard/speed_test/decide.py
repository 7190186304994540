"""Whether a test is due and may be made, and what its outcome means. Pure: it is given the time and the zone."""

import dataclasses
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from plexguard.core.clock import Moment
from plexguard.core.events import Tell
from plexguard.core.published import SpeedDay, SpeedSeen
from plexguard.speed_test import events
from plexguard.speed_test.config import TRIES, Config
from plexguard.speed_test.observe import Observation, Starter
from plexguard.speed_test.result import Record, Result

# How late a firing may be: the timer's own delays, and a machine that was suspended for a moment.
_LATENESS = timedelta(minutes=30)
# The usual is the median of so many results, and is not known before there are so few.
_USUAL_OF = 14
_USUAL_FROM = 3
_KEPT_DAYS = 14
# The exit code of a run that found something.
_FOUND = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class State(SpeedSeen):
    """What is known from run to run."""

    def day(self, name: str) -> SpeedDay:
        return self.days.get(name, SpeedDay())


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Whether a test is due. day: that it counts for. starter: who wants it. barrier, why: what speaks against it, and in words;
    is_done: nothing more is to be done on that day, and nothing is told."""

    day: str
    starter: Starter
    barrier: str = ""
    why: str = ""
    is_done: bool = False

    @property
    def is_open(self) -> bool:
        return not (self.barrier or self.is_done)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The state to save first, what to tell, and the exit code. attempt: the number of the attempt that is to be made now, 0
    for none; its outcome makes another plan."""

    state: State
    steps: tuple[Tell, ...] = ()
    code: int = 0
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A test without a result. code: the exit code for it. is_passing: of the kind that is gone a few seconds later."""

    reason: str
    code: int
    is_passing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A test that did not begin: the command was found and cannot be run."""

    reason: str


Outcome = Result | Failed | Missing


# -- whether one is due -----------------------------------------------------------------------------------------------


def find_night(config: Config, zone: tzinfo, now: datetime) -> date | None:
    """Return the day on which the tries began that this moment belongs to, None outside of them.

    By the clock on the wall of the zone, as the timer counts: at 02:00 on a night without one it fires at 03:00, and the
    window opens then; of an hour that comes twice the first counts.
    """
    today = now.astimezone(zone).date()
    for day in (today, today - timedelta(days=1)):
        begin = datetime.combine(day, config.at, zone)
        end = begin + timedelta(hours=TRIES - 1) + _LATENESS
        if begin.astimezone(UTC) <= now <= end.astimezone(UTC):
            return day
    return None


def find_due(config: Config, zone: tzinfo, past: State, now: datetime, starter: Starter) -> Due:
    """Return whether a test is due. Who asks for one by hand gets it at any time, within the attempts of the day."""
    night = find_night(config, zone, now)
    local = now.astimezone(zone)
    name = (night or local.date()).isoformat()
    day = past.day(name)
    by_timer = starter is Starter.TIMER
    if by_timer and night is None:
        why = f"it is {local:%H:%M} in {config.time_zone}, and a test that was missed at night is not made up by day"
        return Due(day=name, starter=starter, barrier="late", why=why)
    if by_timer and day.tested:
        return Due(day=name, starter=starter, is_done=True)
    if day.attempts >= config.max_attempts_per_day:
        why = f"{day.attempts} of {config.max_attempts_per_day} attempts were made on {name} ({config.time_zone})"
        return Due(day=name, starter=starter, is_done=by_timer, barrier="spent", why=why)
    return Due(day=name, starter=starter)


def decide(due: Due, seen: Observation | None, config: Config, past: State) -> Plan:
    """Return whether the test is made now. seen: None when none is due, so that nobody had to be asked."""
    if due.is_done:
        return Plan(state=past)
    if seen is not None and not seen.command:
        return _miss_command(config, past, due, reason="there is no such command")
    barrier, why = (due.barrier, due.why) if seen is None else _find_barrier(seen)
    if barrier:
        return _put_off(f"{due.day} {barrier}", why, past, due)
    attempt = past.day(due.day).attempts + 1
    days = {**past.days, due.day: dataclasses.replace(past.day(due.day), attempts=attempt)}
    return Plan(state=dataclasses.replace(past, days=_trim(days, due.day)), attempt=attempt)


def _trim(days: Mapping[str, SpeedDay], today: str) -> dict[str, SpeedDay]:
    """Keep the newest days, and today whatever its date: a clock may have been far ahead once."""
    kept = {*sorted(days)[-_KEPT_DAYS:], today}
    return {name: day for name, day in sorted(days.items()) if name in kept}


def _find_barrier(seen: Observation) -> tuple[str, str]:
    """Return what speaks against a test now, as a word and as a sentence; empty when nothing does."""
    if seen.update:
        return "update", f"an update is at work: {seen.update}"
    if seen.viewers is None:
        return "unknown", f"whether somebody watches cannot be told: {seen.unknown}"
    if seen.viewers:
        players = len(seen.viewers)
        return "viewers", "somebody watches" if players == 1 else f"{players} players are in use"
    if seen.no_network:
        return "network", f"there is no network: {seen.no_network}"
    return "", ""


def _put_off(key: str, why: str, past: State, due: Due) -> Plan:
    """Tell a reason once a day to the journal, and always to who asked by hand."""
    told = () if due.starter is Starter.TIMER and past.put_off == key else (Tell(events.PUT_OFF, {"reason": why}),)
    return Plan(state=dataclasses.replace(past, put_off=key), steps=told, code=os.EX_TEMPFAIL)


def _miss_command(config: Config, past: State, due: Due, *, reason: str) -> Plan:
    command = config.command[0]
    is_told = due.starter is Starter.TIMER and past.missing == command
    told = () if is_told else (Tell(events.NO_COMMAND, {"command": command, "reason": reason}),)
    return Plan(state=dataclasses.replace(past, missing=command), steps=told, code=os.EX_UNAVAILABLE)


# -- what came of it --------------------------------------------------------------------------------------------------


def settle(
    outcome: Outcome,
    state: State,
    history: Sequence[Record],
    config: Config,
    now: Moment,
    *,
    due: Due,
) -> Plan:
    """Return what follows from a test. state: with its attempt counted. history: the records before it."""
    if isinstance(outcome, Missing):
        return _miss_command(config, state, due, reason=outcome.reason)
    state = dataclasses.replace(state, missing="")
    if isinstance(outcome, Failed):
        attempts = {"attempt": state.day(due.day).attempts, "limit": config.max_attempts_per_day, "day": due.day}
        return Plan(state=state, steps=(Tell(events.FAILED, {"reason": outcome.reason, **attempts}),), code=outcome.code)
    days = {**state.days, due.day: dataclasses.replace(state.day(due.day), tested=True)}
    usual = find_usual(history)
    slow = find_slow(outcome, usual, config.slow_percent)
    # A person reads the result where it is printed.
    told = [] if due.starter is Starter.PERSON else [Tell(events.RESULT, _describe(outcome))]
    new = [name for name in slow if name not in state.slow]
    since = (state.slow_since or now) if slow else None
    if new and usual is not None:
        told.append(Tell(events.SLOW, _compare(outcome, usual) | {"slow": " and ".join(slow), "percent": config.slow_percent}))
    elif state.slow and not slow and usual is not None:
        slow_h = now.seconds_since(state.slow_since or now) / 3600
        told.append(Tell(events.RECOVERED, _compare(outcome, usual) | {"slow_h": slow_h}))
    after = dataclasses.replace(state, days=days, put_off="", slow=slow, slow_since=since)
    return Plan(state=after, steps=tuple(told), code=_FOUND if slow else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What the line usually gives, in bits a second."""

    download_bit_per_s: float
    upload_bit_per_s: float


def find_usual(history: Sequence[Record]) -> Usual | None:
    """Return the medians of the newest results, None while there are too few to call anything usual."""
    results = [record.result for record in history if record.result is not None][-_USUAL_OF:]
    if len(results) < _USUAL_FROM:
        return None
    return Usual(
        download_bit_per_s=statistics.median(result.download_bit_per_s for result in results),
        upload_bit_per_s=statistics.median(result.upload_bit_per_s for result in results),
    )


def find_slow(result: Result, usual: Usual | None, percent: int) -> tuple[str, ...]:
    """Return which of download and upload is below its share of the usual."""
    if usual is None:
        return ()
    pairs = {
        "download": (result.download_bit_per_s, usual.download_bit_per_s),
        "upload": (result.upload_bit_per_s, usual.upload_bit_per_s),
    }
    return tuple(name for name, (now, before) in pairs.items() if now * 100 < before * percent)


def _describe(result: Result) -> dict[str, object]:
    return {
        "download_mbit_s": result.download_bit_per_s / 1e6,
        "upload_mbit_s": result.upload_bit_per_s / 1e6,
        "ping_ms": result.ping_ms,
        "server": result.server,
    }


def _compare(result: Result, usual: Usual) -> dict[str, object]:
    return {
        "download_mbit_s": result.download_bit_per_s / 1e6,
        "upload_mbit_s": result.upload_bit_per_s / 1e6,
        "usual_download_mbit_s": usual.download_bit_per_s / 1e6,
        "usual_upload_mbit_s": usual.upload_bit_per_s / 1e6,
    }
