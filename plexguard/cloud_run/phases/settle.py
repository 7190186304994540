"""How a run has ended that could not say so itself: one of its processes was killed, or it was stopped."""

from plexguard.cloud_run import events
from plexguard.cloud_run.life.chain import PHASES, phase_unit
from plexguard.cloud_run.life.state import FAILED, STOPPED
from plexguard.cloud_run.phases.work import Work
from plexguard.core.errors import PlexguardError
from plexguard.core.manager import Manager, Unit


def settle(run: Work) -> PlexguardError | None:
    """Note and tell how a run has ended, if nobody has. Called by whatever is released first. Return why that could not be done: a
    disk that is full keeps nothing from being given back."""
    try:
        _settle(run)
    except PlexguardError as error:
        return error
    return None


def _settle(run: Work) -> None:
    state = run.book.peek()
    if state is None or state.ended is not None or run.is_shut_down:
        return
    phase, unit = _find_last(run.name, state.phase, run.ports.manager)
    if unit.result == "success":
        run.book.close(STOPPED)
        run.ports.journal.send(events.RUN_STOPPED, run=run.name, phase=phase)
        return
    reason = f"the service manager ended it: {unit.result}"
    run.book.close(FAILED, failure=f"{phase}: {reason}")
    run.ports.journal.send(events.RUN_FAILED, run=run.name, phase=phase, reason=reason, hint=f"journalctl -x -e -u {unit.name}")


def _find_last(run: str, begun: str, manager: Manager) -> tuple[str, Unit]:
    """Return the phase that was started last: the one that has said so, or the next, whose process never came to that."""
    unit = manager.unit(phase_unit(begun, run))
    for phase in PHASES[PHASES.index(begun) + 1 :][:1]:
        # What is left of an earlier run was started before.
        following = manager.unit(phase_unit(phase, run))
        if following.started_s > unit.started_s:
            return phase, following
    return begun, unit
