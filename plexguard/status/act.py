"""Make a changed configuration hold."""

from pathlib import Path

from plexguard.core.found import DISCOVER
from plexguard.core.manager import Manager
from plexguard.core.suite import PROGRAMS
from plexguard.status.decide import choose_restarts, find_changed_units
from plexguard.status.observe import GENERATED, read_drop_ins

_RESTART_TIMEOUT_S = 60.0


def apply(manager: Manager, *, folder: Path = GENERATED) -> tuple[str, ...]:
    """Find Plex anew, read all units again, restart what changed; return what was changed or restarted, a line each."""
    before = read_drop_ins(folder)
    manager.reload()
    manager.start(DISCOVER, timeout_s=_RESTART_TIMEOUT_S)
    changed = find_changed_units(before, read_drop_ins(folder))
    restarts = choose_restarts(changed, PROGRAMS)
    for unit in restarts:
        _restart(manager, unit)
    changes = [f"{unit}: changed" for unit in changed if unit not in restarts]
    return (*changes, *(f"{unit}: restarted if it runs" for unit in restarts))


def _restart(manager: Manager, unit: str) -> None:
    """Restart a unit that runs; start one that failed, most often over the mistake that has just been mended."""
    if manager.unit(unit).active_state == "failed":
        manager.reset_failed(unit)
        manager.start(unit, timeout_s=_RESTART_TIMEOUT_S)
    else:
        manager.try_restart(unit, timeout_s=_RESTART_TIMEOUT_S)
