"""From what was seen to what is told and done. Pure: it is given the time."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from plexguard.core.clock import Moment
from plexguard.core.events import Event
from plexguard.plex_probe import events
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.look import Answer
from plexguard.plex_probe.observe import RESTART_UNIT, Observation
from plexguard.plex_probe.server import ServerState
from plexguard.plex_probe.states import EXCUSES, MEANT, OUTAGES, SERVING, Verdict, advance, judge

_EVENTS = {
    Verdict.DEGRADED: events.DEGRADED,
    Verdict.DOWN: events.DOWN,
    Verdict.HUNG: events.HUNG,
    Verdict.ERRORING: events.ERRORING,
    Verdict.DATABASE_BLOCKED: events.DATABASE_BLOCKED,
    Verdict.MAINTENANCE: events.MAINTENANCE,
    Verdict.UPDATING: events.UPDATING,
    Verdict.STOPPED: events.STOPPED,
    Verdict.MISCONFIGURED: events.MISCONFIGURED,
    Verdict.UNKNOWN: events.UNKNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A time during which Plex was not healthy. began: its first failed look. restarts: asked for in it, and not put off.
    start_asked: so was its start after an update. ask_is_open: what became of the last ask has not been seen yet.
    was_put_off: it was refused for a reason that passes; was_refused: for good, and asking again would not help."""

    verdict: Verdict
    began: Moment
    restarts: int = 0
    last_ask: Moment | None = None
    start_asked: bool = False
    ask_is_open: bool = False
    was_put_off: bool = False
    was_refused: bool = False
    gave_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is known from check to check, published for status.

    level: the level that failed, "" when none did. found, found_in_row: what the last check found, and how many before it.
    silent_since: the first failed look while nothing is certain yet, such as during a start. excused_since: since when each
    excuse holds, by its verdict. progress, progress_since: the mark of a Plex at work, and since when it stands still.
    stuck_since: since when its database has answered nobody and not been written to. told_long: that an update or a
    maintenance takes too long was told. latencies: seconds by level. viewers: players at which somebody watches, None when
    Plex does not tell.
    """

    verdict: Verdict = Verdict.HEALTHY
    level: str = ""
    found: Verdict = Verdict.HEALTHY
    found_in_row: int = 0
    problem: Problem | None = None
    silent_since: Moment | None = None
    excused_since: dict[str, Moment] = field(default_factory=dict)
    progress: str = ""
    progress_since: Moment | None = None
    stuck_since: Moment | None = None
    told_long: bool = False
    checked: Moment | None = None
    detail: str = ""
    version: str = ""
    latencies: dict[str, float] = field(default_factory=dict)
    viewers: int | None = None
    told_no_server: bool = False
    told_limited: bool = False


@dataclass(frozen=True, slots=True)
class Tell:
    event: Event
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class AskRestart:
    """Start the root unit that restarts Plex."""


Step = Tell | AskRestart


@dataclass(frozen=True, slots=True)
class Plan:
    """The state to save first, so that a restart is counted before it is asked for, then the steps."""

    state: State
    steps: tuple[Step, ...] = ()


def decide(seen: Observation, config: Config, past: State, began: Moment, now: Moment) -> Plan:
    """Return what to tell and do. began: the moment before the first look; now: after the last."""
    excuse, excused_since = find_excuse(seen, past, began, config)
    found = judge(seen, excuse, config, past.verdict)
    state = _record(seen, past, found, now)
    verdict = state.verdict
    updated = _tell_update(seen, past)
    if verdict is Verdict.HEALTHY:
        return _with(_recover(seen, past, state, now), updated)
    # Time in which Plex was meant to be away is no part of what comes after it.
    silent_since = (None if past.verdict in MEANT - {verdict} else past.silent_since) or began
    is_stuck = verdict is Verdict.DATABASE_BLOCKED and excuse is None and not seen.database_moves
    stuck_since = (past.stuck_since or began) if is_stuck else None
    state = dataclasses.replace(state, silent_since=silent_since, excused_since=excused_since, stuck_since=stuck_since)
    if verdict is Verdict.STARTING:
        # Neither well nor at fault: what was told stays as it is.
        return Plan(dataclasses.replace(state, problem=past.problem), updated)
    known = past.problem
    if known is not None and known.verdict in MEANT and verdict not in MEANT:
        known = None
    told = known is not None and known.verdict is verdict
    problem = dataclasses.replace(known or Problem(verdict=verdict, began=silent_since), verdict=verdict)
    tell = () if told else (Tell(_EVENTS[verdict], _values(seen, problem, now)),)
    state, told_long = _tell_long(seen, state, excuse, config, now)
    problem, steps = _consider_restart(seen, problem, stuck_since, config, now)
    return Plan(dataclasses.replace(state, problem=problem), (*updated, *tell, *told_long, *steps))


def _with(plan: Plan, first: tuple[Step, ...]) -> Plan:
    return dataclasses.replace(plan, steps=(*first, *plan.steps))


def find_excuse(seen: Observation, past: State, began: Moment, config: Config) -> tuple[Verdict | None, dict[str, Moment]]:
    """Return what excuses silence in this check, and since when each excuse that holds does, whether or not its time is over."""
    moves = bool(seen.progress) and seen.progress != past.progress
    found, since = None, {}
    for excuse in EXCUSES:
        # The time of an excuse begins when the one before it is over: a start after a long update is given its own.
        if found is not None or seen.last.answer.is_conclusive or not excuse.holds(seen, past.verdict, moves):
            continue
        name = excuse.verdict.value
        known = past.excused_since.get(name)
        # A boot is a start of its own: what was in transition before it says nothing about what is now.
        since[name] = known if known is not None and known.boot_id == began.boot_id else began
        if began.seconds_since(since[name]) < excuse.limit(config).total_seconds():
            found = excuse.verdict
    return found, since


def _record(seen: Observation, past: State, found: Verdict, now: Moment) -> State:
    last = seen.last
    in_row = past.found_in_row + 1 if past.found is found else 1
    verdict = advance(past.verdict, found, in_row)
    stands = bool(past.progress_since) and past.progress == seen.progress and past.verdict is verdict
    return State(
        verdict=verdict,
        level="" if last.answer in (Answer.WELL, Answer.LIMITED) else last.level.value,
        found=found,
        found_in_row=in_row,
        progress=seen.progress,
        progress_since=past.progress_since if stands else now,
        told_long=past.told_long and verdict not in SERVING,
        checked=now,
        detail=last.detail,
        version=last.version or past.version,
        latencies=dict(last.latencies),
        viewers=seen.viewers,
        told_limited=past.told_limited,
    )


def _tell_update(seen: Observation, past: State) -> tuple[Step, ...]:
    """Tell a version that changed, whoever changed it."""
    after = seen.last.version
    if not after or not past.version or after == past.version:
        return ()
    return (Tell(events.UPDATED, {"before": past.version, "after": after}),)


def _recover(seen: Observation, past: State, state: State, now: Moment) -> Plan:
    limited = seen.last.answer is Answer.LIMITED
    state = dataclasses.replace(state, told_limited=limited)
    steps: list[Step] = []
    if past.problem is not None:
        downtime_s = now.seconds_since(past.problem.began)
        values = {"problem": past.problem.verdict.value, "downtime_s": downtime_s, "restarts": past.problem.restarts}
        steps.append(Tell(events.RECOVERED, values))
    if limited and not past.told_limited:
        steps.append(Tell(events.LIMITED, {}))
    return Plan(state, tuple(steps))


def _values(seen: Observation, problem: Problem, now: Moment) -> dict[str, object]:
    if seen.server.update:
        detail = seen.server.update
    elif seen.elsewhere:
        detail = f"{seen.last.detail}; but Plex answers at {seen.elsewhere}"
    elif seen.is_deadlocked:
        detail = f"{seen.last.detail}, to {seen.connections} connections: a deadlock"
    else:
        detail = seen.last.detail or f"its slowest answer took {seen.last.slowest_s:.1f} s"
    return {
        "detail": detail,
        "level": seen.last.level.value,
        "looks": len(seen.looks),
        "silent_s": now.seconds_since(problem.began),
        "server": seen.server.detail or seen.server.state.value,
        "processes": seen.processes or "not looked at",
    }


def _tell_long(
    seen: Observation, state: State, excuse: Verdict | None, config: Config, now: Moment
) -> tuple[State, tuple[Step, ...]]:
    """Tell once that an update or a maintenance takes longer than such a thing should: a person has to look."""
    updating_since = state.excused_since.get(Verdict.UPDATING.value)
    step = None
    if updating_since is not None and excuse is not Verdict.UPDATING:
        step = Tell(events.UPDATE_LONG, {"sign": seen.server.update, "seconds": now.seconds_since(updating_since)})
    elif state.verdict is Verdict.MAINTENANCE and state.progress_since is not None:
        still_s = now.seconds_since(state.progress_since)
        if still_s >= config.maintenance_limit.total_seconds():
            how = "its log and database stand still" if state.progress else "whether it gets on cannot be seen"
            step = Tell(events.MAINTENANCE_LONG, {"detail": seen.last.detail, "seconds": still_s, "how": how})
    if step is None or state.told_long:
        return state, ()
    return dataclasses.replace(state, told_long=True), (step,)


def _consider_restart(
    seen: Observation, problem: Problem, stuck_since: Moment | None, config: Config, now: Moment
) -> tuple[Problem, tuple[Step, ...]]:
    """Ask for a restart if this is an outage that one may cure, within the budget of the incident; else say once that
    it is left to a person, and why."""
    is_stuck = stuck_since is not None and now.seconds_since(stuck_since) >= config.blocked_limit.total_seconds()
    if problem.verdict not in OUTAGES and not (is_stuck and seen.viewers == 0):
        return problem, ()
    if seen.server.state in (ServerState.STOPPED, ServerState.RESTARTING):
        return problem, ()
    if seen.server.update:
        return problem, ()
    problem = _settle_ask(seen, problem)
    if problem.last_ask is not None and now.seconds_since(problem.last_ask) < config.start_grace.total_seconds():
        return problem, ()
    barrier = _find_barrier(seen, problem, config)
    if not barrier:
        return _ask(seen, problem, config, now)
    if problem.gave_up:
        return problem, ()
    values = {
        "reason": barrier,
        "restarts": problem.restarts,
        "problem": problem.verdict.value,
        "silent_s": now.seconds_since(problem.began),
    }
    return dataclasses.replace(problem, gave_up=True), (Tell(events.GAVE_UP, values),)


def _ask(seen: Observation, problem: Problem, config: Config, now: Moment) -> tuple[Problem, tuple[Step, ...]]:
    asked = dataclasses.replace(problem, last_ask=now, ask_is_open=True)
    if _is_owed_start(seen, problem):
        # The end of an update, and no restart: it costs nothing of the budget.
        return dataclasses.replace(asked, start_asked=True), (
            Tell(events.LEFT_STOPPED, {"server": seen.server.detail}),
            AskRestart(),
        )
    asked = dataclasses.replace(asked, restarts=problem.restarts + 1)
    values = {"number": asked.restarts, "limit": config.max_restarts_per_incident, "problem": problem.verdict.value}
    # The same again, each minute for as long as the reason lasts, is no news.
    told = () if problem.was_put_off else (Tell(events.RESTART_ASKED, values),)
    return asked, (*told, AskRestart())


def _find_barrier(seen: Observation, problem: Problem, config: Config) -> str:
    """Return why no restart is asked for, or "" when one is."""
    state = seen.server.state
    if not config.restart:
        return "restart = false in [plex-probe]"
    if seen.restart_is_masked:
        return f"{RESTART_UNIT} is masked"
    if state not in (ServerState.RUNNING, ServerState.DOWN, ServerState.LEFT_STOPPED):
        return f"it is {state.value}"
    if problem.was_refused:
        return f"{RESTART_UNIT} refused, and told why"
    if problem.restarts >= config.max_restarts_per_incident and not _is_owed_start(seen, problem):
        return "restarting did not help" if problem.restarts else "max_restarts_per_incident = 0"
    return ""


def _is_owed_start(seen: Observation, problem: Problem) -> bool:
    """Tell whether an update left Plex stopped. One start is owed to it; where that changed nothing, more are restarts."""
    return seen.server.state is ServerState.LEFT_STOPPED and not problem.start_asked


def _settle_ask(seen: Observation, problem: Problem) -> Problem:
    """Take back from the count an ask that was refused: it was no restart. One that was refused for good is the last."""
    if not problem.ask_is_open:
        return problem
    refused = seen.ask_was_put_off or seen.ask_was_refused
    restarts = max(0, problem.restarts - refused)
    return dataclasses.replace(
        problem, restarts=restarts, was_put_off=seen.ask_was_put_off, was_refused=seen.ask_was_refused, ask_is_open=False
    )
