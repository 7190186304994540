"""From what was seen to what is told and done. Pure: it is given the time."""

import dataclasses
from dataclasses import dataclass, field

from plexguard.core.clock import Moment
from plexguard.core.events import Tell
from plexguard.core.published import ProbeSeen
from plexguard.plex_probe import events
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.ladder import Problem, Step, consider_restart
from plexguard.plex_probe.look import Answer
from plexguard.plex_probe.observe import Observation
from plexguard.plex_probe.progress import Marks
from plexguard.plex_probe.server import ServerState
from plexguard.plex_probe.states import EXCUSES, MEANT, OUTAGES, SERVING, Before, Verdict, advance, judge

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


# A writing database that pauses for so long still counts as writing.
_BUSY_S = 180.0
# Starts that nobody told us of: so many within this time are a loop, and told again after an hour.
_LOOP_STARTS = 3
_LOOP_S = 900.0
_HOUR_S = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class State(ProbeSeen):
    """What is known from check to check, for others and for itself.

    answered: the address at which Plex has answered. silent_since: the first failed look while nothing is certain yet, such as
    during a start. excused_since: since when each excuse holds, by its name. log, database: the marks of a Plex at work.
    busy_at: when its database was last seen to be written to in this silence. still_since: since when it has not been in this
    maintenance. stuck_since: since when it has answered nobody and not been written to. starts: when Plex was found starting
    though it had been well at the check before. told_long: what was told to take too long. gave_up, gave_up_at: why Plex was
    given up last, and when. loop_told_at: when a loop was told last.
    """

    verdict: Verdict = Verdict.HEALTHY
    found: Verdict = Verdict.HEALTHY
    problem: Problem | None = None
    answered: str | None = None
    excused_since: dict[str, Moment] = field(default_factory=dict)
    log: str = ""
    database: str = ""
    busy_at: Moment | None = None
    still_since: Moment | None = None
    stuck_since: Moment | None = None
    starts: tuple[Moment, ...] = ()
    told_long: str = ""
    gave_up: str = ""
    gave_up_at: Moment | None = None
    loop_told_at: Moment | None = None
    told_limited: bool = False

    @property
    def marks(self) -> Marks:
        return Marks(log=self.log, database=self.database)


@dataclass(frozen=True, slots=True)
class Plan:
    """The state to save first, so that a restart is counted before it is asked for, then the steps."""

    state: State
    steps: tuple[Step, ...] = ()


def decide(seen: Observation, config: Config, past: State, began: Moment, now: Moment, *, uncounted: str = "") -> Plan:
    """Return what to tell and do. began: the moment before the first look; now: after the last. uncounted: why nothing can be
    counted on disk, and so nothing be done, "" when it can."""
    if past.answered not in (None, seen.url):
        # Another server, or the same at another address: what was known is not of this one.
        past = State(told_limited=past.told_limited)
    before = _remember(seen, past, now)
    excuse, excused_since = find_excuse(seen, past, before, began, config)
    state = _record(seen, past, judge(seen, excuse, before, config), config, now)
    verdict = state.verdict
    state, looping = _tell_loop(seen, past, state, now)
    first = (*_tell_update(seen, past), *looping)
    if verdict is Verdict.HEALTHY:
        plan = _recover(seen, past, state, now)
        return dataclasses.replace(plan, steps=(*first, *plan.steps))
    # Time in which Plex was meant to be away is no part of what comes after it.
    silent_since = (None if past.verdict in MEANT - {verdict} else past.silent_since) or began
    is_stuck = verdict is Verdict.DATABASE_BLOCKED and excuse is None and seen.database_moves is False
    state = dataclasses.replace(
        state,
        silent_since=silent_since,
        excused_since=excused_since,
        busy_at=now if seen.database_moves else past.busy_at,
        stuck_since=(past.stuck_since or began) if is_stuck else None,
    )
    if verdict is Verdict.STARTING or (verdict is Verdict.UNKNOWN and state.found_in_row == 1):
        # Neither well nor at fault: what was told stays as it is. A container that is made anew is for a moment unknown.
        return Plan(dataclasses.replace(state, problem=past.problem), first)
    known, ended = _continue_problem(seen, past.problem, verdict, now)
    problem = known or Problem(verdict=verdict, began=silent_since)
    if verdict in OUTAGES and problem.verdict not in OUTAGES:
        # Slow, misconfigured or in maintenance it still served, or said why not.
        problem = dataclasses.replace(problem, began=began)
    problem = dataclasses.replace(problem, verdict=verdict)
    tell: tuple[Step, ...] = ()
    if verdict not in problem.told:
        tell = (Tell(_EVENTS[verdict], _values(seen, problem, now)),)
        problem = dataclasses.replace(problem, told=(*problem.told, verdict))
    state, told_long = _tell_long(seen, state, excuse, config, now)
    problem, steps = consider_restart(seen, problem, state.stuck_since, config, now, uncounted=uncounted)
    state, steps = _quieten(state, steps, now)
    return Plan(dataclasses.replace(state, problem=problem), (*first, *ended, *tell, *told_long, *steps))


def _quieten(state: State, steps: tuple[Step, ...], now: Moment) -> tuple[State, tuple[Step, ...]]:
    """Leave out that Plex is given up when that was told minutes ago, for the same reason: one that is back for a moment, again
    and again, is given up loudly once."""
    for step in steps:
        if isinstance(step, Tell) and step.event is events.GAVE_UP:
            reason = str(step.values["reason"])
            if reason == state.gave_up and state.gave_up_at is not None and now.seconds_since(state.gave_up_at) < _LOOP_S:
                return state, ()
            return dataclasses.replace(state, gave_up=reason, gave_up_at=now), steps
    return state, steps


def _continue_problem(
    seen: Observation, known: Problem | None, verdict: Verdict, now: Moment
) -> tuple[Problem | None, tuple[Step, ...]]:
    """Return the problem that goes on, None when what is found is another, and what is told of the end of the one before."""
    if known is None or (known.verdict in MEANT and verdict not in MEANT):
        return None, ()
    if known.verdict in OUTAGES and seen.last.answer is Answer.UNAUTHORIZED:
        # It says itself that it does not know us: it is back, whatever our token is worth.
        return None, (_tell_recovery(known, now),)
    return known, ()


def _remember(seen: Observation, past: State, now: Moment) -> Before:
    is_busy = past.busy_at is not None and now.seconds_since(past.busy_at) < _BUSY_S
    return Before(verdict=past.verdict, moves=seen.marks.moved(past.marks), is_busy=is_busy, has_answered=past.answered is not None)


def find_excuse(
    seen: Observation, past: State, before: Before, began: Moment, config: Config
) -> tuple[Verdict | None, dict[str, Moment]]:
    """Return what excuses silence in this check, and since when each excuse that holds does, whether or not its time is over."""
    found, since = None, {}
    for excuse in EXCUSES:
        # The time of an excuse begins when the one before it is over: a start after a long update is given its own.
        if found is not None or seen.last.answer.is_conclusive or not excuse.holds(seen, before):
            continue
        known = past.excused_since.get(excuse.name)
        # A boot is a start of its own: what was in transition before it says nothing about what is now.
        since[excuse.name] = known if known is not None and known.boot_id == began.boot_id else began
        if began.seconds_since(since[excuse.name]) < excuse.limit(config).total_seconds():
            found = excuse.verdict
    return found, since


def _record(seen: Observation, past: State, found: Verdict, config: Config, now: Moment) -> State:
    last = seen.last
    in_row = past.found_in_row + 1 if past.found is found else 1
    verdict = advance(past.verdict, found, in_row)
    # In maintenance Plex may log each question that it refuses, ours too: only its database tells whether it gets on.
    stands_still = verdict is past.verdict is Verdict.MAINTENANCE and past.database == seen.marks.database
    return State(
        verdict=verdict,
        answered=seen.url if last.version or last.answer is Answer.MAINTENANCE else past.answered,
        level="" if last.answer in (Answer.WELL, Answer.LIMITED) else last.level.value,
        found=found,
        found_in_row=in_row,
        log=seen.marks.log,
        database=seen.marks.database,
        still_since=past.still_since if stands_still and past.still_since else now,
        starts=past.starts,
        told_long=past.told_long if verdict not in SERVING else "",
        gave_up=past.gave_up,
        gave_up_at=past.gave_up_at,
        loop_told_at=past.loop_told_at,
        checked=now,
        interval_s=config.interval.total_seconds(),
        detail=last.detail + _tell_waiting(seen, verdict),
        version=last.version or past.version,
        latencies=dict(last.latencies),
        viewers=seen.viewers,
        told_limited=past.told_limited,
    )


def _tell_loop(seen: Observation, past: State, state: State, now: Moment) -> tuple[State, tuple[Step, ...]]:
    """Count the starts that nobody announced, tell once an hour that they are a loop, and once that it is over."""
    recent = tuple(start for start in past.starts if now.seconds_since(start) < _LOOP_S)
    is_new = state.verdict is Verdict.STARTING and past.verdict in SERVING and seen.server.state is ServerState.STARTING
    starts = (*recent, now)[-10:] if is_new else recent
    state = dataclasses.replace(state, starts=starts)
    if past.loop_told_at is not None and not starts and state.verdict in SERVING:
        steady_s = now.seconds_since(past.starts[-1]) if past.starts else _LOOP_S
        return dataclasses.replace(state, loop_told_at=None), (Tell(events.LOOP_ENDED, {"seconds": steady_s}),)
    was_told = past.loop_told_at is not None and now.seconds_since(past.loop_told_at) < _HOUR_S
    if not is_new or len(starts) < _LOOP_STARTS or was_told:
        return state, ()
    values = {"starts": len(starts), "seconds": now.seconds_since(starts[0]), "server": seen.server.detail}
    return dataclasses.replace(state, loop_told_at=now), (Tell(events.CRASH_LOOP, values),)


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
        steps.append(_tell_recovery(past.problem, now))
    if limited != past.told_limited:
        steps.append(Tell(events.LIMITED if limited else events.UNLIMITED, {}))
    return Plan(state, tuple(steps))


def _tell_recovery(problem: Problem, now: Moment) -> Tell:
    # What it suffered from is over, and not the maintenance or the slow answers of the start that cured it.
    worst = next((verdict for verdict in reversed(problem.told) if verdict in OUTAGES), problem.verdict)
    downtime_s = now.seconds_since(problem.began)
    return Tell(events.RECOVERED, {"problem": worst.value, "downtime_s": downtime_s, "restarts": problem.restarts})


def _values(seen: Observation, problem: Problem, now: Moment) -> dict[str, object]:
    if seen.server.update:
        detail = seen.server.update
    elif seen.elsewhere:
        detail = f"{seen.last.detail}; but Plex answers at {seen.elsewhere}"
    elif seen.is_deadlocked:
        detail = f"{seen.last.detail}, to {seen.connections} connections: a deadlock"
    elif problem.verdict is Verdict.MISCONFIGURED and seen.last.answer in (Answer.REFUSED, Answer.SILENT):
        detail = f"{seen.last.detail}; nothing has ever answered at {seen.url}, though Plex seems to run: is its address another?"
    else:
        detail = seen.last.detail or f"its slowest answer took {seen.last.slowest_s:.1f} s"
    waiting = _tell_waiting(seen, problem.verdict)
    return {
        "detail": detail + waiting,
        "level": seen.last.level.value,
        "looks": len(seen.looks),
        "silent_s": now.seconds_since(problem.began),
        "server": (seen.server.detail or seen.server.state.value) + waiting,
        "processes": seen.processes or "not looked at",
    }


def _tell_waiting(seen: Observation, verdict: Verdict) -> str:
    if seen.waits_for is None or verdict not in (Verdict.HUNG, Verdict.DATABASE_BLOCKED):
        return ""
    return (
        f"; it may wait for its mount {seen.waits_for.mount_point}, which is {seen.waits_for.verdict}: no restart while that is so"
    )


def _tell_long(
    seen: Observation, state: State, excuse: Verdict | None, config: Config, now: Moment
) -> tuple[State, tuple[Step, ...]]:
    """Tell once that an update or a maintenance takes longer than such a thing should: a person has to look."""
    updating_since = state.excused_since.get("update")
    step, what = None, ""
    if updating_since is not None and excuse is not Verdict.UPDATING:
        what = "update"
        step = Tell(events.UPDATE_LONG, {"sign": seen.server.update, "seconds": now.seconds_since(updating_since)})
    elif state.verdict is Verdict.MAINTENANCE and state.still_since is not None:
        still_s = now.seconds_since(state.still_since)
        if still_s >= config.maintenance_limit.total_seconds():
            what = "maintenance"
            how = "its database stands still" if state.database else "whether it gets on cannot be seen"
            step = Tell(events.MAINTENANCE_LONG, {"detail": seen.last.detail, "seconds": still_s, "how": how})
    if step is None or state.told_long == what:
        return state, ()
    return dataclasses.replace(state, told_long=what), (step,)
