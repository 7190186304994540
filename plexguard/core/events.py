"""The Event type: everything an administrator may have to act on is defined once, as one of these.

An event carries its journal form (MESSAGE_ID, priority, typed fields, one line for people) and its runbook, from which
the catalog is generated. The events themselves stand in each program's `events.py`; `core/suite.py` finds them all.
"""

import shlex
import string
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum

FIELD_PREFIX = "PLEXGUARD_"
# In every entry, so that one match finds them all: 90 MESSAGE_IDs side by side cost a reader a hundred times as much. The value
# is the version of their form.
MARK = ("PLEXGUARD", "1")
# A path in a runbook's command is written {path_quoted}: the same path, as a shell takes it.
QUOTED = "_quoted"
# How the parts of a runbook begin where they are shown one after the other: meaning, decided, did, action.
_LEADS = ("", "How it was decided:", "What was done:", "If it comes again:")


class Priority(IntEnum):
    """syslog(3) levels, as the suite uses them."""

    CRIT = 2  # our own bug
    ERR = 3  # a person must act
    WARNING = 4  # a person will need to act if it goes on
    NOTICE = 5  # a state changed
    INFO = 6  # a run's one-line summary

    @property
    def severity(self) -> str:
        """The word for people and for receivers: syslog's, less its short forms."""
        return {2: "critical", 3: "error"}.get(self, self.name.lower())


class Kept(Enum):
    """How long a program remembers that it has told a problem, and so can tell its end."""

    ALWAYS = "always"  # on disk
    BOOT = "boot"  # in /run
    RUN = "run"  # in its own memory


class Mode(int):
    """Permission bits, shown as four octal digits."""

    def __str__(self) -> str:
        return f"{int(self):04o}"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


class FilePath(str):
    """A path as the os module gives it (surrogateescape for bytes that are no UTF-8), shown on one line."""

    def __format__(self, spec: str) -> str:
        return format(show_path(self), spec)

    def __bytes__(self) -> bytes:
        return self.encode("utf-8", "surrogateescape")


def show_path(path: str) -> str:
    """Return a path, or any other text, as one printable line: control characters and bytes that are no UTF-8 as escapes."""
    return str(path) if path.isprintable() else "".join(c if c.isprintable() else _show_character(c) for c in path)


def quote_for_shell(path: str) -> str:
    """Return a path as one word of a shell, on one line: plain, in quotes, or as $'…' with escapes."""
    if path.isprintable():
        return shlex.quote(str(path))
    escaped = "".join("".join(f"\\x{b:02x}" for b in c.encode("utf-8", "surrogateescape")) if _needs_escape(c) else c for c in path)
    return f"$'{escaped}'"


def _needs_escape(character: str) -> bool:
    return not character.isprintable() or character in "\\'"


def _show_character(character: str) -> str:
    """Return the escape of a character; "\\xNN" for a byte that the os module could not decode (surrogateescape)."""
    byte = ord(character) - 0xDC00
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else character.encode("unicode_escape").decode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One kind of thing that can happen.

    name: "area.what". message_id: 32 hex digits, made once with `systemd-id128 new`, never reused or changed. message
    and subject: format templates over the fields. about: the fields that say which thing it is about, where there are several;
    ends: the names of the problems that are over with it, for the same thing. kept: of a problem that does not outlive its
    program's memory of it: then it is told again, or is over.

    The runbook: what it means, how it was decided, what the program did about it or why it did nothing, and what to do if it
    comes again (with the commands, one a line).
    """

    name: str
    message_id: str
    priority: Priority
    message: str
    subject: str
    meaning: str
    decided: str
    did: str
    action: str
    page: str = "plexguard(7)"
    fields: Mapping[str, type] = field(default_factory=dict)
    about: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    kept: Kept = Kept.ALWAYS

    def render(self, values: Mapping[str, object]) -> str:
        """Return the line for people. Raises TypeError when the values are not the declared fields: our bug."""
        self._check(values)
        return self.message.format(**values)

    def journal_fields(self, values: Mapping[str, object]) -> dict[str, str | bytes]:
        """Return the typed journal fields, PLEXGUARD_ and upper case."""
        self._check(values)
        fields: dict[str, str | bytes] = {MARK[0]: MARK[1], FIELD_PREFIX + "EVENT": self.name}
        for name, value in values.items():
            fields[FIELD_PREFIX + name.upper()] = _field_text(value)
            if isinstance(value, FilePath):
                # For the commands of the runbooks, which people paste into a root shell.
                fields[FIELD_PREFIX + name.upper() + QUOTED.upper()] = quote_for_shell(value)
        return fields

    def read_fields(self, fields: Mapping[str, object]) -> dict[str, object]:
        """Return the values again from journal fields, text or bytes. Raises ValueError where one is missing or not of its type."""
        try:
            return {name: _read_field(kind, fields[FIELD_PREFIX + name.upper()]) for name, kind in self.fields.items()}
        except KeyError as error:
            raise ValueError(f"event {self.name}: no {error.args[0]}=") from error

    def _check(self, values: Mapping[str, object]) -> None:
        wrong = set(values) ^ set(self.fields)
        wrong |= {n for n in set(values) & set(self.fields) if not isinstance(values[n], self.fields[n])}
        if wrong:
            raise TypeError(f"event {self.name}: missing, unknown or of the wrong type: {', '.join(sorted(wrong))}")

    def catalog_entry(self) -> str:
        """Return this event as an entry of a systemd message catalog (systemd journal catalog documentation)."""
        texts = (self.meaning, self.decided, self.did, self.action)
        parts = [_fill(f"{lead}\n{textwrap.dedent(text).strip()}") for lead, text in zip(_LEADS, texts, strict=True)]
        body = _as_catalog("\n\n".join(parts))
        return (
            f"-- {self.message_id}\n"
            f"Subject: {_as_catalog(self.subject)}\n"
            f"Defined-By: plexguard\n"
            f"Documentation: man:{self.page}\n\n"
            f"{body}\n"
        )


@dataclass(frozen=True, slots=True)
class Tell:
    """A step of a plan: to tell an event."""

    event: Event
    values: Mapping[str, object]


def _field_text(value: object) -> str | bytes:
    if isinstance(value, FilePath):
        return bytes(value)
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _read_field(kind: type, text: object) -> object:
    shown = text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else str(text)
    return Mode(int(shown, 8)) if kind is Mode else kind(shown)


def _fill(text: str) -> str:
    """Wrap paragraphs to 72 columns; indented lines are commands and stay as they are."""
    lines: list[str] = []
    paragraph: list[str] = []
    for line in [*textwrap.dedent(text).strip().splitlines(), ""]:
        if line.strip() and not line.startswith(" "):
            paragraph.append(line)
            continue
        if paragraph:
            lines += textwrap.wrap(" ".join(paragraph), 72, break_long_words=False, break_on_hyphens=False)
            paragraph = []
        lines.append(line.rstrip())
    return "\n".join(lines).strip("\n")


def _as_catalog(template: str) -> str:
    """Turn {field} into @PLEXGUARD_FIELD@."""
    return "".join(
        text + (f"@{FIELD_PREFIX}{name.upper()}@" if name else "") for text, name, _, _ in string.Formatter().parse(template)
    )


def template_fields(template: str) -> set[str]:
    """Return the names of the fields that a template uses."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}
