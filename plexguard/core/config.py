"""Configuration: plexguard.toml and its drop-ins, over defaults in the code, into the sections of `options.py`.

Every mistake of every section is collected, then told at once.
"""

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, cast

from plexguard.core.errors import ConfigError
from plexguard.core.events import show_path
from plexguard.core.options import THING_NAME, Option, Section, Tables, options, quote, tables_of

S = TypeVar("S", bound=Section)
DEFAULT_PATH = Path("/etc/plexguard/plexguard.toml")


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
            name: {thing: self._fill(declared.kind, place) for thing, place in self._find_named(_place_of(section, name, declared))}
            for name, declared in tables_of(section).items()
        }
        self._find_strangers(section)
        return cast("S", self._fill(section, section.SECTION, named))

    def _find_strangers(self, section: type[Section]) -> None:
        """Note the tables below a section that it has no use for."""
        known, declared = options(section), tables_of(section)
        if any(table.is_direct for table in declared.values()):
            return  # whatever stands below it is such a thing
        for place, found in self.values.items():
            below, _, name = place.removeprefix(section.SECTION + ".").partition(".")
            if place == f"{section.SECTION}.{below}" and (below not in declared or found):
                source = next((value.source for value in found.values()), "plexguard.toml")
                if below in known:
                    self.mistakes.append(
                        f"{source}: {_show_place(section.SECTION)}{below}: found a table, allowed is {known[below][0].kind.allowed}"
                    )
                elif below in declared:
                    self.mistakes.append(f"{source}: [{place}]: options without a name, write [{place}.NAME]")
                else:
                    self.mistakes.append(f"{source}: [{place.lstrip('.')}]: unknown section{_suggest(below, declared)}")
            elif name and place.startswith(section.SECTION + ".") and below not in declared:
                self.mistakes.append(f"plexguard.toml: [{place}]: unknown section")

    def _fill(self, section: type[Any], place: str, named: Mapping[str, Any] = MappingProxyType({})) -> Any:
        """Return what the options below [place] make."""
        known, found = options(section), self.values.get(place, {})
        for name in found.keys() - known.keys() if known else ():
            self.mistakes.append(f"{found[name].source}: {_show_place(place)}{name}: unknown option{_suggest(name, known)}")
        if found and not known:
            source = next(value.source for value in found.values())
            self.mistakes.append(f"{source}: [{place}]: options without a name, write [{place}.NAME]")
        values = {name: self._parse(place, name, declared, found) for name, (declared, _) in known.items()}
        made = section(**named, **{name: value for name, value in values.items() if value is not None})
        # What only several options together can have wrong; not worth a word while one of them is.
        if all(values[name] is not None for name in known.keys() & found.keys()) and hasattr(made, "find_mistakes"):
            source = next((value.source for value in found.values()), "plexguard.toml")
            self.mistakes += [f"{source}: {_show_place(place)}{mistake}" for mistake in made.find_mistakes()]
        return made

    def _find_named(self, place: str) -> Iterator[tuple[str, str]]:
        """Yield the names of the things below [place], and where their options are."""
        for full in self.values:
            name = full.removeprefix(place + ".")
            if name == full:
                continue
            if THING_NAME.fullmatch(name):
                yield name, full
            else:
                source = next((value.source for value in self.values[full].values()), "plexguard.toml")
                self.mistakes.append(f"{source}: [{full}]: found the name {quote(name)}, allowed are a-z, 0-9 and - in it")

    def texts_below(self, section: str, option: str) -> dict[str, str]:
        """Return a text option of each [section.NAME] that gives it, by name, whatever else of them is wrong."""
        prefix = section + "."
        given = {place.removeprefix(prefix): found.get(option) for place, found in self.values.items() if place.startswith(prefix)}
        return {name: found.value for name, found in given.items() if found is not None and isinstance(found.value, str)}

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
        given, place = found.get(name), f"{_show_place(section)}{name}"
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


def _show_place(section: str) -> str:
    """Return what stands before an option in a mistake; nothing in a file that has no sections."""
    return f"[{section}] " if section else ""


def _place_of(section: type[Section], name: str, declared: Tables) -> str:
    """Return below which table the things of a field stand."""
    return section.SECTION if declared.is_direct else f"{section.SECTION}.{name}"


def find_files(path: Path) -> tuple[Path, ...]:
    """Return the file, the folder of its drop-ins and these: what changes when a configuration does."""
    folder = Path(f"{path}.d")
    return (path, folder, *sorted(folder.glob("*.toml")))


def read(path: Path, environment: Mapping[str, str]) -> Settings:
    """Read a configuration file and the drop-ins in the folder `<path>.d`, later ones winning key by key.

    The default file may be missing; a file that was asked for may not. Nothing is raised here: `Settings.check()` tells.
    """
    settings = Settings({}, [], environment)
    if path != DEFAULT_PATH and not os.path.exists(path):
        settings.mistakes.append(f"{path}: there is no such file")
    for file in (path, *_list_drop_ins(settings, Path(f"{path}.d"))):
        _merge(settings, file)
    return settings


def _list_drop_ins(settings: Settings, folder: Path) -> list[Path]:
    try:
        return sorted(file for file in folder.iterdir() if file.suffix == ".toml")
    except FileNotFoundError:
        return []
    except OSError as error:
        settings.mistakes.append(f"{folder}: cannot be read: {error.strerror}")
        return []


def read_plain(path: Path, drop_ins: Path) -> Settings:
    """Read a file without sections, for a section whose name is "", and the drop-ins in a folder, later ones winning key by key.
    A file that is not there is a mistake, as `check()` tells."""
    settings = Settings({}, [], {})
    if not os.path.exists(path):
        settings.mistakes.append(f"{path}: there is no such file")
    for file in (path, *_list_drop_ins(settings, drop_ins)):
        _merge_table(settings, "", _load(settings, file), str(file))
    return settings


def read_text(text: str, source: str) -> Settings:
    """Read a configuration that is in no file. source: what mistakes in it begin with. Raises ValueError for what is no TOML."""
    settings = Settings({}, [], {})
    _merge_sections(settings, tomllib.loads(text), source)
    return settings


def _merge(settings: Settings, file: Path) -> None:
    _merge_sections(settings, _load(settings, file), str(file))


def _merge_sections(settings: Settings, tables: Mapping[str, object], source: str) -> None:
    for section, table in tables.items():
        if not isinstance(table, dict):
            settings.mistakes.append(f"{source}: {section}: found {_show_found(table)} outside of any section")
            continue
        _merge_table(settings, section, table, source)


def _load(settings: Settings, file: Path) -> dict[str, Any]:
    """Return what a file says, nothing when it is not there or what it says cannot be told, which is a mistake."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        pass
    except OSError as error:
        settings.mistakes.append(f"{file}: cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        settings.mistakes.append(f"{file}: is not UTF-8 text")
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, and an integer too long for Python
        settings.mistakes.append(f"{file}: is not TOML: {error}")
    return {}


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
        text = quote(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
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
            lines += [*_comment(declared.help), f"# [{_place_of(section, name, declared)}.NAME]", ""]
            lines += _render_options(declared.kind, "#  ")
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
