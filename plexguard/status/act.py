"""Make a changed configuration hold."""

from pathlib import Path

from plexguard.core.manager import Manager
from plexguard.core.suite import PROGRAMS
from plexguard.status.decide import choose_restarts, find_changed_units
from plexguard.status.observe import GENERATED, read_drop_ins

_RESTART_TIMEOUT_S = 60.0
_DISCOVER = "plexguard-discover.service"


def apply(manager: Manager, *, folder: Path = GENERATED) -> tuple[str, ...]:
    """Find Plex anew, read all units again, restart what changed; return what was changed or restarted, a line each."""
    before = read_drop_ins(folder)
    manager.reload()
    manager.start(_DISCOVER, timeout_s=_RESTART_TIMEOUT_S)
    changed = find_changed_units(before, read_drop_ins(folder))
    restarts = choose_restarts(changed, PROGRAMS)
    for unit in restarts:
        manager.try_restart(unit, timeout_s=_RESTART_TIMEOUT_S)
    changes = [f"{unit}: changed" for unit in changed if unit not in restarts]
    return (*changes, *(f"{unit}: restarted if it runs" for unit in restarts))
