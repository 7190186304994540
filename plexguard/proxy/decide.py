"""The breaker: when requests may pass to Plex. Pure.

closed: they pass. open: none does, and nothing of ours either. half-open: only plexguard's own checks. What HAProxy does by
itself is followed: it closes the gate at the fifth failure in a row, before anybody has looked.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace

from plexguard.core.clock import Moment
from plexguard.core.published import ProbeSeen
from plexguard.proxy.answers import FAILED, Answer
from plexguard.proxy.config import Config
from plexguard.proxy.runtime import Counters, Gate


class Phase(enum.Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Trigger(enum.Enum):
    """What opened it."""

    TRAFFIC = "traffic"
    CHECKS = "checks"
    VERDICT = "verdict"
    DRAIN = "drain"


# Verdicts of plexguard-plex-probe(8) with which no request can get what it wants, and the reason that callers are told.
REASONS: Mapping[str, tuple[str, str]] = {
    "maintenance": ("maintenance", "Plex is in maintenance: it is preparing its database"),
    "updating": ("updating", "Plex is being updated"),
    "starting": ("restarting", "Plex is starting"),
    "down": ("down", "Plex is down"),
    "hung": ("down", "Plex is running and does not answer"),
    "stopped": ("down", "Plex was stopped"),
}
DRAINED = ("maintenance", "Plex is being worked on")
# How long what the probe has found holds: two of its looks and a half, and a look may take its time.
_VERDICT_S, _VERDICT_INTERVALS = 75.0, 2.5
# What is to be noticed fast is noticed by HAProxy itself. Four looks a second cost half of what the whole suite may when idle.
_LOOK_S, _QUIET_LOOK_S = 0.25, 1.0
# It has opened for nothing so often in a row, each time within so long of the time before: then a person is told.
_FLAPS, _STEADY_S = 3, 900.0
# How many seconds three checks and what is around them take.
_PROBING_S = 3
# For how long a failure that the proxy takes back may still come again: it takes milliseconds, on a busy machine more.
_TAKEN_BACK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A question to Plex that needs what real requests need. reason and text, when it failed, for callers."""

    good: bool
    reason: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """gate: as the proxy has it. is_drained: an administrator wants it shut. check: that has ended since the last look. probe: what
    plex-probe has published."""

    gate: Gate
    is_drained: bool = False
    check: Check | None = None
    probe: ProbeSeen | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """since: of the phase; opened: when callers were first turned away, None while they are not. failures: of requests in a row.
    failed_checks, good_checks: in a row. trials: how often checks were made to see whether Plex is back. has_answered: it has,
    since this began to look. flaps: how often in a row requests have opened it and the first checks closed it; is_flapping: that
    was told. fell: since when the proxy counts fewer failed requests than before."""

    phase: Phase = Phase.CLOSED
    since: Moment | None = None
    opened: Moment | None = None
    trigger: Trigger | None = None
    reason: str = ""
    text: str = ""
    failures: int = 0
    failed_checks: int = 0
    good_checks: int = 0
    trials: int = 0
    has_answered: bool = False
    flaps: int = 0
    is_flapping: bool = False
    counters: Counters | None = None
    fell: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """state: from now on. drain: shut the gate as the administrator has, in a proxy that has begun anew since. hold: take the gate
    over from the proxy's own checks. set_gate: let through or not, None to leave it. told: the names of the events, in order."""

    state: State
    drain: bool = False
    hold: bool = False
    set_gate: bool | None = None
    told: tuple[str, ...] = ()


def decide(seen: Observation, config: Config, past: State, now: Moment) -> Plan:
    """Return what follows from a look."""
    counted = _count(seen, past, now)
    state = _follow(seen, config, replace(counted, since=counted.since or now), now)
    wanted, is_free = state.phase is Phase.CLOSED, not seen.gate.is_drained and not seen.is_drained
    # What was drained is not let go by this.
    is_wrong = is_free and seen.gate.lets_through is not wanted
    return Plan(
        state=state,
        drain=seen.is_drained and not seen.gate.is_drained,
        hold=not seen.gate.is_held and is_free,
        set_gate=wanted if is_wrong else None,
        told=_tell(past, state),
    )


def _count(seen: Observation, past: State, at: Moment) -> State:
    """Return the state with what has gone through since the last look. One good answer ends a row of failures."""
    now, before = seen.gate.counters, past.counters
    if before is None or now.asked < before.asked:  # the proxy has begun to count anew
        return replace(past, counters=now, failures=0, fell=None)
    failures = 0 if now.good > before.good else past.failures + max(0, now.bad - before.bad)
    # A failure that is taken back between an attempt and what becomes of it is the same one when it comes again.
    fell = (past.fell or at) if now.bad < before.bad else None
    if fell is not None and at.seconds_since(fell) < _TAKEN_BACK_S:
        now = replace(now, bad=before.bad)
    else:
        fell = None
    return replace(past, counters=now, failures=failures, fell=fell)


def _follow(seen: Observation, config: Config, state: State, now: Moment) -> State:
    if seen.check is not None and seen.check.good:
        state = replace(state, has_answered=True)
    if seen.gate.is_drained or seen.is_drained:
        return state if state.trigger is Trigger.DRAIN else _open(state, Trigger.DRAIN, *DRAINED, now=now)
    match state.phase:
        case Phase.CLOSED:
            return _follow_closed(seen, config, state, now)
        case Phase.OPEN:
            waits = state.trigger is not Trigger.DRAIN and _seconds(state, now) < config.open_for.total_seconds()
            if waits:
                return _explain(seen, state, now)
            return replace(_explain(seen, state, now), phase=Phase.HALF_OPEN, since=now, good_checks=0, trials=state.trials + 1)
        case Phase.HALF_OPEN:
            return _follow_half_open(seen, config, state, now)


def _follow_closed(seen: Observation, config: Config, state: State, now: Moment) -> State:
    if _seconds(state, now) >= _STEADY_S:
        state = replace(state, flaps=0, is_flapping=False)
    verdict = _find_verdict(seen.probe, state, now)
    if verdict is not None:
        return _open(state, Trigger.VERDICT, *verdict, now=now)
    if not seen.gate.lets_through:
        # HAProxy has closed it by itself: by what it saw of requests, or, while nobody held it, by its own checks.
        trigger = Trigger.TRAFFIC if seen.gate.is_held else Trigger.CHECKS
        return _open(state, trigger, FAILED.reason, FAILED.text, now=now)
    if state.failures >= config.open_after:
        return _open(state, Trigger.TRAFFIC, FAILED.reason, FAILED.text, now=now)
    if seen.check is None:
        return state
    if seen.check.good:
        return replace(state, failed_checks=0)
    failed = state.failed_checks + 1
    if failed >= config.open_after_checks:
        return _open(replace(state, failed_checks=failed), Trigger.CHECKS, seen.check.reason, seen.check.text, now=now)
    return replace(state, failed_checks=failed)


def _follow_half_open(seen: Observation, config: Config, state: State, now: Moment) -> State:
    if seen.check is None:
        return state
    if not seen.check.good and not state.has_answered:
        # At boot the door is there before Plex: there is nobody to be left in peace, and nobody to wait longer than it takes.
        return replace(_explain(seen, state, now), good_checks=0)
    if not seen.check.good:
        return replace(_explain(seen, state, now), phase=Phase.OPEN, since=now, good_checks=0)
    if state.good_checks + 1 < config.close_after:
        return replace(state, good_checks=state.good_checks + 1)
    flaps = state.flaps + 1 if state.trigger is Trigger.TRAFFIC and state.trials == 1 else 0
    is_flapping = state.is_flapping or flaps >= _FLAPS
    return State(since=now, counters=state.counters, has_answered=True, flaps=flaps, is_flapping=is_flapping)


def _open(state: State, trigger: Trigger, reason: str, text: str, *, now: Moment) -> State:
    opened = state.opened or now
    trials = state.trials if state.opened else 0
    # Of a Plex that has never answered there is nothing to be waited for.
    phase = Phase.HALF_OPEN if trigger is Trigger.CHECKS and not state.has_answered else Phase.OPEN
    return replace(
        state, phase=phase, since=now, opened=opened, trigger=trigger, reason=reason, text=text, good_checks=0, trials=trials
    )


def _explain(seen: Observation, state: State, now: Moment) -> State:
    """Return the state with the best reason there is: plex-probe's, who looks deeper, else the last check's."""
    verdict = _known_reason(seen.probe, now)
    if verdict is not None:
        return replace(state, reason=verdict[0], text=verdict[1])
    if seen.check is not None and not seen.check.good:
        return replace(state, reason=seen.check.reason, text=seen.check.text)
    return state


def _find_verdict(probe: ProbeSeen | None, state: State, now: Moment) -> tuple[str, str] | None:
    """Return the reason of a verdict that opens: found since the checks of the breaker last closed it."""
    if probe is None or probe.checked is None or state.since is None:
        return None
    age_s, closed_s = now.seconds_since(probe.checked), _seconds(state, now)
    return _known_reason(probe, now) if age_s < closed_s else None


def _known_reason(probe: ProbeSeen | None, now: Moment) -> tuple[str, str] | None:
    if probe is None or probe.checked is None:
        return None
    if now.seconds_since(probe.checked) > max(_VERDICT_S, _VERDICT_INTERVALS * probe.interval_s):
        return None
    return REASONS.get(probe.verdict)


def _seconds(state: State, now: Moment) -> float:
    return now.seconds_since(state.since) if state.since is not None else 0.0


def _tell(past: State, state: State) -> tuple[str, ...]:
    ended = ("steady",) if past.is_flapping and not state.is_flapping else ()
    began = ("flapping",) if state.is_flapping and not past.is_flapping else ()
    return (*ended, *_tell_phase(past, state), *began)


def _tell_phase(past: State, state: State) -> tuple[str, ...]:
    if past.phase is not Phase.CLOSED and state.phase is Phase.CLOSED:
        return ("closed",)
    if past.phase is Phase.CLOSED and state.phase is not Phase.CLOSED:
        return ("opened",)
    # An outage of a day would else be told every minute.
    is_first = past.phase is Phase.OPEN and state.phase is Phase.HALF_OPEN and state.trials == 1
    return ("half-open",) if is_first else ()


def find_answer(state: State, config: Config, now: Moment) -> Answer:
    """Return what a caller is told who gets nothing from Plex."""
    if state.phase is Phase.CLOSED:
        return FAILED
    left_s = config.open_for.total_seconds() - _seconds(state, now) if state.phase is Phase.OPEN else 0.0
    return Answer(reason=state.reason, text=state.text, wait_s=round(max(0.0, left_s)) + _PROBING_S)


def next_check_s(state: State, config: Config) -> float | None:
    """Return how long after the last check the next one begins, None for never."""
    if state.phase is Phase.OPEN:
        return None
    if not state.has_answered:
        return config.check_interval.total_seconds() if state.phase is Phase.HALF_OPEN else 0.5
    quick_s = min(0.5, config.check_interval.total_seconds())
    return quick_s if state.phase is Phase.HALF_OPEN or state.failed_checks else config.check_interval.total_seconds()


def next_look_s(state: State, past: State) -> float:
    """Return how long after a look the next one comes. past: the state before it."""
    is_quiet = state.phase is Phase.CLOSED and not state.failures and not state.failed_checks
    is_idle = past.counters is not None and state.counters is not None and past.counters.asked == state.counters.asked
    return _QUIET_LOOK_S if is_quiet and is_idle and state.has_answered else _LOOK_S
