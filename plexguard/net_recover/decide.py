"""From what was seen to a verdict, and from the verdict to what is told and done. Pure: it is given the time."""

import dataclasses
from dataclasses import dataclass

from plexguard.core.clock import Moment
from plexguard.core.events import Tell
from plexguard.core.published import NetworkSeen
from plexguard.net_recover import events
from plexguard.net_recover.config import Config
from plexguard.net_recover.ladder import Course, Problem, age_s, conclude_step, consider_steps
from plexguard.net_recover.observe import Observation, Seen
from plexguard.net_recover.states import Verdict, describe, judge
from plexguard.net_recover.steps import Step

# A loss that follows a recovery so soon is the same one again, and is not told anew unless it lasts as long.
FLAPPING_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class State(NetworkSeen):
    """What is known from check to check, for others and for itself. version: the IP by which the network was last seen. last,
    recovered: the last problem, and when it was over. told_reboot: the last reboot whose end has been told."""

    verdict: Verdict = Verdict.UNKNOWN
    problem: Problem | None = None
    version: int = 0
    last: Problem | None = None
    recovered: Moment | None = None
    told_unknown: bool = False
    told_reboot: Moment | None = None

    @property
    def seen(self) -> Seen:
        return Seen(interface=self.interface, version=self.version)


@dataclass(frozen=True, slots=True)
class Plan:
    """The state to save first, what to tell, then at most one step to take, or the unit to start that may reboot."""

    state: State
    tells: tuple[Tell, ...] = ()
    step: Step | None = None
    ask_reboot: bool = False

    @property
    def is_news(self) -> bool:
        """Whether anything is to be told or done."""
        return bool(self.tells) or self.step is not None or self.ask_reboot


def is_excused(past: State, now: Moment) -> bool:
    """Tell whether an interface may be switched off without a person having done it."""
    was_seen = past.last_online is not None and past.last_online.boot_id == now.boot_id
    return not was_seen or (past.problem is not None and past.problem.went_down)


def decide(
    seen: Observation,
    config: Config,
    past: State,
    began: Moment,
    now: Moment,
    *,
    failure: str = "",
    rebooted: bool = False,
    uncounted: str = "",
) -> Plan:
    """Return what to tell and do next. began: the moment before the first look; now: after the last. failure: what the commands
    of the step that was just taken said. rebooted: this machine has just come back from a reboot that was asked for. uncounted: why
    nothing can be counted on disk, and so nothing be done, "" when it can."""
    verdict = judge(seen, is_excused=is_excused(past, now))
    state = dataclasses.replace(past, verdict=verdict, detail=describe(seen, verdict), checked=now)
    if verdict is Verdict.UNKNOWN:
        # Not to be told is neither well nor lost: what was told stays as it is.
        values = {"reason": state.detail}
        tell = () if past.told_unknown else (Tell(events.UNKNOWN, values),)
        return Plan(dataclasses.replace(state, told_unknown=True), tell)
    state = dataclasses.replace(state, told_unknown=False)
    if verdict is Verdict.ONLINE:
        plan = _recover(seen, past, state, now, rebooted=rebooted)
    else:
        plan = _treat(seen, config, past, state, began, now, failure=failure, uncounted=uncounted)
    if not past.told_unknown:
        return plan
    known = Tell(events.KNOWN, {"kind": verdict.value, "detail": state.detail})
    return dataclasses.replace(plan, tells=(known, *plan.tells))


def _treat(
    seen: Observation, config: Config, past: State, state: State, began: Moment, now: Moment, *, failure: str, uncounted: str
) -> Plan:
    """Return what to tell and do next about a network that is lost."""
    verdict = state.verdict
    tells: list[Tell] = []
    problem = past.problem or _begin(past, verdict, began)
    if problem.is_silent and age_s(problem.began, now) >= FLAPPING_S:
        problem = dataclasses.replace(problem, is_silent=False, told=(), left_alone=())
    problem = conclude_step(seen, problem, verdict, failure, tells)
    if problem.round_ended is not None and problem.round_ended.boot_id != now.boot_id:
        # A boot is a new beginning.
        problem = dataclasses.replace(problem, round=0, todo=(), round_ended=None, spent=())
    is_down = problem.went_down and seen.link is not None and not seen.link.is_up
    problem = dataclasses.replace(problem, verdict=verdict, went_down=is_down, gave_up=verdict in problem.spent)
    if verdict not in problem.told:
        lost_s = now.seconds_since(problem.began)
        tells.append(Tell(events.LOST, {"kind": verdict.value, "detail": state.detail, "looks": seen.looks, "lost_s": lost_s}))
        problem = dataclasses.replace(problem, told=(*problem.told, verdict))
    was_mendable = past.last_online is not None and bool(past.interface or config.interface)
    course = Course(detail=state.detail, was_mendable=was_mendable, rounds=past.rounds, uncounted=uncounted)
    following = consider_steps(seen, config, course, problem, tells, now)
    problem = dataclasses.replace(following.problem, is_silent=following.problem.is_silent and not tells)
    state = dataclasses.replace(state, problem=problem, rounds=following.rounds)
    return Plan(state, tuple(tells), step=following.step, ask_reboot=following.ask_reboot)


def _begin(past: State, verdict: Verdict, began: Moment) -> Problem:
    """Return a new problem; one that comes soon after another remembers what was told of that."""
    last = past.last
    if last is None or past.recovered is None or age_s(past.recovered, began) >= FLAPPING_S:
        return Problem(verdict=verdict, began=began)
    return Problem(verdict=verdict, began=began, told=last.told, left_alone=last.left_alone, put_off=last.put_off, is_silent=True)


def _recover(seen: Observation, past: State, state: State, now: Moment, *, rebooted: bool) -> Plan:
    state = dataclasses.replace(state, problem=None, last_online=now, interface=seen.interface, version=seen.version)
    problem = past.problem
    if problem is None:
        return Plan(state)
    state = dataclasses.replace(state, last=problem, recovered=now)
    if problem.is_silent:
        return Plan(state)
    tells = []
    helped = "reboot" if rebooted else "by itself"
    if problem.step is not None:
        helped = problem.step.value
        tells.append(Tell(events.STEP_DONE, {"step": helped, "interface": seen.interface, "round": problem.round}))
    values = {
        "kind": problem.verdict.value,
        "downtime_s": now.seconds_since(problem.began),
        "helped": helped,
        "rounds": problem.taken,
        "detail": state.detail,
    }
    return Plan(state, (*tells, Tell(events.RECOVERED, values)))
