"""Carry out a plan, look again, and ask for the next one, until there is nothing to do before the next check."""

import dataclasses

from plexguard.core.clock import Clock, Moment
from plexguard.core.errors import IoFailed
from plexguard.core.host import CommandError, Host
from plexguard.core.manager import Manager
from plexguard.core.state import StateFile
from plexguard.net_recover import events
from plexguard.net_recover.config import Config
from plexguard.net_recover.decide import Plan, State, decide
from plexguard.net_recover.history import Teller
from plexguard.net_recover.ladder import make_patient
from plexguard.net_recover.observe import Eyes, Observation, observe, take_look
from plexguard.net_recover.steps import Patient, Step, make_commands

REBOOT_UNIT = "plexguard-reboot.service"
# One command of a step, with what follows it in a unit of its own.
_COMMAND_TIMEOUT_S = 180.0
_POLL_S = 1.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """All that acting needs."""

    eyes: Eyes
    teller: Teller
    state: StateFile[State]

    @property
    def host(self) -> Host:
        return self.eyes.host

    @property
    def manager(self) -> Manager:
        return self.eyes.manager

    @property
    def clock(self) -> Clock:
        return self.eyes.clock


def carry_out(seen: Observation, config: Config, past: State, began: Moment, hands: Hands, *, rebooted: bool) -> State:
    """Decide and act, one step after the other, until no step is left for now. Returns the last state. Raises IoFailed.

    A plan never repeats: each one is saved before its step, which is not taken otherwise, and a round has few.
    """
    failure = ""
    while True:
        now = hands.clock.moment()
        plan = decide(seen, config, past, began, now, failure=failure, rebooted=rebooted)
        try:
            hands.state.save(plan.state)
        except IoFailed as error:
            why = f"nothing can be counted: {error}"
            uncounted = decide(seen, config, past, began, now, failure=failure, rebooted=rebooted, uncounted=why)
            _keep_and_tell(uncounted, hands, is_news=rebooted or plan.is_news)
            return uncounted.state
        _tell(plan, hands)
        if plan.step is None:
            break
        failure = take_step(plan.step, make_patient(seen, plan.state.verdict), hands.host)
        seen = _look_until_back(config, plan.state, hands)
        past = plan.state
    return _ask_reboot(plan.state, hands) if plan.ask_reboot else plan.state


def _ask_reboot(state: State, hands: Hands) -> State:
    """Only queue it: that unit looks for itself, and this check must not wait for it. One that is masked is told once."""
    try:
        hands.manager.start(REBOOT_UNIT)
    except CommandError as error:
        problem = state.problem
        if problem is not None and REBOOT_UNIT not in problem.left_alone:
            hands.teller.tell(events.REBOOT_REFUSED, reason=str(error))
            state = dataclasses.replace(state, problem=dataclasses.replace(problem, left_alone=(*problem.left_alone, REBOOT_UNIT)))
            hands.state.save(state)
    return state


def _keep_and_tell(plan: Plan, hands: Hands, *, is_news: bool) -> None:
    """With a disk that takes nothing, no step is taken, and what is seen is told all the same, and once."""
    # A check that finds nothing new has lost nothing either.
    if is_news or hands.state.is_kept:
        try:
            hands.state.keep(plan.state)
        finally:
            _tell(plan, hands)


def _tell(plan: Plan, hands: Hands) -> None:
    for tell in plan.tells:
        hands.teller.tell(tell.event, **tell.values)


def take_step(step: Step, patient: Patient, host: Host) -> str:
    """Run the commands of a step, all of them; return what the first one that failed said. Only looking tells whether it helped."""
    failures: list[str] = []
    for command in make_commands(step, patient):
        try:
            host.run(command, timeout_s=_COMMAND_TIMEOUT_S)
        except CommandError as error:
            failures.append(str(error))
    return failures[0] if failures else ""


def _look_until_back(config: Config, state: State, hands: Hands) -> Observation:
    """Look until the network is back, or its time is up; then see what is missing."""
    deadline_s = hands.clock.monotonic_s() + config.step_timeout.total_seconds()
    while not take_look(hands.eyes, config).is_well and hands.clock.monotonic_s() < deadline_s:
        hands.clock.sleep(_POLL_S)
    return observe(hands.eyes, config, known=state.seen, looks=1)
