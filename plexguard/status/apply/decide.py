"""Which units must be restarted for a changed configuration to hold. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from plexguard.core.manager import Unit


def choose_restarts(
    changed: Iterable[str],
    running: Iterable[str],
    daemons: Iterable[Unit],
    *,
    changed_at: datetime,
    now: datetime,
    now_s: float,
) -> tuple[str, ...]:
    """Return the units to restart: timers whose times changed, sockets whose addresses did, services that run with older drop-ins,
    and daemons that read an older configuration or failed.

    A service behind a timer is left out: it reads everything at its next run, and an audit at work is not broken off.
    running: the changed services that stay running. now_s: the same moment as now, on the clock of Unit.started_s.
    """
    # A socket takes its service with it, which requires it.
    timers = (unit for unit in changed if unit.endswith((".timer", ".socket")))
    outdated = (unit.name for unit in daemons if _is_outdated(unit, changed_at, now, now_s))
    return tuple(dict.fromkeys((*timers, *running, *outdated)))


def choose_starts(daemons: Iterable[Unit], *, changed_at: datetime, now: datetime, now_s: float) -> tuple[str, ...]:
    """Return the daemons to start: those that failed, and those that ended by themselves, with success, since their configuration
    gave them nothing to do, and may have something to do by now. One that was stopped by an administrator stays off."""
    daemons = tuple(daemons)
    failed = (unit.name for unit in daemons if unit.active_state == "failed")
    return (*failed, *find_idle(daemons, changed_at=changed_at, now=now, now_s=now_s))


def find_idle(daemons: Iterable[Unit], *, changed_at: datetime, now: datetime, now_s: float) -> tuple[str, ...]:
    """Return the daemons that ended by themselves and have not read the configuration as it is: what was there when one started
    is what it has read."""
    return tuple(
        unit.name for unit in daemons if _had_nothing_to_do(unit) and now - timedelta(seconds=now_s - unit.started_s) <= changed_at
    )


def _had_nothing_to_do(unit: Unit) -> bool:
    ended = unit.active_state == "inactive" and unit.result == "success" and unit.ended_s > 0
    return ended and unit.file_state == "enabled" and not unit.was_told_to_stop


def _is_outdated(unit: Unit, changed_at: datetime, now: datetime, now_s: float) -> bool:
    if unit.active_state == "failed":
        return True
    return unit.runs and now - timedelta(seconds=now_s - unit.started_s) <= changed_at
