"""One event as the spool keeps it: all that a message needs, on one line. Pure."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from plexguard.core.events import FIELD_PREFIX, QUOTED, Event, FilePath, Priority, quote_for_shell, show_path
from plexguard.core.told import Told
from plexguard.notify.message import Message

# Of one text in an event; 100,000 events of a common size are to fit into the spool.
_MAX_TEXT = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """n: counts the events, without a gap unless some were dropped. cursor: its place in the journal. fields: as texts.
    about, ends: of core/told.py and core/events.py. downtime_s: as the event itself tells it."""

    n: int
    id: str
    cursor: str
    at: datetime
    name: str
    priority: int
    message: str
    unit: str = ""
    host: str = ""
    about: str = ""
    ends: tuple[str, ...] = ()
    downtime_s: float | None = None
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The same for the same trouble with the same thing."""
        return key_of(self.name, self.about)

    @property
    def ended_keys(self) -> tuple[str, ...]:
        return tuple(key_of(name, self.about) for name in self.ends)

    @property
    def is_problem(self) -> bool:
        return self.priority <= Priority.WARNING and not self.ends


def key_of(name: str, about: str) -> str:
    return f"{name} {about}" if about else name


def line_from_json(data: object) -> Line:
    """Return an event from parsed JSON; by hand, since a drain reads a hundred thousand. Raises ValueError."""
    if not isinstance(data, dict) or not isinstance(data.get("fields", {}), dict):
        raise ValueError("no object")
    try:
        line = Line(**{**data, "at": datetime.fromisoformat(data["at"]), "ends": tuple(data["ends"])})
    except (TypeError, KeyError) as error:
        raise ValueError(f"no event: {error}") from error
    texts = (line.id, line.cursor, line.name, line.message, line.unit, line.host, line.about, *line.ends, *line.fields.values())
    if not isinstance(line.n, int) or not all(isinstance(text, str) for text in texts) or line.at.tzinfo is None:
        raise ValueError("no event")
    if line.downtime_s is not None and not isinstance(line.downtime_s, int | float):
        raise ValueError("no event")
    Priority(line.priority)
    return line


def line_from_told(told: Told, n: int) -> Line:
    downtime_s = told.values.get("downtime_s")
    return Line(
        n=n,
        id=told.id,
        cursor=told.cursor,
        at=told.at,
        name=told.event.name,
        priority=int(told.event.priority),
        message=_shorten(told.message),
        unit=told.unit,
        host=told.host,
        about=_shorten(show_path(told.about)),
        ends=told.event.ends,
        downtime_s=float(downtime_s) if isinstance(downtime_s, int | float) else None,
        fields={name: _field_text(value) for name, value in told.values.items()},
    )


def message_from_line(line: Line, event: Event | None) -> Message:
    """Return what a channel takes. event: its definition; None when another version of the suite told it."""
    values = read_values(line, event)
    return Message(
        id=line.id,
        at=line.at,
        host=line.host,
        name=line.name,
        severity=Priority(line.priority).severity,
        area=line.name.partition(".")[0],
        title=_render(event.subject, values) if event else line.name,
        message=line.message,
        details=line.fields,
        action=find_commands(event, values) if event else (),
        unit=line.unit,
    )


def read_values(line: Line, event: Event | None) -> Mapping[str, object]:
    """Return the fields as values of their types, as texts where they do not fit."""
    if event is None:
        return line.fields
    try:
        return event.read_fields({FIELD_PREFIX + name.upper(): text for name, text in line.fields.items()})
    except (ValueError, TypeError):
        return line.fields


def find_commands(event: Event, values: Mapping[str, object]) -> tuple[str, ...]:
    """Return the commands of an event's runbook, filled in for its values, one a line."""
    quoted = {name + QUOTED: quote_for_shell(str(value)) for name, value in values.items()}
    rows = (row for row in textwrap.dedent(event.action).strip().splitlines() if row.startswith(" "))
    return tuple(_render(row.strip(), {**values, **quoted}) for row in rows)


def _render(template: str, values: Mapping[str, object]) -> str:
    try:
        return template.format(**values)
    except (ValueError, TypeError, LookupError, AttributeError):
        # What cannot be shown must not keep the event from being told.
        return template


def _field_text(value: object) -> str:
    text = show_path(value) if isinstance(value, FilePath) else f"{value:.1f}" if isinstance(value, float) else str(value)
    return _shorten(text)


def _shorten(text: str) -> str:
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return clean if len(clean) <= _MAX_TEXT else clean[: _MAX_TEXT - 1] + "…"
