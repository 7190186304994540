"""From what was seen to a verdict, and from the verdict to the one step that is next. Pure: it is given the time.

A round is several steps, and an outage several rounds; after each step the network is looked at again and this is asked anew,
so that a plan never holds more than one step, and the state on disk always says which.
"""

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass

from plexguard.core.clock import Moment
from plexguard.core.config import show_span
from plexguard.core.events import Event
from plexguard.net_recover import events
from plexguard.net_recover.config import Config
from plexguard.net_recover.holders import Holder
from plexguard.net_recover.links import Neighbour
from plexguard.net_recover.network import Reply
from plexguard.net_recover.observe import Observation, Seen, Watching
from plexguard.net_recover.steps import Patient, Step, find_steps

HOUR_S = 3_600.0
# How often a reboot is asked for while it is refused: what it waits for (a film, an update, its budget) passes.
ASK_AGAIN_S = 300.0
# A loss that follows a recovery so soon is the same one again, and is not told anew unless it lasts as long.
FLAPPING_S = 600.0


class Verdict(enum.Enum):
    """What is the matter with the network, from near to far."""

    ONLINE = "online"
    SWITCHED_OFF = "switched-off"
    NO_LINK = "no-link"
    NO_ADDRESS = "no-address"
    NO_GATEWAY = "no-gateway"
    NO_INTERNET = "no-internet"
    NO_DNS = "no-dns"
    UNKNOWN = "unknown"


# What a reboot may: not names, and nothing beyond the gateway.
REBOOTABLE = frozenset({Verdict.NO_LINK, Verdict.NO_ADDRESS, Verdict.NO_GATEWAY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A time without network. began: its first failed look. told: what of it has been told. round: of max_rounds, the one
    that is at work or was last. todo: its steps that were not begun. step: the one that was begun, and has no result yet.
    round_ended: None while a round is at work. left_alone, put_off: why, as told. spent: the kinds
    whose rounds are over; gave_up: this one is among them. taken: all rounds.
    is_silent: it follows another so closely that nothing of it has been told. went_down: a hard reset was begun, and the
    interface has not been seen up since."""

    verdict: Verdict
    began: Moment
    told: tuple[Verdict, ...] = ()
    round: int = 0
    todo: tuple[Step, ...] = ()
    step: Step | None = None
    round_ended: Moment | None = None
    went_down: bool = False
    left_alone: tuple[str, ...] = ()
    put_off: str = ""
    gave_up: bool = False
    spent: tuple[Verdict, ...] = ()
    taken: int = 0
    is_silent: bool = False
    reboot_asked: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is known from check to check, published for status. interface, version, last_online: by which interface ("" when it is
    none that could be mended), by which IP and when the network was last seen. rounds: when rounds were begun, of the last hour.
    told_reboot: the last reboot whose end has been told. last, recovered: the last problem, and when it was over."""

    verdict: Verdict = Verdict.UNKNOWN
    detail: str = ""
    interface: str = ""
    version: int = 0
    checked: Moment | None = None
    last_online: Moment | None = None
    problem: Problem | None = None
    last: Problem | None = None
    recovered: Moment | None = None
    rounds: tuple[Moment, ...] = ()
    told_unknown: bool = False
    told_reboot: Moment | None = None

    @property
    def seen(self) -> Seen:
        return Seen(interface=self.interface, version=self.version)


@dataclass(frozen=True, slots=True)
class Tell:
    event: Event
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Plan:
    """The state to save first, what to tell, then at most one step to take, or the unit to start that may reboot."""

    state: State
    tells: tuple[Tell, ...] = ()
    step: Step | None = None
    ask_reboot: bool = False


def judge(seen: Observation, *, is_excused: bool = False) -> Verdict:
    """Return the verdict on what was seen. is_excused: an interface that is switched off may be so by no person's will: by a step
    that was broken off, or because it never came up in this boot."""
    if seen.answered is not None:
        return Verdict.ONLINE if seen.resolves else Verdict.NO_DNS
    if seen.link is None or all(answer.reply is Reply.DENIED for answer in seen.answers):
        return Verdict.UNKNOWN
    if seen.held.switched_off or (seen.link.exists and not seen.link.is_up and not is_excused):
        return Verdict.SWITCHED_OFF
    if not seen.link.exists or not seen.link.is_up or not seen.link.carrier:
        return Verdict.NO_LINK
    if seen.addresses is not None and not seen.addresses.found:
        return Verdict.NO_ADDRESS
    if seen.route is None and not any(answer.reply in (Reply.SILENT, Reply.REFUSED) for answer in seen.answers):
        return Verdict.NO_GATEWAY
    if seen.route is not None and seen.gateway is Neighbour.SILENT:
        return Verdict.NO_GATEWAY
    # Without a route in the main table, but not without a way: another table, or a tunnel, whose other end is away.
    return Verdict.NO_INTERNET


def describe(seen: Observation, verdict: Verdict) -> str:
    """Return what was seen, in a line."""
    match verdict:
        case Verdict.ONLINE | Verdict.NO_DNS:
            return _describe_answers(seen)
        case Verdict.UNKNOWN:
            return "there is no network interface to look at" if seen.link is None else "this machine forbids every question"
        case Verdict.SWITCHED_OFF:
            return f"{seen.interface} was switched off" + (f" ({seen.held.switched_off})" if seen.held.switched_off else "")
        case Verdict.NO_LINK if seen.link is not None and not seen.link.exists:
            return f"there is no interface {seen.interface} any more"
        case Verdict.NO_LINK:
            return f"{seen.interface} has no carrier"
        case Verdict.NO_ADDRESS:
            return f"{seen.interface} has a carrier and no address"
        case Verdict.NO_GATEWAY if seen.route is None:
            return f"{seen.interface} has an address and no default route"
        case _ if seen.route is None:
            return f"{seen.interface} has no default route, but there is a way out of this machine, and no endpoint answers"
        case _:
            gateway = seen.route.gateway if seen.route is not None else ""
            return f"gateway {gateway or 'of ' + seen.interface} {seen.gateway.value}, and no endpoint does"


def _describe_answers(seen: Observation) -> str:
    found = seen.answered
    parts = []
    if found is not None:
        took = f" in {found.seconds * 1000:.0f} ms" if found.seconds is not None else ""
        parts.append(f"{found.target.address} answers{took} ({found.target.method})")
    if seen.names:
        name = next((name for name in seen.names if name.addresses), None)
        all_names = ", ".join(name.name for name in seen.names)
        parts.append(f"{name.name} resolves in {name.seconds * 1000:.0f} ms" if name else f"none of {all_names} resolves")
    return ", ".join(parts)


def is_excused(past: State, now: Moment) -> bool:
    """Tell whether an interface may be switched off without a person having done it."""
    was_seen = past.last_online is not None and past.last_online.boot_id == now.boot_id
    return not was_seen or (past.problem is not None and past.problem.went_down)


def decide(
    seen: Observation, config: Config, past: State, began: Moment, now: Moment, *, failure: str = "", rebooted: bool = False
) -> Plan:
    """Return what to tell and do next. began: the moment before the first look; now: after the last. failure: what the commands
    of the step that was just taken said. rebooted: this machine has just come back from a reboot that was asked for."""
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
        plan = _treat(seen, config, past, state, began, now, failure=failure)
    if not past.told_unknown:
        return plan
    known = Tell(events.KNOWN, {"kind": verdict.value, "detail": state.detail})
    return dataclasses.replace(plan, tells=(known, *plan.tells))


def _treat(seen: Observation, config: Config, past: State, state: State, began: Moment, now: Moment, *, failure: str) -> Plan:
    """Return what to tell and do next about a network that is lost."""
    verdict = state.verdict
    tells: list[Tell] = []
    problem = past.problem or _begin(past, verdict, began)
    if problem.is_silent and _age_s(problem.began, now) >= FLAPPING_S:
        problem = dataclasses.replace(problem, is_silent=False, told=(), left_alone=())
    problem = _conclude_step(seen, problem, verdict, failure, tells)
    if problem.round_ended is not None and problem.round_ended.boot_id != now.boot_id:
        # A boot is a new beginning.
        problem = dataclasses.replace(problem, round=0, todo=(), round_ended=None, spent=())
    is_down = problem.went_down and seen.link is not None and not seen.link.is_up
    problem = dataclasses.replace(problem, verdict=verdict, went_down=is_down, gave_up=verdict in problem.spent)
    if verdict not in problem.told:
        lost_s = now.seconds_since(problem.began)
        tells.append(Tell(events.LOST, {"kind": verdict.value, "detail": state.detail, "looks": seen.looks, "lost_s": lost_s}))
        problem = dataclasses.replace(problem, told=(*problem.told, verdict))
    return _consider_steps(seen, config, dataclasses.replace(state, problem=problem), problem, tells, now)


def _begin(past: State, verdict: Verdict, began: Moment) -> Problem:
    """Return a new problem; one that comes soon after another remembers what was told of that."""
    last = past.last
    if last is None or past.recovered is None or _age_s(past.recovered, began) >= FLAPPING_S:
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


def _conclude_step(seen: Observation, problem: Problem, verdict: Verdict, failure: str, tells: list[Tell]) -> Problem:
    """Tell that the step which was begun did not help: also when this program ended in the middle of it."""
    if problem.step is None:
        return problem
    reason = f"{verdict.value}" + (f"; {failure}" if failure else "")
    values = {"step": problem.step.value, "interface": seen.interface, "round": problem.round, "reason": reason}
    tells.append(Tell(events.STEP_FAILED, values))
    return dataclasses.replace(problem, step=None)


def _consider_steps(seen: Observation, config: Config, state: State, problem: Problem, tells: list[Tell], now: Moment) -> Plan:
    """Return the next step of this round, or of the next one if it is time for it; else say once why there is none."""
    number = problem.round + (problem.round_ended is not None or problem.round == 0)
    is_last = 1 < config.max_rounds <= number and not seen.others_known
    steps = find_steps(make_patient(seen, problem.verdict, is_last_round=is_last))
    barrier = _find_barrier(seen, config, state, problem.verdict, steps)
    if barrier:
        if barrier not in problem.left_alone:
            values = {"kind": problem.verdict.value, "reason": barrier, "detail": state.detail}
            tells.append(Tell(events.LEFT_ALONE, values))
            problem = dataclasses.replace(problem, left_alone=(*problem.left_alone, barrier))
        return _plan(state, problem, tells)
    if problem.gave_up:
        return _give_up(config, state, problem, tells, now)
    if problem.round == 0 and _age_s(problem.began, now) < config.grace.total_seconds():
        return _plan(state, problem, tells)
    problem = dataclasses.replace(problem, todo=tuple(step for step in problem.todo if step in steps))
    if problem.round > 0 and not problem.todo and problem.round_ended is None:
        problem = _end_round(config, problem, tells, now)
    if problem.round > 0 and problem.round_ended is not None:
        if problem.round >= config.max_rounds:
            return _give_up(config, state, problem, tells, now)
        if _age_s(problem.round_ended, now) < _pause_s(config, problem):
            return _plan(state, problem, tells)
    return _take_step(seen, config, state, problem, steps, tells, now)


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


def _find_barrier(seen: Observation, config: Config, state: State, verdict: Verdict, steps: tuple[Step, ...]) -> str:
    """Return why nothing is done about it, "" when something may be."""
    if verdict is Verdict.SWITCHED_OFF:
        return "who switches an interface off means it"
    if verdict is Verdict.NO_INTERNET:
        return "the fault lies beyond the gateway, where nothing on this machine can help"
    if verdict is Verdict.NO_GATEWAY and seen.others_answer:
        return "others on the link answer, so the gateway is away, and a reset could only take this machine's address"
    if state.last_online is None or not (state.interface or config.interface):
        return "it has never been seen working over an interface here that could be mended"
    if not steps and seen.held.by is Holder.NOBODY:
        return "nobody here holds the interface: neither systemd-networkd, NetworkManager nor ifupdown"
    if not steps:
        return f"{seen.held.by.value} knows no step for this that could not make it worse"
    return "max_rounds = 0 in [net-recover]" if config.max_rounds == 0 else ""


def _pause_s(config: Config, problem: Problem) -> float:
    return config.round_pause.total_seconds() * problem.round


def _age_s(moment: Moment, now: Moment) -> float:
    """Return how old a moment is: of another boot, at least as old as this one, so that a clock set back stops nothing for ever."""
    return max(now.seconds_since(moment), now.uptime_s if moment.boot_id != now.boot_id else 0.0)


def _end_round(config: Config, problem: Problem, tells: list[Tell], now: Moment) -> Problem:
    pause = show_span(config.round_pause * problem.round)
    coming = f"the next begins in {pause}" if problem.round < config.max_rounds else "there is no further one"
    values = {"round": problem.round, "limit": config.max_rounds, "kind": problem.verdict.value, "next": coming}
    tells.append(Tell(events.ROUND, values))
    return dataclasses.replace(problem, round_ended=now)


def _give_up(config: Config, state: State, problem: Problem, tells: list[Tell], now: Moment) -> Plan:
    may_reboot = config.reboot and problem.verdict in REBOOTABLE
    if not problem.gave_up:
        values = {
            "kind": problem.verdict.value,
            "detail": state.detail,
            "rounds": problem.round,
            "lost_s": now.seconds_since(problem.began),
            "next": "a reboot is asked for" if may_reboot else "this needs a person",
        }
        tells.append(Tell(events.GAVE_UP, values))
        # A fault of another kind has rounds of its own, once: what was lost for want of a cable may then want an address.
        spent = (*problem.spent, problem.verdict)
        problem = dataclasses.replace(problem, gave_up=True, spent=spent, round=0, todo=())
    asked = problem.reboot_asked
    if not may_reboot or (asked is not None and _age_s(asked, now) < ASK_AGAIN_S):
        return _plan(state, problem, tells)
    if asked is None:
        tells.append(Tell(events.REBOOT_ASKED, {"kind": problem.verdict.value, "lost_s": now.seconds_since(problem.began)}))
    plan = _plan(state, dataclasses.replace(problem, reboot_asked=now), tells)
    return dataclasses.replace(plan, ask_reboot=True)


def _take_step(
    seen: Observation,
    config: Config,
    state: State,
    problem: Problem,
    steps: tuple[Step, ...],
    tells: list[Tell],
    now: Moment,
) -> Plan:
    begins_round = not problem.todo
    step = steps[0] if begins_round else problem.todo[0]
    recent = tuple(moment for moment in state.rounds if _age_s(moment, now) < HOUR_S)
    obstacle = _find_obstacle(seen, step)
    if begins_round and len(recent) >= config.max_rounds:
        obstacle = f"{config.max_rounds} rounds in the last hour (max_rounds)"
    if obstacle:
        if not problem.put_off:
            tells.append(Tell(events.PUT_OFF, {"step": step.value, "reason": obstacle, "kind": problem.verdict.value}))
        return _plan(state, dataclasses.replace(problem, put_off=obstacle), tells)
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
    state = dataclasses.replace(state, rounds=(*recent, now) if begins_round else recent)
    return dataclasses.replace(_plan(state, problem, tells), step=step)


def _find_obstacle(seen: Observation, step: Step) -> str:
    """Return why the interface must not be touched now: streams in the house go on without the internet, with a link."""
    has_link = seen.link is not None and seen.link.carrier
    serves = has_link and not (seen.addresses is not None and not seen.addresses.found)
    # A service has other interfaces too, over which somebody may watch.
    is_free = not serves and step is not Step.RESTART
    if not step.touches_interface or is_free or seen.watching is Watching.NOBODY:
        return ""
    return str(seen.watching.value)


def _plan(state: State, problem: Problem, tells: list[Tell]) -> Plan:
    if tells:
        problem = dataclasses.replace(problem, is_silent=False)
    return Plan(dataclasses.replace(state, problem=problem), tuple(tells))
