"""A check in words: one line for `systemctl status`, and every level for a person who asks why."""

import os
from typing import TYPE_CHECKING

from plexguard.core.clock import Moment
from plexguard.core.events import Tell
from plexguard.core.found import FoundPlex
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.decide import Plan, State
from plexguard.plex_probe.ladder import AskRestart
from plexguard.plex_probe.look import Answer, Level, Look
from plexguard.plex_probe.observe import Observation
from plexguard.plex_probe.states import OUTAGES, Verdict

if TYPE_CHECKING:  # what a check does not need
    from plexguard.core.published import ProxySeen

_QUESTIONS = {
    Level.TCP: "a connection",
    Level.IDENTITY: "/identity, from memory",
    Level.TOKEN: "/status/sessions, with the token",
    Level.DATABASE: "/library/sections, from the database",
    Level.MEDIA: "a byte of a media file",
}
_WIDTH = 12
# Its breaker publishes every 30 s.
_DOOR_SILENT_S = 90.0


def describe(state: State) -> str:
    """Return the last check as one line."""
    took = [f"{name} {seconds * 1000:.0f} ms" for name, seconds in state.latencies.items() if name != Level.TCP.value]
    failed = [state.detail] if state.detail else []
    details = ", ".join([*took, *failed])
    return " ".join(["Plex", state.version]).strip() + f": {state.verdict.value}" + (f" ({details})" if details else "")


def explain_check(
    found: FoundPlex, seen: Observation, plan: Plan, config: Config, *, past: State, in_day: int, door: str = ""
) -> str:
    """Return the levels from the outside in, then what follows from them. past: the state before, in which nothing that would
    follow is counted. in_day: restarts in the last 24 hours. door: how the proxy is, "" for none."""
    state = plan.state
    rows = [("server", f"{found.name or 'Plex'} at {found.url}: {seen.server.state.value} ({seen.server.detail})")]
    rows += [("update", seen.server.update or "none at work")]
    rows += [("processes", seen.processes)] if seen.processes else []
    rows += [(level.value, _explain_level(level, seen.last, config)) for level in Level]
    rows += [("elsewhere", f"Plex answers at {seen.elsewhere}")] if seen.elsewhere else []
    rows += [("door", door)] if door else []
    rows += [("mounts", _explain_mounts(seen))]
    rows += [("viewers", "not told" if state.viewers is None else str(state.viewers))]
    rows += [("looks", f"{len(seen.looks)}: " + ", ".join(look.answer.value for look in seen.looks))]
    rows += [("restarts", _explain_budget(past if state.problem is not None else state, config, in_day))]
    rows += [("verdict", _explain_verdict(state))]
    rows += [("follows", text) for text in _explain_steps(plan, seen)]
    return "\n".join(f"{name:<{_WIDTH}}{text}" for name, text in rows)


def _explain_mounts(seen: Observation) -> str:
    if not seen.mounts:
        return "none of its libraries is on a guarded mount that is not proven"
    return "; ".join(f"{mount.mount_point} is not proven ({mount.why})" for mount in seen.mounts)


def describe_door(door: "ProxySeen | None", now: Moment) -> str:
    """Return how the front door of plexguard-proxy(8) is, "" where there is none."""
    if door is None or door.seen is None:
        return ""
    silent_s = now.seconds_since(door.seen)
    if silent_s > _DOOR_SILENT_S:
        return f"not known: its breaker has not looked for {silent_s:.0f} s"
    if door.opened is None:
        return "requests pass to Plex"
    return f"{door.phase} for {now.seconds_since(door.opened):.0f} s, callers are turned away: {door.text} ({door.trigger})"


def _explain_level(level: Level, look: Look, config: Config) -> str:
    question = _QUESTIONS[level]
    if level.value in look.latencies:
        return f"{look.latencies[level.value] * 1000:.0f} ms  {question}"
    if look.answer is Answer.LIMITED:
        return "not asked: no token is known" + ("" if os.geteuid() == 0 else ", which only root may read")
    if level is look.level and look.answer is not Answer.WELL:
        return f"failed: {look.detail}"
    if level is Level.MEDIA and not config.read_media:
        return "not asked (read_media = false)"
    return "not asked"


def _explain_budget(state: State, config: Config, in_day: int) -> str:
    if not config.restart:
        return "none are made (restart = false)"
    in_incident = state.problem.restarts if state.problem is not None else 0
    return f"{in_incident} of {config.max_restarts_per_incident} in this outage, {in_day} of {config.max_restarts_per_day} in 24 h"


def _explain_verdict(state: State) -> str:
    lasting = f", found {state.found_in_row} times in a row" if state.found_in_row > 1 else ""
    if state.found is not state.verdict:
        return f"{state.verdict.value}, not yet {state.found.value}{lasting}"
    return state.verdict.value + lasting


def _explain_steps(plan: Plan, seen: Observation) -> list[str]:
    told = [f"would tell {step.event.name}" for step in plan.steps if isinstance(step, Tell)]
    asked = ["would ask for a restart" for step in plan.steps if isinstance(step, AskRestart)]
    if told or asked:
        return [*told, *asked]
    problem = plan.state.problem
    if plan.state.verdict in (Verdict.HUNG, Verdict.DATABASE_BLOCKED) and seen.waits_for is not None:
        return [f"nothing: no restart brings back {seen.waits_for.mount_point}"]
    if plan.state.verdict in OUTAGES and problem is not None and problem.gave_up:
        return ["nothing: no more restarts are tried in this outage"]
    return ["nothing"] if plan.state.verdict is not Verdict.HEALTHY else ["nothing: all is well"]
