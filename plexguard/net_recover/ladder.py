"""The ladder of steps and rounds in one problem: which step is next, when there is none, and when to give up. Pure.

A round is several steps, and an outage several rounds; after each step the network is looked at again and this is asked anew,
so that there is never more than one step to take, and the state on disk always says which.
"""

import dataclasses
from dataclasses import dataclass

from plexguard.core.clock import Moment
from plexguard.core.events import Tell
from plexguard.core.published import LossSeen
from plexguard.core.spans import show_span
from plexguard.net_recover import events
from plexguard.net_recover.config import Config
from plexguard.net_recover.holders import Holder
from plexguard.net_recover.observe import Observation, Watching
from plexguard.net_recover.states import REBOOTABLE, Verdict
from plexguard.net_recover.steps import Patient, Step, find_steps

HOUR_S = 3_600.0
# How often a reboot is asked for while it is refused: what it waits for (a film, an update, its budget) passes.
ASK_AGAIN_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem(LossSeen):
    """A time without network. told: what of it has been told. todo: the steps of its round that were not begun. step: the one that
    was begun, and has no result yet. round_ended: None while a round is at work. left_alone: why, as told. spent: the kinds whose
    rounds are over; with gave_up this one is among them. taken: all rounds. is_silent: it follows another so closely that nothing
    of it has been told. went_down: a hard reset was begun, and the interface has not been seen up since."""

    verdict: Verdict
    told: tuple[Verdict, ...] = ()
    todo: tuple[Step, ...] = ()
    step: Step | None = None
    round_ended: Moment | None = None
    went_down: bool = False
    left_alone: tuple[str, ...] = ()
    spent: tuple[Verdict, ...] = ()
    taken: int = 0
    is_silent: bool = False
    reboot_asked: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What the ladder needs to know beside the problem. detail: what was seen, in a line. was_mendable: the network was seen
    working, over an interface here that could be mended. rounds: when rounds were begun, of the last hour. uncounted: why
    nothing can be counted on disk, "" when it can."""

    detail: str
    was_mendable: bool
    rounds: tuple[Moment, ...]
    uncounted: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """What the problem and the rounds are now, and at most one step to take, or the unit to start that may reboot."""

    problem: Problem
    rounds: tuple[Moment, ...]
    step: Step | None = None
    ask_reboot: bool = False


def conclude_step(seen: Observation, problem: Problem, verdict: Verdict, failure: str, tells: list[Tell]) -> Problem:
    """Tell that the step which was begun did not help: also when this program ended in the middle of it."""
    if problem.step is None:
        return problem
    reason = f"{verdict.value}" + (f"; {failure}" if failure else "")
    values = {"step": problem.step.value, "interface": seen.interface, "round": problem.round, "reason": reason}
    tells.append(Tell(events.STEP_FAILED, values))
    return dataclasses.replace(problem, step=None)


def consider_steps(seen: Observation, config: Config, course: Course, problem: Problem, tells: list[Tell], now: Moment) -> Next:
    """Return the next step of this round, or of the next one if it is time for it; else say once why there is none."""
    number = problem.round + (problem.round_ended is not None or problem.round == 0)
    is_last = 1 < config.max_rounds <= number and not seen.others_known
    steps = find_steps(make_patient(seen, problem.verdict, is_last_round=is_last))
    barrier = _find_barrier(seen, config, course, problem.verdict, steps)
    if barrier:
        if barrier not in problem.left_alone:
            values = {"kind": problem.verdict.value, "reason": barrier, "detail": course.detail}
            tells.append(Tell(events.LEFT_ALONE, values))
            problem = dataclasses.replace(problem, left_alone=(*problem.left_alone, barrier))
        return Next(problem=problem, rounds=course.rounds)
    if problem.gave_up:
        return _give_up(config, course, problem, tells, now)
    if problem.round == 0 and age_s(problem.began, now) < config.grace.total_seconds():
        return Next(problem=problem, rounds=course.rounds)
    problem = dataclasses.replace(problem, todo=tuple(step for step in problem.todo if step in steps))
    if problem.round > 0 and not problem.todo and problem.round_ended is None:
        problem = _end_round(config, problem, tells, now)
    if problem.round > 0 and problem.round_ended is not None:
        if problem.round >= config.max_rounds:
            return _give_up(config, course, problem, tells, now)
        if age_s(problem.round_ended, now) < _pause_s(config, problem):
            return Next(problem=problem, rounds=course.rounds)
    return _take_step(seen, config, course, problem, steps, tells, now)


def make_patient(seen: Observation, verdict: Verdict, *, is_last_round: bool = False) -> Patient:
    """Return what the steps are for. is_last_round: only matters for which steps there are, not for what they do."""
    return Patient(
        holder=seen.held.by,
        interface=seen.interface,
        is_stacked=seen.link is not None and seen.link.is_stacked,
        for_names=verdict is Verdict.NO_DNS,
        has_resolved=seen.has_resolved,
        # What cannot be told is treated as what could be lost.
        has_address=seen.addresses is None or bool(seen.addresses.found),
        is_leased=seen.addresses is None or seen.addresses.is_leased,
        route=seen.route,
        is_last_round=is_last_round,
    )


def _find_barrier(seen: Observation, config: Config, course: Course, verdict: Verdict, steps: tuple[Step, ...]) -> str:
    """Return why nothing is done about it, "" when something may be."""
    if verdict is Verdict.SWITCHED_OFF:
        return "who switches an interface off means it"
    if verdict is Verdict.NO_INTERNET:
        return "the fault lies beyond the gateway, where nothing on this machine can help"
    if verdict is Verdict.NO_GATEWAY and seen.others_answer:
        return "others on the link answer, so the gateway is away, and a reset could only take this machine's address"
    if not course.was_mendable:
        return "it has never been seen working over an interface here that could be mended"
    if not steps and seen.held.by is Holder.NOBODY:
        return "nobody here holds the interface: neither systemd-networkd, NetworkManager nor ifupdown"
    if not steps:
        return f"{seen.held.by.value} knows no step for this that could not make it worse"
    return "max_rounds = 0 in [net-recover]" if config.max_rounds == 0 else ""


def _pause_s(config: Config, problem: Problem) -> float:
    return config.round_pause.total_seconds() * problem.round


def age_s(moment: Moment, now: Moment) -> float:
    """Return how old a moment is: of another boot, at least as old as this one, so that a clock set back stops nothing for ever."""
    return max(now.seconds_since(moment), now.uptime_s if moment.boot_id != now.boot_id else 0.0)


def _end_round(config: Config, problem: Problem, tells: list[Tell], now: Moment) -> Problem:
    pause = show_span(config.round_pause * problem.round)
    coming = f"the next begins in {pause}" if problem.round < config.max_rounds else "there is no further one"
    values = {"round": problem.round, "limit": config.max_rounds, "kind": problem.verdict.value, "next": coming}
    tells.append(Tell(events.ROUND, values))
    return dataclasses.replace(problem, round_ended=now)


def _give_up(config: Config, course: Course, problem: Problem, tells: list[Tell], now: Moment) -> Next:
    may_reboot = config.reboot and problem.verdict in REBOOTABLE
    if not problem.gave_up:
        values = {
            "kind": problem.verdict.value,
            "detail": course.detail,
            "rounds": problem.round,
            "lost_s": now.seconds_since(problem.began),
            "next": "a reboot is asked for" if may_reboot else "this needs a person",
        }
        tells.append(Tell(events.GAVE_UP, values))
        # A fault of another kind has rounds of its own, once: what was lost for want of a cable may then want an address.
        spent = (*problem.spent, problem.verdict)
        problem = dataclasses.replace(problem, gave_up=True, spent=spent, round=0, todo=())
    asked = problem.reboot_asked
    if not may_reboot or course.uncounted or (asked is not None and age_s(asked, now) < ASK_AGAIN_S):
        return Next(problem=problem, rounds=course.rounds)
    if asked is None:
        tells.append(Tell(events.REBOOT_ASKED, {"kind": problem.verdict.value, "lost_s": now.seconds_since(problem.began)}))
    return Next(problem=dataclasses.replace(problem, reboot_asked=now), rounds=course.rounds, ask_reboot=True)


def _take_step(
    seen: Observation,
    config: Config,
    course: Course,
    problem: Problem,
    steps: tuple[Step, ...],
    tells: list[Tell],
    now: Moment,
) -> Next:
    begins_round = not problem.todo
    step = steps[0] if begins_round else problem.todo[0]
    recent = tuple(moment for moment in course.rounds if age_s(moment, now) < HOUR_S)
    obstacle = _find_obstacle(seen, step) or course.uncounted
    if begins_round and len(recent) >= config.max_rounds:
        obstacle = f"{config.max_rounds} rounds in the last hour (max_rounds)"
    if obstacle:
        if not problem.put_off:
            tells.append(Tell(events.PUT_OFF, {"step": step.value, "reason": obstacle, "kind": problem.verdict.value}))
        return Next(problem=dataclasses.replace(problem, put_off=obstacle), rounds=course.rounds)
    number = problem.round + begins_round
    values = {
        "step": step.value,
        "interface": seen.interface,
        "holder": seen.held.by.value,
        "round": number,
        "limit": config.max_rounds,
        "kind": problem.verdict.value,
    }
    tells.append(Tell(events.STEP, values))
    problem = dataclasses.replace(
        problem,
        round=number,
        taken=problem.taken + begins_round,
        round_ended=None,
        todo=(steps if begins_round else problem.todo)[1:],
        step=step,
        put_off="",
        went_down=problem.went_down or step is Step.HARD,
    )
    return Next(problem=problem, rounds=(*recent, now) if begins_round else recent, step=step)


def _find_obstacle(seen: Observation, step: Step) -> str:
    """Return why the interface must not be touched now: streams in the house go on without the internet, with a link."""
    has_link = seen.link is not None and seen.link.carrier
    serves = has_link and not (seen.addresses is not None and not seen.addresses.found)
    # A service has other interfaces too, over which somebody may watch.
    is_free = not serves and step is not Step.RESTART
    if not step.touches_interface or is_free or seen.watching is Watching.NOBODY:
        return ""
    return str(seen.watching.value)
