"""plexguard itself: its units and timers, what they told and is not over, its configuration, and its budgets. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from plexguard.core.clock import Moment
from plexguard.core.manager import Unit
from plexguard.core.published import RebootsSeen, RestartsSeen, SpeedSeen
from plexguard.status.incidents import Incident
from plexguard.status.observe import Observation
from plexguard.status.overview import BudgetView, ProblemView, State, Thing, TimerView
from plexguard.status.views.freshness import is_disabled
from plexguard.status.views.words import show_count, when_monotonic

_TARGET = "plexguard.target"
_HOUR_S, _DAY_S = 3_600.0, 86_400.0
# Code 1 is "found something", which the thing itself shows.
_FOUND = 1
# What they tell is in a state as well, or in the configuration itself, which is newer than any event.
_BY_STATE = frozenset({"plex", "proxy", "net", "speed", "config"})


def view_units(seen: Observation) -> tuple[Thing, tuple[ProblemView, ...]]:
    """Return how the units are: those that failed, and those that are on and do not run."""
    if seen.manager_why:
        summary = f"the service manager cannot be asked: {seen.manager_why}"
        return _thing("units", "Units", State.UNKNOWN, summary, "systemctl list-units 'plexguard*' --all"), ()
    failed = [unit for unit in seen.units.values() if unit.active_state == "failed" and not _has_found(unit)]
    idle = [unit for unit in seen.units.values() if _should_run(unit) and not unit.runs and unit.active_state != "failed"]
    off = [unit.name for unit in seen.units.values() if unit.preset == "enabled" and is_disabled(unit)]
    problems = (*(_tell_failed(seen, unit) for unit in failed), *(_tell_idle(unit) for unit in idle))
    state, summary = State.WELL, f"{sum(unit.runs for unit in seen.units.values())} active, none failed"
    command = "systemctl list-units 'plexguard*' --all"
    if _TARGET in (unit.name for unit in idle) or is_disabled(seen.units.get(_TARGET)):
        state, summary, command = State.PROBLEM, f"{_TARGET} is not active: nothing is guarded", f"systemctl enable --now {_TARGET}"
    elif failed:
        state, summary = State.PROBLEM, "failed: " + ", ".join(unit.name for unit in failed)
    elif idle:
        state, summary = State.WARNING, "stopped: " + ", ".join(unit.name for unit in idle)
    details = (("disabled", ", ".join(off)),) if off else ()
    return Thing(name="units", title="Units", state=state, summary=summary, details=details, command=command), problems


def _has_found(unit: Unit) -> bool:
    return unit.result == "exit-code" and unit.exit_code == _FOUND


def _should_run(unit: Unit) -> bool:
    """Tell whether a unit is on, and nothing but a person keeps it from running: what another one starts (static) runs only now
    and then, and a service that has nothing to do ends well by itself, or is not begun."""
    is_on = unit.file_state in ("enabled", "enabled-runtime") and unit.active_state != "activating"
    has_ended = unit.name.endswith(".service") and unit.started_s > 0 and not unit.was_told_to_stop
    return is_on and not (has_ended or unit.was_skipped)


def _tell_failed(seen: Observation, unit: Unit) -> ProblemView:
    since = when_monotonic(seen, unit.ended_s or unit.left_active_s)
    return ProblemView(text=f"{unit.name} has failed ({unit.result})", since=since, command=f"journalctl -x -e -u {unit.name}")


def _tell_idle(unit: Unit) -> ProblemView:
    return ProblemView(text=f"{unit.name} is enabled and does not run", command=f"systemctl start {unit.name}")


def view_timers(seen: Observation) -> tuple[TimerView, ...]:
    """Return the timers. One that makes up for missed runs calls it a run that it was started for the first time: what ran in this
    boot is asked of the service."""
    booted = seen.now.wall - timedelta(seconds=seen.now.uptime_s)
    return tuple(_view_timer(seen, name, booted) for name in sorted(seen.units) if name.endswith(".timer"))


def _view_timer(seen: Observation, name: str, booted: datetime) -> TimerView:
    timer, service = seen.timers.get(name), seen.units.get(name.removesuffix(".timer") + ".service")
    # What was started by hand ran too.
    last = when_monotonic(seen, service.started_s) if service is not None else None
    if last is None and timer is not None and timer.last is not None and timer.last < booted:
        last = timer.last
    result = ""
    if service is not None and service.started_s:
        result = "running" if service.active_state == "activating" else service.result
    return TimerView(unit=name, last=last, next=timer.next if timer is not None else None, result=result)


# -- what was told ----------------------------------------------------------------------------------------------------


def view_events(seen: Observation) -> tuple[Thing, tuple[ProblemView, ...]]:
    """Return what was told and is not over yet, beside what a state tells better."""
    told = seen.told
    command = "journalctl -x PLEXGUARD=1 -p warning -S -7d"
    if told.since is None:
        hint = "sudo plexguard-status, or have this user join group systemd-journal: usermod -aG systemd-journal USER"
        return _thing("events", "Events", State.UNKNOWN, told.why or "the journal was not read", hint), ()
    open_ones = [
        one for one in told.incidents if one.is_open and one.area not in _BY_STATE and one.severity not in ("notice", "info")
    ]
    day = seen.now.wall - timedelta(days=1)
    recent = sum(one.last.wall >= day for one in told.incidents)
    reach = "in 24 h" if told.since <= day else f"since {told.since:%Y-%m-%d %H:%M} UTC, where the journal begins"
    summary = f"{show_count(recent, 'incident')} {reach}" + (f"; {told.why}" if told.why else "")
    state = State.WARNING if told.why else State.WELL
    if open_ones:
        grave = any(one.severity in ("critical", "error") for one in open_ones)
        state, summary = State.PROBLEM if grave else State.WARNING, f"{len(open_ones)} not over, {summary}"
    return _thing("events", "Events", state, summary, command), tuple(map(tell_incident, open_ones))


def tell_incident(incident: Incident) -> ProblemView:
    times = f" ({incident.count} times)" if incident.count > 1 else ""
    command = f"journalctl -x PLEXGUARD_EVENT={incident.newest}"
    return ProblemView(text=f"{incident.message}{times}", since=incident.began, command=command)


def view_configuration(seen: Observation) -> tuple[Thing, tuple[ProblemView, ...]]:
    command = "plexguard-status check-config"
    if not seen.mistakes:
        return _thing("configuration", "Configuration", State.WELL, "no mistakes", command), ()
    problems = tuple(ProblemView(text=mistake, command=command) for mistake in seen.mistakes)
    summary = f"{show_count(len(seen.mistakes), 'mistake')}: {seen.mistakes[0]}"
    return _thing("configuration", "Configuration", State.PROBLEM, summary, command), problems


def _thing(name: str, title: str, state: State, summary: str, command: str) -> Thing:
    return Thing(name=name, title=title, state=state, summary=summary, command=command)


# -- budgets ----------------------------------------------------------------------------------------------------------


def view_budgets(seen: Observation) -> tuple[BudgetView, ...]:
    """Return the budgets whose record can be read."""
    return tuple(_find_budgets(seen))


def _find_budgets(seen: Observation) -> Iterator[BudgetView]:
    limits, probe, network = seen.limits, seen.probe.record, seen.network.record
    if not seen.restarts.why:
        used = _count(seen, (seen.restarts.record or RestartsSeen()).restarts, _DAY_S)
        yield _budget("restarts of Plex", used, limits.max_restarts_per_day if limits.restart else 0, "24 h")
    if probe is not None and probe.problem is not None:
        limit = limits.max_restarts_per_incident if limits.restart else 0
        yield _budget("restarts of Plex in this outage", probe.problem.restarts, limit, "outage")
    if network is not None:
        yield _budget("rounds of network steps", _count(seen, network.rounds, _HOUR_S), limits.max_rounds, "1 h")
    if not seen.reboots.why:
        reboots = tuple(reboot.at for reboot in (seen.reboots.record or RebootsSeen()).reboots)
        yield _budget("reboots", _count(seen, reboots, _DAY_S), limits.max_reboots_per_day if limits.reboot else 0, "24 h")
    if not seen.speed.why:
        today = seen.now.wall.astimezone(limits.speed_zone).date().isoformat()
        day = (seen.speed.record or SpeedSeen()).days.get(today)
        yield _budget("speed tests", day.attempts if day is not None else 0, limits.max_speed_tests_per_day, "day")


def _count(seen: Observation, moments: tuple[Moment, ...], within_s: float) -> int:
    return sum(seen.now.seconds_since(moment) < within_s for moment in moments)


def _budget(name: str, used: int, limit: int, period: str) -> BudgetView:
    return BudgetView(name=name, used=used, limit=limit, period=period, left=max(0, limit - used))
