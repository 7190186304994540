"""From the events of one machine to incidents: what began, what ended it, and for how long it lasted. Pure.

An event that another one ends (`Event.ends`) is a time, from the first of its kind to the one that ends them all: "plex.down" and
"plex.gave-up" are one incident, which "plex.recovered" ends. One that nothing ends, and that is a warning or worse, is a moment.
What comes back soon after it was over flaps, and is one incident with a count.

A program that remembers only in memory that it told a problem (`Event.kept`) cannot tell its end once it, or the machine, has been
started anew: then the problem is over, unless it is told again.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from plexguard.core.clock import Moment
from plexguard.core.events import Event, Kept, Priority
from plexguard.core.told import Told

# Back within this time, it was never quite over.
FLAP = timedelta(minutes=10)
# A downtime that is told to be longer is no downtime but a clock that was set.
_MAX_DOWNTIME_S = 400 * 86_400.0
_MOST_TITLE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """An event, as far as incidents need it. moment: when, on the clock of its boot as well. unit: which told it. about: which
    thing of its kind. downtime_s: as a recovery tells it."""

    id: str
    moment: Moment
    name: str
    unit: str = ""
    about: str = ""
    title: str = ""
    message: str = ""
    downtime_s: float | None = None

    @property
    def at(self) -> datetime:
        return self.moment.wall


def occurrence_of(told: Told) -> Occurrence:
    downtime_s = told.values.get("downtime_s")
    return Occurrence(
        id=told.id,
        moment=told.moment,
        name=told.event.name,
        unit=told.unit,
        about=told.about,
        title=title_of(told),
        message=told.message,
        downtime_s=downtime_s if isinstance(downtime_s, float) else None,
    )


def title_of(told: Told) -> str:
    """Return the subject of an event with its values, in one line."""
    return " ".join(told.event.subject.format(**told.values).split())[:_MOST_TITLE]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """id: of its first event. name, severity: of the worst event in it. newest: the name of the event that told it last, whose
    message it has, by `unit` at `last`. ended: None while it goes on. downtime_s: of all its times together, without the pauses
    between them; None before the first is over, and where nothing was away. count: how often it began; again: when it did last."""

    id: str
    name: str
    severity: str
    began: datetime
    again: datetime
    last: Moment
    ended: datetime | None
    newest: str = ""
    unit: str = ""
    about: str = ""
    title: str = ""
    message: str = ""
    downtime_s: float | None = None
    count: int = 1

    @property
    def area(self) -> str:
        return self.name.partition(".")[0]

    @property
    def is_open(self) -> bool:
        return self.ended is None


@dataclass(frozen=True, slots=True)
class Rules:
    """What follows from the events that there are. ends: the problems that a recovery ends, by its name. family: of a problem, the
    recovery that ends it. moments: what nothing ends. priorities: of all. about: the events that say which thing they are about.
    kept: of a problem, for how long its program remembers it, where that is not always."""

    ends: dict[str, frozenset[str]]
    family: dict[str, str]
    moments: frozenset[str]
    priorities: dict[str, Priority]
    about: frozenset[str]
    kept: Mapping[str, Kept]

    @property
    def names(self) -> frozenset[str]:
        """All that matters for incidents."""
        return frozenset((*self.ends, *self.family, *self.moments))


def make_rules(events: Iterable[Event]) -> Rules:
    known = tuple(events)
    ends = {event.name: frozenset(event.ends) for event in known if event.ends}
    # A problem that several events end belongs to the first of them.
    family = {problem: recovery for recovery in reversed(ends) for problem in ends[recovery]}
    lasting = frozenset(family) | frozenset(ends)
    return Rules(
        ends=ends,
        family=family,
        moments=frozenset(event.name for event in known if event.priority <= Priority.WARNING and event.name not in lasting),
        priorities={event.name: event.priority for event in known},
        about=frozenset(event.name for event in known if event.about),
        kept={event.name: event.kept for event in known if event.kept is not Kept.ALWAYS},
    )


def find_incidents(occurrences: Iterable[Occurrence], rules: Rules) -> tuple[Incident, ...]:
    """Return the incidents that events tell of, in the order in which they began. occurrences: of one machine, whatever it was
    called when, oldest first."""
    # By family, and within it by what they are about: there may be thousands of them.
    latest: defaultdict[str, dict[str, Incident]] = defaultdict(dict)
    done: list[Incident] = []
    for seen in occurrences:
        if seen.name in rules.ends:
            _end_all(seen, latest, rules)
        if seen.name in rules.family or seen.name in rules.moments:
            things = latest[rules.family.get(seen.name, seen.name)]
            known = things.get(seen.about)
            if known is not None and _goes_on(known, seen.at):
                things[seen.about] = _join(known, seen, rules)
            else:
                done += [known] if known is not None else []
                things[seen.about] = _begin(seen, rules)
    newest = (incident for things in latest.values() for incident in things.values())
    return tuple(sorted((*done, *newest), key=lambda incident: (incident.began, incident.id)))


def _begin(seen: Occurrence, rules: Rules) -> Incident:
    return Incident(
        id=seen.id,
        name=seen.name,
        severity=rules.priorities[seen.name].severity,
        began=seen.at,
        again=seen.at,
        last=seen.moment,
        ended=seen.at if seen.name in rules.moments else None,
        newest=seen.name,
        unit=seen.unit,
        about=seen.about,
        title=seen.title,
        message=seen.message,
    )


def _goes_on(known: Incident, at: datetime) -> bool:
    return known.ended is None or at - known.ended <= FLAP


def _join(known: Incident, seen: Occurrence, rules: Rules) -> Incident:
    """Add to an incident that goes on, or begins again."""
    is_worse = rules.priorities[seen.name] < rules.priorities[known.name]
    # The same problem is told once; told again, or after it was over, it has begun again.
    is_again = known.ended is not None or seen.name == known.name
    return dataclasses.replace(
        known,
        name=seen.name if is_worse else known.name,
        severity=rules.priorities[seen.name].severity if is_worse else known.severity,
        last=seen.moment,
        newest=seen.name,
        unit=seen.unit,
        title=seen.title if is_worse or seen.name == known.name else known.title,
        again=seen.at if known.ended is not None else known.again,
        ended=max(seen.at, known.ended or seen.at) if seen.name in rules.moments else None,
        message=seen.message,
        count=known.count + is_again,
    )


def _end_all(recovery: Occurrence, latest: Mapping[str, dict[str, Incident]], rules: Rules) -> None:
    """End what a recovery ends: that of its own thing; all where it does not say which."""
    for family in {rules.family[name] for name in rules.ends[recovery.name]}:
        things = latest[family]
        for about in (recovery.about,) if recovery.name in rules.about else tuple(things):
            if about in things and things[about].is_open:
                things[about] = _end(things[about], recovery)


def _end(open_one: Incident, recovery: Occurrence) -> Incident:
    told_s = recovery.downtime_s
    is_told = told_s is not None and 0 <= told_s <= _MAX_DOWNTIME_S
    lasted_s = told_s if told_s is not None and is_told else max(0.0, (recovery.at - open_one.again).total_seconds())
    # A problem is told when it is certain; when it began is known at its end.
    began = min(open_one.began, recovery.at - timedelta(seconds=lasted_s)) if open_one.downtime_s is None else open_one.began
    return dataclasses.replace(
        open_one,
        began=began,
        ended=max(recovery.at, open_one.again),
        downtime_s=(open_one.downtime_s or 0.0) + lasted_s,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Since when a machine, and what runs on it, remembers. boot_id, began: of its boot. started_s: on CLOCK_MONOTONIC, the last
    start of each unit that was started."""

    boot_id: str
    began: datetime
    started_s: Mapping[str, float] = field(default_factory=dict)


def forget(incidents: Iterable[Incident], life: Life, rules: Rules) -> tuple[Incident, ...]:
    """Return incidents, those ended that nobody remembers any more."""
    return tuple(_forget(one, life, rules) if one.is_open else one for one in incidents)


def _forget(open_one: Incident, life: Life, rules: Rules) -> Incident:
    kept, last = rules.kept.get(open_one.name, Kept.ALWAYS), open_one.last
    if kept is Kept.ALWAYS or not last.boot_id:
        return open_one
    if last.boot_id != life.boot_id:
        return dataclasses.replace(open_one, ended=max(life.began, last.wall))
    later_s = life.started_s.get(open_one.unit, 0.0) - last.uptime_s
    if kept is Kept.RUN and later_s > 0:
        return dataclasses.replace(open_one, ended=last.wall + timedelta(seconds=later_s))
    return open_one


def pick_between(incidents: Iterable[Incident], since: datetime, until: datetime) -> tuple[Incident, ...]:
    """Return those that touch a time, the newest first."""
    touching = [i for i in incidents if i.began <= until and (i.ended is None or i.ended >= since)]
    return tuple(reversed(touching))
