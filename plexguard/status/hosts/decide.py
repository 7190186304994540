"""How each host is, from what it has told. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from plexguard.core.suite import events
from plexguard.core.told import Told
from plexguard.status.hosts.observe import Journals
from plexguard.status.incidents import Incident, Life, Rules, find_incidents, forget, make_rules, occurrence_of
from plexguard.status.overview import ProblemView, State
from plexguard.status.views.machinery import tell_incident
from plexguard.status.views.words import show_count

# A host on which something is guarded writes to its journal every few minutes.
_SILENT = timedelta(hours=1)
_DAY = timedelta(days=1)
_GRAVE = ("critical", "error", "warning")


@dataclass(frozen=True, slots=True, kw_only=True)
class LastEvent:
    """What was told last in an area of events."""

    area: str
    name: str
    at: datetime
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostView:
    """A host. heard: its last journal entry of any kind. last_event: its last event in the days that are read. problems:
    that are not over. incidents: how many there were in 24 h."""

    host: str
    state: State
    summary: str
    heard: datetime | None = None
    last_event: datetime | None = None
    problems: tuple[ProblemView, ...] = ()
    incidents: int = 0
    areas: tuple[LastEvent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HostsView:
    """All of them. is_complete: every event of the last days was read. broken: files that cannot be read, whosever they were."""

    at: datetime
    healthy: bool
    hosts: tuple[HostView, ...] = ()
    is_complete: bool = True
    broken: tuple[str, ...] = ()


def decide(seen: Journals, now: datetime) -> HostsView:
    names = sorted(seen.heard.keys() | seen.told.keys())
    rules = make_rules(events())
    hosts = tuple(_view_host(name, seen.told.get(name, ()), seen.heard.get(name), now, rules) for name in names)
    is_whole = seen.is_complete and not seen.broken
    healthy = bool(hosts) and is_whole and all(host.state is State.WELL for host in hosts)
    return HostsView(at=now, healthy=healthy, hosts=hosts, is_complete=seen.is_complete, broken=seen.broken)


def _view_host(name: str, told: tuple[Told, ...], heard: datetime | None, now: datetime, rules: Rules) -> HostView:
    # A journal is all there is of another machine: what it has told and not taken back holds.
    incidents = find_incidents(map(occurrence_of, told), rules)
    if told:
        incidents = forget(incidents, _find_life(told), rules)
    open_ones = [incident for incident in incidents if incident.is_open and incident.severity in _GRAVE]
    recent = [incident for incident in incidents if incident.last.wall >= now - _DAY]
    state, summary = _judge(open_ones, heard, now)
    return HostView(
        host=name,
        state=state,
        summary=summary,
        heard=heard,
        last_event=told[-1].at if told else None,
        problems=tuple(map(tell_incident, open_ones)),
        incidents=len(recent),
        areas=_find_areas(told),
    )


def _find_life(told: tuple[Told, ...]) -> Life:
    """Return the life in which a machine told something last."""
    boot_id = told[-1].moment.boot_id
    return Life(boot_id=boot_id, began=next(one.at for one in told if one.moment.boot_id == boot_id))


def _judge(open_ones: list[Incident], heard: datetime | None, now: datetime) -> tuple[State, str]:
    is_silent = heard is None or now - heard > _SILENT
    if open_ones:
        return State.PROBLEM, f"{show_count(len(open_ones), 'problem')} not over" + (", and silent since" if is_silent else "")
    if heard is None or is_silent:
        return State.UNKNOWN, "nothing has been heard of it for a while"
    if heard - now > _SILENT:
        return State.UNKNOWN, "its clock is ahead: when it was heard of last is not known"
    return State.WELL, "nothing is open"


def _find_areas(told: tuple[Told, ...]) -> tuple[LastEvent, ...]:
    last = {one.event.name.partition(".")[0]: one for one in told}
    return tuple(LastEvent(area=area, name=one.event.name, at=one.at, message=one.message) for area, one in sorted(last.items()))
