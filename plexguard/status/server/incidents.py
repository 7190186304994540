"""From events to incidents: what began, what ended it, and for how long it lasted. Pure.

An event that another one ends (`Event.ends`) is a time, from the first of its kind to the one that ends them all: "plex.down" and
"plex.gave-up" are one incident, which "plex.recovered" ends. One that nothing ends, and that is a warning or worse, is a moment.
What comes back soon after it was over flaps, and is one incident with a count.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from plexguard.core.events import Event, Priority

# Back within this time, it was never quite over.
FLAP = timedelta(minutes=10)
# A downtime that is told to be longer is no downtime but a clock that was set.
_MAX_DOWNTIME_S = 400 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """An event, as far as incidents need it. about: which thing of its kind. downtime_s: as a recovery tells it."""

    id: str
    at: datetime
    name: str
    host: str = ""
    about: str = ""
    title: str = ""
    message: str = ""
    downtime_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """id: of its first event. name: of the worst event in it. ended: None while it goes on. downtime_s: of all its times together,
    without the pauses between them; None before the first is over, and where nothing was away. count: how often it began;
    again: when it did last."""

    id: str
    name: str
    began: datetime
    again: datetime
    ended: datetime | None
    host: str = ""
    about: str = ""
    title: str = ""
    message: str = ""
    downtime_s: float | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Rules:
    """What follows from the events that there are. ends: the problems that a recovery ends, by its name. family: of a problem, the
    recovery that ends it. moments: what nothing ends. priorities: of all. about: the events that say which thing they are about."""

    ends: dict[str, frozenset[str]]
    family: dict[str, str]
    moments: frozenset[str]
    priorities: dict[str, Priority]
    about: frozenset[str]

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
    )


_Key = tuple[str, str, str]


def find_incidents(occurrences: Sequence[Occurrence], rules: Rules) -> tuple[Incident, ...]:
    """Return the incidents that events tell of, in the order in which they began. occurrences: oldest first."""
    latest: dict[_Key, Incident] = {}
    done: list[Incident] = []
    for seen in occurrences:
        if seen.name in rules.ends:
            for key in _find_ended(seen, latest, rules):
                latest[key] = _end(latest[key], seen)
        if seen.name in rules.family or seen.name in rules.moments:
            key = (rules.family.get(seen.name, seen.name), seen.host, seen.about)
            known = latest.get(key)
            if known is not None and _goes_on(known, seen.at):
                latest[key] = _join(known, seen, rules)
            else:
                done += [known] if known is not None else []
                latest[key] = _begin(seen, rules)
    return tuple(sorted((*done, *latest.values()), key=lambda incident: (incident.began, incident.id)))


def _begin(seen: Occurrence, rules: Rules) -> Incident:
    return Incident(
        id=seen.id,
        name=seen.name,
        began=seen.at,
        again=seen.at,
        ended=seen.at if seen.name in rules.moments else None,
        host=seen.host,
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
        title=seen.title if is_worse or seen.name == known.name else known.title,
        again=seen.at if known.ended is not None else known.again,
        ended=max(seen.at, known.ended or seen.at) if seen.name in rules.moments else None,
        message=seen.message,
        count=known.count + is_again,
    )


def _find_ended(recovery: Occurrence, latest: dict[_Key, Incident], rules: Rules) -> list[_Key]:
    """Return what a recovery ends: of its own thing; of all where it does not say which."""
    families = {rules.family[name] for name in rules.ends[recovery.name]}
    says_which = recovery.name in rules.about
    return [
        key
        for key, incident in latest.items()
        if key[0] in families
        and key[1] == recovery.host
        and (not says_which or key[2] == recovery.about)
        and incident.ended is None
    ]


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


def pick_between(incidents: Iterable[Incident], since: datetime, until: datetime) -> tuple[Incident, ...]:
    """Return those that touch a time, the newest first."""
    touching = [i for i in incidents if i.began <= until and (i.ended is None or i.ended >= since)]
    return tuple(reversed(touching))
