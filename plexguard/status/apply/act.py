"""Make a changed configuration hold."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.clock import Clock
from plexguard.core.drop_ins import GENERATED, find_changed_units, find_running_services, read_drop_ins
from plexguard.core.found import DISCOVER
from plexguard.core.host import CommandFailed
from plexguard.core.journal import Journal
from plexguard.core.manager import Manager
from plexguard.core.suite import daemon_units, reloading_units
from plexguard.status.apply.decide import choose_restarts, choose_starts, find_idle
from plexguard.status.apply.mounts import apply_mounts
from plexguard.status.apply.observe import find_last_change
from plexguard.status.apply.timers import apply_timers

_RESTART_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """lines: what was changed or restarted, a line each. refused: units that go on with the configuration of before."""

    lines: tuple[str, ...]
    refused: tuple[str, ...] = ()


def apply(manager: Manager, clock: Clock, journal: Journal, *, config_path: Path, folder: Path = GENERATED) -> Applied:
    """Find Plex anew, read all units again, restart what changed."""
    before = read_drop_ins(folder)
    daemons = [manager.unit(name) for name in daemon_units()]
    changed_at = find_last_change(config_path)
    starts = choose_starts(daemons, changed_at=changed_at, now=clock.now(), now_s=clock.monotonic_s())
    # What failed over a mistake that has just been mended is no failure any more.
    manager.reset_failed("plexguard-*")
    manager.reload()
    manager.start(DISCOVER, timeout_s=_RESTART_TIMEOUT_S)
    after = read_drop_ins(folder)
    changed = find_changed_units(before, after)
    running = find_running_services(changed, manager)
    restarts = choose_restarts(changed, running, daemons, changed_at=changed_at, now=clock.now(), now_s=clock.monotonic_s())
    # Others, when they start, have Plex found anew, and who is ordered after that would wait for it.
    restarts = tuple(sorted(restarts, key=lambda unit: unit not in reloading_units()))
    begun = tuple(unit for unit in starts if unit not in restarts)
    refused = []
    for unit in (*restarts, *begun):
        # One that failed, most often over the mistake that has just been mended, does not run.
        if unit in starts:
            manager.start(unit, timeout_s=_RESTART_TIMEOUT_S)
        elif unit in reloading_units():
            try:
                manager.try_reload(unit, timeout_s=_RESTART_TIMEOUT_S)
            except CommandFailed:
                # It has told why, and the others are not kept from theirs.
                refused.append(unit)
        else:
            manager.try_restart(unit, timeout_s=_RESTART_TIMEOUT_S)
    # One that was about to end for want of anything to do, when it was looked at first.
    ended = [manager.unit(name) for name in daemon_units() if name not in begun]
    late = find_idle(ended, changed_at=changed_at, now=clock.now(), now_s=clock.monotonic_s())
    for unit in late:
        manager.start(unit, timeout_s=_RESTART_TIMEOUT_S)
    begun = (*begun, *late)
    mounts = apply_mounts(manager, clock, journal, config_path=config_path, changed_at=changed_at)
    timers = apply_timers(before, after, manager)
    told = (
        *(f"{unit}: {_name_change(unit, refused)}" for unit in restarts if unit not in late),
        *(f"{unit}: started" for unit in begun),
    )
    lines = (*(f"{unit}: changed" for unit in changed if unit not in (*restarts, *begun)), *told, *mounts, *timers)
    return Applied(lines=lines, refused=tuple(refused))


def _name_change(unit: str, refused: Collection[str]) -> str:
    if unit in refused:
        return f"goes on as it was, see journalctl -u {unit}"
    return "reloaded" if unit in reloading_units() else "restarted"
