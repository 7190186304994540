"""The ladder of restarts in one problem: whether to ask for one, what became of it, and when to give up. Pure."""

import dataclasses
from dataclasses import dataclass

from plexguard.core.clock import Moment
from plexguard.core.events import Tell
from plexguard.core.published import PlexProblemSeen
from plexguard.plex_probe import events
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.observe import RESTART_UNIT, Observation
from plexguard.plex_probe.server import ServerState
from plexguard.plex_probe.states import OUTAGES, Verdict


@dataclass(frozen=True, slots=True)
class AskRestart:
    """Start the root unit that restarts Plex."""


Step = Tell | AskRestart
# The root side counts the restarts of an hour, and of a day: what it refused for good may be right when that is over.
ASK_AGAIN_S = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem(PlexProblemSeen):
    """A time during which Plex was not healthy. told: the states that were told in it. start_asked: its start after an update was
    asked for. ask_is_open: what became of the last ask has not been seen yet. was_put_off: it was refused for a reason that passes;
    was_refused: for good, and asking again within the hour would not help."""

    verdict: Verdict
    told: tuple[Verdict, ...] = ()
    last_ask: Moment | None = None
    start_asked: bool = False
    ask_is_open: bool = False
    was_put_off: bool = False
    was_refused: bool = False


def consider_restart(
    seen: Observation, problem: Problem, stuck_since: Moment | None, config: Config, now: Moment, *, uncounted: str = ""
) -> tuple[Problem, tuple[Step, ...]]:
    """Ask for a restart if this is an outage that one may cure, within the budget of the incident; else say once that
    it is left to a person, and why. uncounted: why an ask cannot be counted on disk, "" when it can."""
    is_stuck = stuck_since is not None and now.seconds_since(stuck_since) >= config.blocked_limit.total_seconds()
    if problem.verdict not in OUTAGES and not (is_stuck and seen.viewers == 0):
        return problem, ()
    if seen.server.state in (ServerState.STOPPED, ServerState.RESTARTING):
        return problem, ()
    if seen.server.update:
        return problem, ()
    if problem.verdict is not Verdict.DOWN and seen.waits_for is not None:
        # Told with the problem. When the mount is proven again and Plex still hangs, it is restarted then.
        return problem, ()
    problem = _settle_ask(seen, problem)
    if problem.last_ask is not None and now.seconds_since(problem.last_ask) < config.start_grace.total_seconds():
        return problem, ()
    barrier = _find_barrier(seen, problem, config, now) or uncounted
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
    # What is asked again because its hour is over stays given up until the answer is another.
    gave_up = problem.gave_up and problem.was_refused
    asked = dataclasses.replace(problem, last_ask=now, ask_is_open=True, gave_up=gave_up)
    if _is_owed_start(seen, problem):
        # The end of an update, and no restart: it costs nothing of the budget.
        return dataclasses.replace(asked, start_asked=True), (
            Tell(events.LEFT_STOPPED, {"server": seen.server.detail}),
            AskRestart(),
        )
    asked = dataclasses.replace(asked, restarts=problem.restarts + 1)
    values = {"number": asked.restarts, "limit": config.max_restarts_per_incident, "problem": problem.verdict.value}
    # The same again, each minute or hour for as long as the reason lasts, is no news.
    told = () if problem.was_put_off or problem.was_refused else (Tell(events.RESTART_ASKED, values),)
    return asked, (*told, AskRestart())


def _find_barrier(seen: Observation, problem: Problem, config: Config, now: Moment) -> str:
    """Return why no restart is asked for, or "" when one is."""
    state = seen.server.state
    if not config.restart:
        return "restart = false in [plex-probe]"
    if seen.restart_is_masked:
        return f"{RESTART_UNIT} is masked"
    if state not in (ServerState.RUNNING, ServerState.DOWN, ServerState.LEFT_STOPPED):
        return f"it is {state.value}"
    if problem.was_refused and problem.last_ask is not None and now.seconds_since(problem.last_ask) < ASK_AGAIN_S:
        return f"{RESTART_UNIT} refused, and told why"
    if problem.restarts >= config.max_restarts_per_incident and not _is_owed_start(seen, problem):
        return "restarting did not help" if problem.restarts else "max_restarts_per_incident = 0"
    return ""


def _is_owed_start(seen: Observation, problem: Problem) -> bool:
    """Tell whether an update left Plex stopped. One start is owed to it; where that changed nothing, more are restarts."""
    return seen.server.state is ServerState.LEFT_STOPPED and not problem.start_asked


def _settle_ask(seen: Observation, problem: Problem) -> Problem:
    """Take back from the count an ask that was refused: it was no restart."""
    if not problem.ask_is_open:
        return problem
    refused = seen.ask_was_put_off or seen.ask_was_refused
    restarts = max(0, problem.restarts - refused)
    return dataclasses.replace(
        problem,
        restarts=restarts,
        was_put_off=seen.ask_was_put_off,
        was_refused=seen.ask_was_refused,
        ask_is_open=False,
        gave_up=problem.gave_up and seen.ask_was_refused,
    )
