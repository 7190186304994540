"""From single events to incidents: what began, how often it was told, and when it was over. Pure.

Which recovery ends which problem stands in the events themselves (`Event.ends`, `Event.about`). A problem that no event ends is a
moment; told again soon after, it is still the same one.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from plexguard.core.events import Event, Priority, template_fields
from plexguard.core.suite import events
from plexguard.core.told import Told

# A problem without an end that is told again within this time is the same one.
_SAME_WITHIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that went wrong. id: of its first event. area: what is before the dot of its name. about: which thing, "" where
    there is only one. ended: None while it goes on. last: when it was told last. count: how often."""

    id: str
    name: str
    area: str
    about: str
    title: str
    severity: str
    began: datetime
    ended: datetime | None
    last: datetime
    downtime_s: float | None
    count: int
    message: str
    host: str
    event: Event

    @property
    def is_open(self) -> bool:
        return self.ended is None


def title_of(told: Told) -> str:
    """Return the subject of an event, with its values; its line, where one of them is missing."""
    known = template_fields(told.event.subject) <= told.values.keys()
    return told.event.subject.format(**told.values) if known else told.message


def fold(told: Iterable[Told]) -> tuple[Incident, ...]:
    """Return the incidents, oldest first, of events that are given oldest first: of one host, or of several."""
    folding = _Folding()
    for one in told:
        folding.take(one)
    return tuple(sorted(folding.incidents.values(), key=lambda incident: incident.began))


class _Folding:
    def __init__(self) -> None:
        self._endable = {name for event in events() for name in event.ends}
        self.incidents: dict[str, Incident] = {}
        # The newest of each thing, by host, event and thing.
        self._newest: dict[tuple[str, str, str], str] = {}

    def take(self, told: Told) -> None:
        if told.event.ends:
            self._end(told)
        if told.event.name in self._endable or told.event.priority <= Priority.WARNING:
            self._begin(told)

    def _begin(self, told: Told) -> None:
        key = (told.host, told.event.name, told.about)
        can_end = told.event.name in self._endable
        before = self.incidents.get(self._newest.get(key, ""))
        if before is not None and (before.is_open if can_end else told.at - before.last < _SAME_WITHIN):
            ended = None if can_end else told.at
            again = dataclasses.replace(before, count=before.count + 1, last=told.at, ended=ended, message=told.message)
            self.incidents[before.id] = again
            return
        self._newest[key] = told.id
        self.incidents[told.id] = Incident(
            id=told.id,
            name=told.event.name,
            area=told.event.name.partition(".")[0],
            about=told.about,
            title=title_of(told),
            severity=told.event.priority.severity,
            began=told.at,
            ended=None if can_end else told.at,
            last=told.at,
            downtime_s=None,
            count=1,
            message=told.message,
            host=told.host,
            event=told.event,
        )

    def _end(self, told: Told) -> None:
        for (host, name, about), newest in self._newest.items():
            before = self.incidents[newest]
            is_same = host == told.host and name in told.event.ends and about in (told.about, "" if told.about else about)
            if is_same and before.is_open:
                downtime = told.values.get("downtime_s")
                self.incidents[newest] = dataclasses.replace(
                    before, ended=told.at, downtime_s=downtime if isinstance(downtime, float) else None
                )
