"""What an option of the configuration is: a field of a frozen dataclass, of a kind, with its default and its help.

A section is such a dataclass with SECTION, its fields made by `option(KIND, default, help)`. That one table feeds the loader in
`config.py`, the commented example file and the man pages.
"""

import dataclasses
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast
from urllib.parse import urlsplit

from plexguard.core.events import Mode
from plexguard.core.spans import parse_size, parse_span, show_size, show_span

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """What a value may be. parse: TOML value to typed value, raises ValueError. show: typed value to TOML text."""

    allowed: str
    parse: Callable[[object], T] = field(repr=False)
    show: Callable[[T], str] = field(repr=False)
    # Environment variables are text; a list, for one, is colon-separated there.
    from_environment: Callable[[str], object] = field(default=str, repr=False)


class Section(Protocol):
    """A section of the file: a frozen dataclass whose fields are options."""

    SECTION: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Option:
    """What is known about a field beside its default."""

    kind: Kind[Any]
    help: str
    environment: str


@dataclass(frozen=True, slots=True)
class Tables:
    """What is known about a field whose values have names of their own. is_direct: they stand right below the section."""

    kind: type[Any]
    help: str
    is_direct: bool = False


def option(kind: Kind[T], default: T, help: str, *, environment: str = "") -> T:
    """Declare a field of a section. environment: a variable that wins over the files."""
    return field(default=default, metadata={"option": Option(kind, help, environment)})


def tables(kind: type[T], help: str, *, is_direct: bool = False) -> dict[str, T]:
    """Declare a field of a section that holds things with names of their own: [section.field.NAME], each with the options of
    `kind`, a frozen dataclass of options like a section. is_direct: [section.NAME], in a section that holds nothing else."""
    return field(default_factory=dict, metadata={"tables": Tables(kind, help, is_direct)})


def tables_of(section: type[Section]) -> dict[str, "Tables"]:
    """Return what of a section has names of its own, by field."""
    return {f.name: f.metadata["tables"] for f in dataclasses.fields(cast("Any", section)) if "tables" in f.metadata}


def options(section: type[Any]) -> dict[str, tuple[Option, Any]]:
    """Return each option of a section with its default, by name, in order."""
    return {f.name: (f.metadata["option"], f.default) for f in dataclasses.fields(cast("Any", section)) if "option" in f.metadata}


# -- kinds ------------------------------------------------------------------------------------------------------------


def _text(value: object) -> str:
    if not isinstance(value, str) or "\x00" in value or "\n" in value:
        raise ValueError
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _boolean_from_environment(text: str) -> object:
    return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(text.lower(), text)


def quote(text: str) -> str:
    """Return a text as TOML writes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def show_list(values: tuple[object, ...]) -> str:
    """Return a list of texts as TOML writes it."""
    return "[" + ", ".join(quote(str(value)) for value in values) + "]"


TEXT = Kind("a text of one line", _text, quote)
BOOLEAN = Kind("true or false", _boolean, lambda v: str(v).lower(), _boolean_from_environment)


# Of a thing that a person names; it becomes part of file names and unit names.
THING_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}", re.ASCII)
_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)


def count(low: int, high: int) -> Kind[int]:
    """Return the kind of a whole number within bounds, both included."""

    def parse(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError
        return value

    return Kind(f"a whole number from {low} to {high}", parse, str, lambda text: int(text) if _WHOLE.fullmatch(text) else text)


# Of a time span in the environment, where it has a unit of its own.
_BARE_NUMBER = re.compile(r"\s*\d+(?:\.\d+)?\s*", re.ASCII)


def span(low: str, high: str, *, environment_unit: str = "s") -> Kind[timedelta]:
    """Return the kind of a time span within bounds, both included. environment_unit: of a bare number in the environment."""
    low_span, high_span = parse_span(low), parse_span(high)

    def parse(value: object) -> timedelta:
        parsed = parse_span(value)
        if not low_span <= parsed <= high_span:
            raise ValueError
        return parsed

    return Kind(
        f"a time span from {low} to {high}, such as {quote(show_span(low_span))}",
        parse,
        lambda v: quote(show_span(v)),
        lambda text: text + environment_unit if _BARE_NUMBER.fullmatch(text) else text,
    )


def size(low: str, high: str) -> Kind[int]:
    """Return the kind of a size in bytes within bounds, both included."""
    low_bytes, high_bytes = parse_size(low), parse_size(high)

    def parse(value: object) -> int:
        parsed = parse_size(value)
        if not low_bytes <= parsed <= high_bytes:
            raise ValueError
        return parsed

    return Kind(f"a size from {low} to {high}, such as {quote(low)}", parse, lambda v: quote(show_size(v)))


def _mode(value: object) -> Mode:
    text = value if isinstance(value, str) else ""
    if not re.fullmatch(r"0?[0-7]{3}", text, re.ASCII):
        raise ValueError
    return Mode(int(text, 8))


def mode(needed: int) -> Kind[Mode]:
    """Return the kind of a mode. needed: bits without which the owner would be locked out."""

    def parse(value: object) -> Mode:
        parsed = _mode(value)
        if parsed & needed != needed:
            raise ValueError
        return parsed

    least = f", at least {needed:04o}" if needed else ""
    allowed = f'three or four octal digits, such as "0644", without set-id or sticky bits{least}'
    return Kind(allowed, parse, lambda v: quote(str(v)))


def _folders(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError
    return tuple(_folder(item) for item in value)


def _folder(value: object) -> str:
    """An absolute path, normalised as text only: what it leads to may be away just now."""
    text = _text(value)
    if not text.startswith("/") or ".." in text.split("/"):
        raise ValueError
    return os.path.normpath("/" + text.lstrip("/"))


def _optional_folder(value: object) -> str:
    return "" if value == "" else _folder(value)


FOLDER: Kind[str] = Kind('an absolute path, such as "/srv/media"', _optional_folder, quote)
FOLDERS: Kind[tuple[str, ...]] = Kind(
    'a list of absolute paths, such as ["/srv/media"]',
    _folders,
    show_list,
    lambda text: [part for part in text.split(":") if part],
)


def _url(value: object) -> str:
    text = _text(value)
    if text and not re.fullmatch(r"https?://(?:\[[0-9A-Fa-f:.]+\]|[^\s\x00-\x1f\x7f/?#:@\[\]]+)(?::[0-9]{1,5})?/?", text):
        raise ValueError
    parts = urlsplit(text)  # raises ValueError too, and so does its port
    if parts.port == 0:
        raise ValueError
    if "[" in text:
        import ipaddress  # only for who writes an address of that kind

        ipaddress.IPv6Address(parts.hostname)
    return text.rstrip("/")


URL = Kind('an address such as "http://127.0.0.1:32400", without path, user or token; "" means: find it', _url, quote)


def _matching(pattern: str) -> Callable[[object], str]:
    compiled = re.compile(pattern, re.ASCII)

    def parse(value: object) -> str:
        text = _text(value)
        if not compiled.fullmatch(text):
            raise ValueError
        return text

    return parse


UNIT = Kind(
    'the name of a service unit, such as "plexmediaserver.service"',
    _matching(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,199}\.service"),
    quote,
)
OPTIONAL_UNIT = Kind(f'{UNIT.allowed}; "" means: none', lambda value: UNIT.parse(value) if value != "" else "", quote)
CONTAINER = Kind("the name of a container", _matching(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}"), quote)
# Only what OnCalendar= can hold; whether it is a date is asked of `systemd-analyze calendar` by who writes it into a unit.
CALENDAR = Kind(
    'a calendar expression of systemd.time(7), such as "*-*-* 04:15"', _matching(r"[A-Za-z0-9:*,./~ _+-]{1,100}"), quote
)


def _zone(value: object) -> str:
    from zoneinfo import ZoneInfo  # only for who writes one

    text = TEXT.parse(value)
    try:
        # Refuses by itself what is no normal path below the folder of the zones; systemd looks into the same folder.
        ZoneInfo(text)
    except (KeyError, OSError) as error:  # no such zone; one that cannot be read
        raise ValueError from error
    return text


ZONE: Kind[str] = Kind('a time zone by its name, such as "America/New_York" (timedatectl list-timezones)', _zone, quote)


def choice(*words: str) -> Kind[str]:
    """Return the kind of a word out of a few."""

    def parse(value: object) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return Kind("one of " + ", ".join(map(quote, words)), parse, quote)
