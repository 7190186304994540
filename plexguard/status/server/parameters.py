"""What may be asked for: the parameters of a query, checked. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from plexguard.core.events import Priority

RANGES = {"24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
MOST_EVENTS = 500
_USUAL_EVENTS = 100
_MOST_TEXT = 200
_SEVERITIES = {priority.severity: priority for priority in Priority}
# And what a person may write for them.
_LEVELS = {**_SEVERITIES, "crit": Priority.CRIT, "err": Priority.ERR}


class BadParameter(ValueError):
    """A parameter is unknown, given twice or of no use; the text says which and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page of events goes on: before this one."""

    at_us: int
    id: str

    def __str__(self) -> str:
        return f"{self.at_us}-{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Which events. names: globs, any of them; () all. min_priority: this one and what is graver."""

    since: datetime | None = None
    until: datetime | None = None
    names: tuple[str, ...] = ()
    min_priority: Priority = Priority.INFO
    limit: int = _USUAL_EVENTS
    before: Place | None = None


def parse_range(query: Mapping[str, Sequence[str]]) -> timedelta:
    given = _take(query, {"range"})
    word = given.get("range", "24h")
    if word not in RANGES:
        raise BadParameter(f"range: allowed are {', '.join(RANGES)}")
    return RANGES[word]


def parse_none(query: Mapping[str, Sequence[str]]) -> None:
    _take(query, set())


def parse_events(query: Mapping[str, Sequence[str]]) -> EventQuery:
    given = _take(query, {"since", "until", "name", "min_priority", "limit", "before"})
    return EventQuery(
        since=_parse_time("since", given.get("since")),
        until=_parse_time("until", given.get("until")),
        names=_parse_names(given.get("name", "")),
        min_priority=_parse_priority(given.get("min_priority", "info")),
        limit=_parse_limit(given.get("limit", str(_USUAL_EVENTS))),
        before=_parse_place(given.get("before")),
    )


def _take(query: Mapping[str, Sequence[str]], known: set[str]) -> dict[str, str]:
    """Return each parameter's one value. What a query may say is little, so that a mistyped name is not taken for "all"."""
    allowed = ", ".join(sorted(known)) or "none"
    for name, values in query.items():
        if name not in known:
            raise BadParameter(f"unknown parameter; allowed are: {allowed}")
        if len(values) != 1:
            raise BadParameter(f"{name}: given more than once")
        if len(values[0]) > _MOST_TEXT or not values[0].isprintable():
            raise BadParameter(f"{name}: too long, or not a text of one line")
    return {name: values[0] for name, values in query.items()}


def _parse_time(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        # A "+" that was not encoded arrives as a blank.
        at = datetime.fromisoformat(text.replace(" ", "+") if text.count(" ") == 1 and "T" in text else text)
        return (at.replace(tzinfo=UTC) if at.tzinfo is None else at).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadParameter(f'{name}: allowed is a time such as "2026-11-21T10:00:00Z"') from error


def _parse_names(text: str) -> tuple[str, ...]:
    names = tuple(name for name in text.split(",") if name)
    if any(not set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-*") for name in names) or len(names) > 20:
        raise BadParameter('name: allowed are names of events with "*", separated by commas, such as "plex.*"')
    return names


def _parse_priority(text: str) -> Priority:
    if text not in _LEVELS:
        raise BadParameter(f"min_priority: allowed are {', '.join(_SEVERITIES)}")
    return _LEVELS[text]


def _parse_limit(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 4 or not 1 <= int(text) <= MOST_EVENTS:
        raise BadParameter(f"limit: allowed is a whole number from 1 to {MOST_EVENTS}")
    return int(text)


def _parse_place(text: str | None) -> Place | None:
    if text is None:
        return None
    at_us, _, id_ = text.partition("-")
    if not (at_us.isascii() and at_us.isdigit() and len(at_us) <= 18 and len(id_) == 32 and set(id_) <= set("0123456789abcdef")):
        raise BadParameter('before: allowed is what an answer gave as "next"')
    return Place(at_us=int(at_us), id=id_)
