"""Make a changed configuration hold."""

from pathlib import Path

from plexguard.core.clock import Clock
from plexguard.core.drop_ins import GENERATED, find_changed_units, find_running_services, read_drop_ins
from plexguard.core.found import DISCOVER
from plexguard.core.manager import Manager
from plexguard.core.suite import daemon_units
from plexguard.status.apply.decide import choose_restarts, choose_starts, find_idle
from plexguard.status.apply.observe import find_last_change

_RESTART_TIMEOUT_S = 60.0


def apply(manager: Manager, clock: Clock, *, config_path: Path, folder: Path = GENERATED) -> tuple[str, ...]:
    """Find Plex anew, read all units again, restart what changed; return what was changed or restarted, a line each."""
    before = read_drop_ins(folder)
    daemons = [manager.unit(name) for name in daemon_units()]
    changed_at = find_last_change(config_path)
    starts = choose_starts(daemons, changed_at=changed_at, now=clock.now(), now_s=clock.monotonic_s())
    # What failed over a mistake that has just been mended is no failure any more.
    manager.reset_failed("plexguard-*")
    manager.reload()
    manager.start(DISCOVER, timeout_s=_RESTART_TIMEOUT_S)
    changed = find_changed_units(before, read_drop_ins(folder))
    running = find_running_services(changed, manager)
    restarts = choose_restarts(changed, running, daemons, changed_at=changed_at, now=clock.now(), now_s=clock.monotonic_s())
    begun = tuple(unit for unit in starts if unit not in restarts)
    for unit in (*restarts, *begun):
        # One that failed, most often over the mistake that has just been mended, does not run.
        if unit in starts:
            manager.start(unit, timeout_s=_RESTART_TIMEOUT_S)
        else:
            manager.try_restart(unit, timeout_s=_RESTART_TIMEOUT_S)
    # One that was about to end for want of anything to do, when it was looked at first.
    ended = [manager.unit(name) for name in daemon_units() if name not in begun]
    late = find_idle(ended, changed_at=changed_at, now=clock.now(), now_s=clock.monotonic_s())
    for unit in late:
        manager.start(unit, timeout_s=_RESTART_TIMEOUT_S)
    begun = (*begun, *late)
    told = (*(f"{unit}: restarted" for unit in restarts if unit not in late), *(f"{unit}: started" for unit in begun))
    return (*(f"{unit}: changed" for unit in changed if unit not in (*restarts, *begun)), *told)
