"""From what was seen to a verdict, and from the verdict to what is told and done. Pure: it is given the time."""

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass

from plexguard.core.clock import Moment
from plexguard.core.events import Event
from plexguard.plex_probe import events
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.observe import RESTART_UNIT, Answer, Observation, ServerState

# For a while these excuse silence.
_TRANSITIONS = (ServerState.STARTING, ServerState.RESTARTING)
# Answers of nobody at all: what a server that was stopped on purpose gives.
_ABSENT = (Answer.REFUSED, Answer.SILENT, Answer.UNREACHABLE)


class Verdict(enum.Enum):
    """What is the matter with Plex."""

    HEALTHY = "healthy"
    REFUSED = "refused"
    HUNG = "hung"
    ERRORING = "erroring"
    DATABASE_BLOCKED = "database-blocked"
    MAINTENANCE = "maintenance"
    STARTING = "starting"
    STOPPED = "stopped"
    MISCONFIGURED = "misconfigured"
    UNKNOWN = "unknown"


# Where it is certain that nobody can be watching, so that a restart harms nobody. What errs or has a blocked database
# may still be playing to somebody: that is reported, and a person decides.
OUTAGES = frozenset({Verdict.REFUSED, Verdict.HUNG})

_BY_ANSWER = {
    Answer.WELL: Verdict.HEALTHY,
    Answer.LIMITED: Verdict.HEALTHY,
    Answer.MAINTENANCE: Verdict.MAINTENANCE,
    Answer.UNAUTHORIZED: Verdict.MISCONFIGURED,
    Answer.REFUSED: Verdict.REFUSED,
    Answer.SILENT: Verdict.HUNG,
    Answer.DATABASE_SILENT: Verdict.DATABASE_BLOCKED,
    Answer.FAILING: Verdict.ERRORING,
    Answer.BROKEN: Verdict.ERRORING,
    Answer.UNREACHABLE: Verdict.MISCONFIGURED,
}

_EVENTS = {
    Verdict.REFUSED: events.REFUSED,
    Verdict.HUNG: events.HUNG,
    Verdict.ERRORING: events.ERRORING,
    Verdict.DATABASE_BLOCKED: events.DATABASE_BLOCKED,
    Verdict.MAINTENANCE: events.MAINTENANCE,
    Verdict.STOPPED: events.STOPPED,
    Verdict.MISCONFIGURED: events.MISCONFIGURED,
    Verdict.UNKNOWN: events.UNKNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A time during which Plex was not healthy. began: its first failed look. restarts: asked for in it, and not put off.
    ask_is_open: what became of the last ask has not been seen yet. was_refused: it was, and asking again would not help."""

    verdict: Verdict
    began: Moment
    restarts: int = 0
    last_ask: Moment | None = None
    ask_is_open: bool = False
    was_refused: bool = False
    gave_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is known from check to check, published for status. silent_since: the first failed look while nothing is
    certain yet, such as during a start. changing_since: since when each check met a server in transition. Times in seconds."""

    verdict: Verdict = Verdict.HEALTHY
    problem: Problem | None = None
    silent_since: Moment | None = None
    changing_since: Moment | None = None
    checked: Moment | None = None
    detail: str = ""
    version: str = ""
    identity_s: float | None = None
    libraries_s: float | None = None
    told_no_server: bool = False
    told_limited: bool = False


@dataclass(frozen=True, slots=True)
class Tell:
    event: Event
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class AskRestart:
    """Start the root unit that restarts Plex."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The state to save first, so that a restart is counted before it is asked for, then the steps."""

    state: State
    steps: tuple[Tell | AskRestart, ...] = ()


def judge(seen: Observation, changing_s: float, config: Config) -> Verdict:
    """Return the verdict on what was seen. changing_s: for how long the server has been in transition before this check."""
    verdict = _BY_ANSWER[seen.last.answer]
    if seen.last.answer.is_conclusive:
        return verdict
    if seen.server is ServerState.STOPPED and seen.last.answer in _ABSENT:
        return Verdict.STOPPED
    if seen.server in _TRANSITIONS and changing_s < config.transition_limit.total_seconds():
        return Verdict.STARTING
    if seen.server is ServerState.UNKNOWN and verdict in OUTAGES:
        return Verdict.UNKNOWN
    if verdict in OUTAGES and seen.server is not ServerState.DOWN:
        return _find_doubt(seen) or verdict
    return verdict


def _find_doubt(seen: Observation) -> Verdict | None:
    """Return the verdict of the last look that speaks against an outage, if there is one: an outage is only certain when
    every look met it."""
    verdicts = [_BY_ANSWER[look.answer] for look in seen.looks]
    return next((verdict for verdict in reversed(verdicts) if verdict not in OUTAGES), None)


def decide(seen: Observation, config: Config, past: State, began: Moment, now: Moment) -> Plan:
    """Return what to tell and do. began: the moment before the first look; now: after the last."""
    # A boot is a start of its own: what was in transition before it says nothing about what is now.
    known_since = past.changing_since if past.changing_since and past.changing_since.boot_id == began.boot_id else None
    changing_since = (known_since or began) if seen.server in _TRANSITIONS else None
    verdict = judge(seen, began.seconds_since(changing_since or began), config)
    state = _record(seen, past, verdict, now)
    if verdict is Verdict.HEALTHY:
        return _recover(seen, past, state, now)
    # Time in which Plex was meant to be away is no part of what comes after it.
    silent_since = (None if past.verdict is Verdict.STOPPED else past.silent_since) or began
    state = dataclasses.replace(state, silent_since=silent_since, changing_since=changing_since)
    if verdict is Verdict.STARTING:
        # Neither well nor at fault: what was told stays as it is.
        return Plan(dataclasses.replace(state, problem=past.problem))
    known = past.problem
    if known is not None and known.verdict is Verdict.STOPPED and verdict is not Verdict.STOPPED:
        known = None
    told = known is not None and known.verdict is verdict
    problem = dataclasses.replace(known or Problem(verdict=verdict, began=silent_since), verdict=verdict)
    tell = () if told else (Tell(_EVENTS[verdict], _values(seen, problem, now)),)
    problem, steps = _consider_restart(seen, problem, config, now)
    return Plan(dataclasses.replace(state, problem=problem), (*tell, *steps))


def _record(seen: Observation, past: State, verdict: Verdict, now: Moment) -> State:
    last = seen.last
    return State(
        verdict=verdict,
        checked=now,
        detail=last.detail,
        version=last.version or past.version,
        identity_s=last.identity_s,
        libraries_s=last.libraries_s,
        told_limited=past.told_limited,
    )


def _recover(seen: Observation, past: State, state: State, now: Moment) -> Plan:
    limited = seen.last.answer is Answer.LIMITED
    state = dataclasses.replace(state, told_limited=limited)
    steps: list[Tell | AskRestart] = []
    if past.problem is not None:
        downtime_s = now.seconds_since(past.problem.began)
        values = {"problem": past.problem.verdict.value, "downtime_s": downtime_s, "restarts": past.problem.restarts}
        steps.append(Tell(events.RECOVERED, values))
    if limited and not past.told_limited:
        steps.append(Tell(events.LIMITED, {}))
    return Plan(state, tuple(steps))


def _values(seen: Observation, problem: Problem, now: Moment) -> dict[str, object]:
    return {
        "detail": seen.last.detail or seen.last.answer.value,
        "looks": len(seen.looks),
        "silent_s": now.seconds_since(problem.began),
        "server": seen.server_detail or seen.server.value,
        "processes": seen.processes or "not looked at",
    }


def _consider_restart(
    seen: Observation, problem: Problem, config: Config, now: Moment
) -> tuple[Problem, tuple[Tell | AskRestart, ...]]:
    """Ask for a restart if this is an outage that one may cure, within the budget of the incident; else say once that
    it is left to a person, and why."""
    if problem.verdict not in OUTAGES or seen.server in (ServerState.STOPPED, ServerState.RESTARTING):
        return problem, ()
    problem = _settle_ask(seen, problem)
    if problem.last_ask is not None and now.seconds_since(problem.last_ask) < config.start_grace.total_seconds():
        return problem, ()
    barrier = _find_barrier(seen, problem, config)
    if not barrier:
        asked = dataclasses.replace(problem, restarts=problem.restarts + 1, last_ask=now, ask_is_open=True)
        asking = {"number": asked.restarts, "limit": config.max_restarts_per_incident, "problem": problem.verdict.value}
        return asked, (Tell(events.RESTART_ASKED, asking), AskRestart())
    if problem.gave_up:
        return problem, ()
    values = {
        "reason": barrier,
        "restarts": problem.restarts,
        "problem": problem.verdict.value,
        "silent_s": now.seconds_since(problem.began),
    }
    return dataclasses.replace(problem, gave_up=True), (Tell(events.GAVE_UP, values),)


def _find_barrier(seen: Observation, problem: Problem, config: Config) -> str:
    """Return why no restart is asked for, or "" when one is."""
    if not config.restart:
        return "restart = false in [plex-probe]"
    if seen.restart_is_masked:
        return f"{RESTART_UNIT} is masked"
    if seen.server not in (ServerState.RUNNING, ServerState.DOWN):
        return f"it is {seen.server.value}"
    if problem.was_refused:
        return f"{RESTART_UNIT} refused, and told why"
    if problem.restarts >= config.max_restarts_per_incident:
        return "restarting did not help" if problem.restarts else "max_restarts_per_incident = 0"
    return ""


def _settle_ask(seen: Observation, problem: Problem) -> Problem:
    """Take back from the count an ask that was refused: it was no restart. One that was refused for good is the last."""
    if not problem.ask_is_open:
        return problem
    refused = seen.ask_was_put_off or seen.ask_was_refused
    return dataclasses.replace(problem, restarts=problem.restarts - refused, was_refused=seen.ask_was_refused, ask_is_open=False)
