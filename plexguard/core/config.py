"""Configuration: plexguard.toml and its drop-ins, over defaults in the code, into frozen dataclasses.

A section is a frozen dataclass with SECTION, its fields made by `option(KIND, default, help)`. That one table feeds this
loader, the commented example file and the man pages. Every mistake of every section is collected, then told at once.
"""

import dataclasses
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast
from urllib.parse import urlsplit

from plexguard.core.errors import ConfigError
from plexguard.core.events import Mode, show_path

T = TypeVar("T")
DEFAULT_PATH = Path("/etc/plexguard/plexguard.toml")


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


S = TypeVar("S", bound=Section)


@dataclass(frozen=True, slots=True)
class Option:
    """What is known about a field beside its default."""

    kind: Kind[Any]
    help: str
    environment: str


@dataclass(frozen=True, slots=True)
class Tables:
    """What is known about a field whose values have names of their own."""

    kind: type[Any]
    help: str


def option(kind: Kind[T], default: T, help: str, *, environment: str = "") -> T:
    """Declare a field of a section. environment: a variable that wins over the files."""
    return field(default=default, metadata={"option": Option(kind, help, environment)})


def tables(kind: type[T], help: str) -> dict[str, T]:
    """Declare a field of a section that holds things with names of their own: [section.field.NAME], each with the options of
    `kind`, a frozen dataclass of options like a section."""
    return field(default_factory=dict, metadata={"tables": Tables(kind, help)})


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


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


TEXT = Kind("a text of one line", _text, _quote)
BOOLEAN = Kind("true or false", _boolean, lambda v: str(v).lower(), _boolean_from_environment)


# Of a thing that a person names; it becomes part of file names and unit names.
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}", re.ASCII)
_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)


def count(low: int, high: int) -> Kind[int]:
    """Return the kind of a whole number within bounds, both included."""

    def parse(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError
        return value

    return Kind(f"a whole number from {low} to {high}", parse, str, lambda text: int(text) if _WHOLE.fullmatch(text) else text)


_UNITS_S = {
    **dict.fromkeys(("us", "usec", "µs"), 1e-6),
    **dict.fromkeys(("ms", "msec"), 1e-3),
    **dict.fromkeys(("", "s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604800.0),
}
_BARE_NUMBER = re.compile(r"\s*\d+(?:\.\d+)?\s*", re.ASCII)
_SPAN_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zµ]*)\s*", re.ASCII)


def parse_span(value: object) -> timedelta:
    """Parse a time span as systemd.time(7) writes it: "90s", "15min", "1h 30min", a bare number is seconds.

    Raises ValueError. Months and years are left out: they have no fixed length.
    """
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text.strip() or len(text) > 100:
        raise ValueError
    seconds, place = 0.0, 0
    while place < len(text):
        part = _SPAN_PART.match(text, place)
        if part is None or part[2] not in _UNITS_S:
            raise ValueError
        seconds, place = seconds + float(part[1]) * _UNITS_S[part[2]], part.end()
    if seconds > timedelta(days=36500).total_seconds():
        raise ValueError
    return timedelta(seconds=seconds)


def show_span(span: timedelta) -> str:
    """Return a span as systemd writes it: "1h 30min", "90ms"."""
    total_ms = round(span.total_seconds() * 1000)
    parts = []
    for name, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000), ("ms", 1)):
        amount, total_ms = divmod(total_ms, size)
        if amount:
            parts.append(f"{amount}{name}")
    return " ".join(parts) or "0s"


def span(low: str, high: str, *, environment_unit: str = "s") -> Kind[timedelta]:
    """Return the kind of a time span within bounds, both included. environment_unit: of a bare number in the environment."""
    low_span, high_span = parse_span(low), parse_span(high)

    def parse(value: object) -> timedelta:
        parsed = parse_span(value)
        if not low_span <= parsed <= high_span:
            raise ValueError
        return parsed

    return Kind(
        f"a time span from {low} to {high}, such as {_quote(show_span(low_span))}",
        parse,
        lambda v: _quote(show_span(v)),
        lambda text: text + environment_unit if _BARE_NUMBER.fullmatch(text) else text,
    )


_SIZE = re.compile(r"(\d{1,12})([KMGT]?)", re.ASCII)
_SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_size(value: object) -> int:
    """Parse a size as systemd writes it, to the base of 1024: "100M", "20G", a bare number is bytes. Raises ValueError."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    found = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError
    return int(found[1]) * _SIZE_UNITS[found[2]]


def show_size(size_bytes: int) -> str:
    """Return a size as systemd writes it: "100M"."""
    units = [name for name, unit in _SIZE_UNITS.items() if size_bytes and size_bytes % unit == 0]
    name = units[-1] if units else ""
    return f"{size_bytes // _SIZE_UNITS[name]}{name}"


def size(low: str, high: str) -> Kind[int]:
    """Return the kind of a size in bytes within bounds, both included."""
    low_bytes, high_bytes = parse_size(low), parse_size(high)

    def parse(value: object) -> int:
        parsed = parse_size(value)
        if not low_bytes <= parsed <= high_bytes:
            raise ValueError
        return parsed

    return Kind(f"a size from {low} to {high}, such as {_quote(low)}", parse, lambda v: _quote(show_size(v)))


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
    return Kind(allowed, parse, lambda v: _quote(str(v)))


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


FOLDERS: Kind[tuple[str, ...]] = Kind(
    'a list of absolute paths, such as ["/srv/media"]',
    _folders,
    lambda v: "[" + ", ".join(map(_quote, v)) + "]",
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


URL = Kind('an address such as "http://127.0.0.1:32400", without path, user or token; "" means: find it', _url, _quote)


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
    _quote,
)
OPTIONAL_UNIT = Kind(f'{UNIT.allowed}; "" means: none', lambda value: UNIT.parse(value) if value != "" else "", _quote)
CONTAINER = Kind("the name of a container", _matching(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}"), _quote)
# Only what OnCalendar= can hold; whether it is a date is asked of `systemd-analyze calendar` by who writes it into a unit.
CALENDAR = Kind(
    'a calendar expression of systemd.time(7), such as "*-*-* 04:15"', _matching(r"[A-Za-z0-9:*,./~ _+-]{1,100}"), _quote
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


ZONE: Kind[str] = Kind('a time zone by its name, such as "America/New_York" (timedatectl list-timezones)', _zone, _quote)


def choice(*words: str) -> Kind[str]:
    """Return the kind of a word out of a few."""

    def parse(value: object) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return Kind("one of " + ", ".join(map(_quote, words)), parse, _quote)


# -- loading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    value: object
    source: str


@dataclass(slots=True)
class Settings:
    """What the files hold, merged, and every mistake found so far. Take sections out of it, then `check()`."""

    values: dict[str, dict[str, _Found]]
    mistakes: list[str]
    environment: Mapping[str, str]

    def take(self, section: type[S]) -> S:
        """Return a section. A wrong value is noted as a mistake and its default stands in until `check()`."""
        named: dict[str, Any] = {
            name: {thing: self._fill(declared.kind, place) for thing, place in self._find_named(f"{section.SECTION}.{name}")}
            for name, declared in tables_of(section).items()
        }
        self._find_strangers(section)
        return cast("S", self._fill(section, section.SECTION, named))

    def _find_strangers(self, section: type[Section]) -> None:
        """Note the tables below a section that it has no use for."""
        known, declared = options(section), tables_of(section)
        for place, found in self.values.items():
            below, _, name = place.removeprefix(section.SECTION + ".").partition(".")
            if place == f"{section.SECTION}.{below}" and (below not in declared or found):
                source = next((value.source for value in found.values()), "plexguard.toml")
                if below in known:
                    self.mistakes.append(
                        f"{source}: [{section.SECTION}] {below}: found a table, allowed is {known[below][0].kind.allowed}"
                    )
                elif below in declared:
                    self.mistakes.append(f"{source}: [{place}]: options without a name, write [{place}.NAME]")
                else:
                    self.mistakes.append(f"{source}: [{place}]: unknown section{_suggest(below, declared)}")
            elif name and place.startswith(section.SECTION + ".") and below not in declared:
                self.mistakes.append(f"plexguard.toml: [{place}]: unknown section")

    def _fill(self, section: type[Any], place: str, named: Mapping[str, Any] = MappingProxyType({})) -> Any:
        """Return what the options below [place] make."""
        known, found = options(section), self.values.get(place, {})
        for name in found.keys() - known.keys():
            self.mistakes.append(f"{found[name].source}: [{place}] {name}: unknown option{_suggest(name, known)}")
        values = {name: self._parse(place, name, declared, found) for name, (declared, _) in known.items()}
        made = section(**named, **{name: value for name, value in values.items() if value is not None})
        # What only several options together can have wrong; not worth a word while one of them is.
        if all(values[name] is not None for name in known.keys() & found.keys()) and hasattr(made, "find_mistakes"):
            source = next((value.source for value in found.values()), "plexguard.toml")
            self.mistakes += [f"{source}: [{place}] {mistake}" for mistake in made.find_mistakes()]
        return made

    def _find_named(self, place: str) -> Iterator[tuple[str, str]]:
        """Yield the names of the things below [place], and where their options are."""
        for full in self.values:
            name = full.removeprefix(place + ".")
            if name == full:
                continue
            if _NAME.fullmatch(name):
                yield name, full
            else:
                source = next((value.source for value in self.values[full].values()), "plexguard.toml")
                self.mistakes.append(f"{source}: [{full}]: found the name {_quote(name)}, allowed are a-z, 0-9 and - in it")

    def check(self, known_sections: Iterable[str] | None = None) -> None:
        """Raise ConfigError with all mistakes, if there are any. known_sections: all that exist in the suite."""
        if known_sections is not None:
            known = list(known_sections)
            for name in sorted(name for name in self.values if name.partition(".")[0] not in known):
                source = next((f.source for f in self.values[name].values()), "plexguard.toml")
                self.mistakes.append(f"{source}: [{name}]: unknown section{_suggest(name, known)}")
        if self.mistakes:
            raise ConfigError(tuple(sorted(map(show_path, self.mistakes))))

    def _parse(self, section: str, name: str, declared: Option, found: dict[str, _Found]) -> Any:
        given, place = found.get(name), f"[{section}] {name}"
        # An empty variable is none: scripts write MTIME_HOURS= to mean "no limit".
        if text := self.environment.get(declared.environment, ""):
            given, place = _Found(declared.kind.from_environment(text), "environment"), declared.environment
        if given is None:
            return None
        try:
            return declared.kind.parse(given.value)
        except ValueError:
            self.mistakes.append(f"{given.source}: {place}: found {_show_found(given.value)}, allowed is {declared.kind.allowed}")
            return None


def read(path: Path, environment: Mapping[str, str]) -> Settings:
    """Read a configuration file and the drop-ins in the folder `<path>.d`, later ones winning key by key.

    The default file may be missing; a file that was asked for may not. Nothing is raised here: `Settings.check()` tells.
    """
    settings = Settings({}, [], environment)
    if path != DEFAULT_PATH and not os.path.exists(path):
        settings.mistakes.append(f"{path}: there is no such file")
    folder = Path(f"{path}.d")
    try:
        drop_ins = sorted(f for f in folder.iterdir() if f.suffix == ".toml")
    except FileNotFoundError:
        drop_ins = []
    except OSError as error:
        settings.mistakes.append(f"{folder}: cannot be read: {error.strerror}")
        drop_ins = []
    for file in [path, *drop_ins]:
        _merge(settings, file)
    return settings


def _merge(settings: Settings, file: Path) -> None:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except OSError as error:
        settings.mistakes.append(f"{file}: cannot be read: {error.strerror}")
        return
    except UnicodeDecodeError:
        settings.mistakes.append(f"{file}: is not UTF-8 text")
        return
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, and an integer too long for Python
        settings.mistakes.append(f"{file}: is not TOML: {error}")
        return
    for section, table in tables.items():
        if not isinstance(table, dict):
            settings.mistakes.append(f"{file}: {section}: found {_show_found(table)} outside of any section")
            continue
        _merge_table(settings, section, table, str(file))


def _merge_table(settings: Settings, place: str, table: Mapping[str, object], source: str) -> None:
    """Merge a table, and those below it under their full names."""
    settings.values.setdefault(place, {})
    for key, value in table.items():
        if isinstance(value, dict):
            _merge_table(settings, f"{place}.{key}", value, source)
        else:
            settings.values[place][key] = _Found(value, source)


def _show_found(value: object) -> str:
    try:
        text = _quote(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    except ValueError:
        text = "a number without end"  # more digits than Python is willing to print
    return text if len(text) <= 80 else text[:77] + "..."


def _suggest(name: str, known: Iterable[str]) -> str:
    import difflib  # only for who mistyped

    near = difflib.get_close_matches(name, known, n=1)
    return f', did you mean "{near[0]}"?' if near else ""


# -- the example file and the man pages -------------------------------------------------------------------------------


def render_example(sections: Iterable[type[Section]]) -> str:
    """Return the commented example file: every option with its help and its default."""
    blocks = []
    for section in sections:
        lines = [f"[{section.SECTION}]", *_render_options(section)]
        for name, declared in tables_of(section).items():
            lines += [*_comment(declared.help), f"# [{section.SECTION}.{name}.NAME]", "", *_render_options(declared.kind, "#  ")]
        blocks.append("\n".join(lines))
    return "\n".join(blocks)


def _render_options(section: type[Any], mark: str = "#") -> Iterator[str]:
    """mark: what stands before an option. One that is for a table that is no more than a comment stands apart."""
    for name, (declared, default) in options(section).items():
        yield from _comment(declared.help)
        yield from (f"{mark}{name} = {declared.kind.show(default)}", "")


def _comment(text: str) -> list[str]:
    import textwrap  # only for the example

    return textwrap.wrap(text, 100, initial_indent="# ", subsequent_indent="# ")
