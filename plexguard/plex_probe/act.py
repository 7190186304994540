"""Carry out the probe's plan: save, tell, ask. It restarts nothing itself."""

import contextlib
from collections.abc import Callable
from pathlib import Path

from plexguard.core.errors import IoFailed
from plexguard.core.events import Tell
from plexguard.core.journal import Journal
from plexguard.core.manager import Manager
from plexguard.core.responses import Response, append_response
from plexguard.core.state import StateFile
from plexguard.core.viewers import Paused
from plexguard.plex_probe.decide import Plan, State
from plexguard.plex_probe.ladder import AskRestart
from plexguard.plex_probe.observe import RESTART_UNIT


def save_paused(file: StateFile[Paused], before: Paused, after: Paused) -> None:
    """Write down which players are paused, while there are any. With a disk that takes nothing it is not known, no more."""
    if after.since or before.since:
        with contextlib.suppress(IoFailed):
            file.save(after)


def note_response(state: State, file: Path) -> None:
    """Add the check to the curve of response times. With a disk that takes nothing a point of it is missing, no more."""
    if state.checked is None:
        return
    at = int(state.checked.wall.timestamp())
    with contextlib.suppress(OSError):
        append_response(Response(at=at, verdict=state.verdict.value, failed=state.level, latencies=state.latencies), file)


def carry_out(plan: Plan, *, replan: Callable[[str], Plan], state: StateFile[State], journal: Journal, manager: Manager) -> Plan:
    """Save the state first: a restart that was not counted must not be asked for. Return the plan that was carried out. Raises
    IoFailed and CommandError.

    replan: returns what to do when nothing can be counted, and why that is. With a disk that takes nothing, what is seen is told
    all the same, and once.
    """
    try:
        state.save(plan.state)
    except IoFailed as error:
        plan = replan(f"no restart can be counted: {error}")
        try:
            state.keep(plan.state)
        finally:
            _take_steps(plan, journal, manager)
    else:
        _take_steps(plan, journal, manager)
    return plan


def _take_steps(plan: Plan, journal: Journal, manager: Manager) -> None:
    for step in plan.steps:
        match step:
            case Tell(event, values):
                journal.send(event, **values)
            case AskRestart():
                # Only queued: the root unit has its own deadline, and this check must not wait for it.
                manager.start(RESTART_UNIT)
