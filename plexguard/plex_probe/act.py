"""Carry out the probe's plan: save, tell, ask. It restarts nothing itself."""

import contextlib
from pathlib import Path

from plexguard.core.errors import IoFailed
from plexguard.core.journal import Journal
from plexguard.core.manager import Manager
from plexguard.core.responses import Response, append_response
from plexguard.core.state import StateFile
from plexguard.core.viewers import Paused
from plexguard.plex_probe import events
from plexguard.plex_probe.decide import Plan, State
from plexguard.plex_probe.ladder import AskRestart, Tell
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


def carry_out(plan: Plan, *, state: StateFile[State], journal: Journal, manager: Manager) -> None:
    """Save the state first: a restart that was not counted must not be asked for. Raises IoFailed and CommandError.

    With a disk that takes nothing, what was seen is told all the same.
    """
    try:
        state.save(plan.state)
    except IoFailed:
        for step in plan.steps:
            if isinstance(step, Tell) and step.event is not events.RESTART_ASKED:
                journal.send(step.event, **step.values)
        raise
    for step in plan.steps:
        match step:
            case Tell(event, values):
                journal.send(event, **values)
            case AskRestart():
                # Only queued: the root unit has its own deadline, and this check must not wait for it.
                manager.start(RESTART_UNIT)
