"""What the static tests look at: the files of the tree, the units, the pages, read and nothing more."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import yaml

from plexguard.core.suite import PROGRAMS, Program

ROOT = Path(__file__).parent.parent.parent
UNITS = ROOT / "units"
MAN = ROOT / "packaging/man"
COMPLETIONS = ROOT / "packaging/completions"
PACKAGE = ROOT / "plexguard"
# What is made, cached or not ours.
_NOT_OURS = {".git", "build", "dist", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".pybuild"}


def files() -> Iterator[Path]:
    """Yield every file that belongs to the tree."""
    pending = [ROOT]
    while pending:
        for path in sorted(pending.pop().iterdir()):
            if path.name in _NOT_OURS or path.name.endswith(".egg-info") or path.is_symlink():
                continue
            if path.is_dir():
                pending.append(path)
            else:
                yield path


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


# -- commands ---------------------------------------------------------------------------------------------------------


def command_of(program: Program) -> click.Command:
    command = import_module(f"{program.package}.__main__").cli
    assert isinstance(command, click.Command)
    return command


def commands_below(command: click.Command) -> dict[str, click.Command]:
    """Return a command's subcommands by name, itself as ""."""
    below = command.commands if isinstance(command, click.Group) else {}
    return {"": command, **below}


def all_commands(command: click.Command) -> list[click.Command]:
    """Return a command and everything below it, however deep."""
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return [command, *(deeper for other in below for deeper in all_commands(other))]


def flags_of(command: click.Command) -> set[str]:
    """Return every option as it is typed, long and short, --help included."""
    parameters = command.get_params(click.Context(command))
    return {flag for parameter in parameters if isinstance(parameter, click.Option) for flag in parameter.opts} | {"-h", "--help"}


COMMANDS = {program.command: program for program in PROGRAMS}


# -- units ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """A setting of a unit file, with the comment lines right above it."""

    section: str
    name: str
    value: str
    comments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnitFile:
    path: Path
    text: str
    lines: tuple[Line, ...]

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def stem(self) -> str:
        return self.path.stem.removesuffix("@")

    def values(self, section: str, name: str) -> list[str]:
        return [line.value for line in self.lines if (line.section, line.name) == (section, name)]

    def value(self, section: str, name: str) -> str | None:
        found = self.values(section, name)
        return found[-1] if found else None

    def has_section(self, section: str) -> bool:
        return any(line.section == section for line in self.lines)


def read_unit(path: Path) -> UnitFile:
    text = path.read_text(encoding="utf-8")
    section, comments, lines = "", [], []
    for row in text.splitlines():
        if row.startswith("#"):
            comments.append(row)
        elif row.startswith("["):
            section, comments = row.strip("[]"), []
        elif row.strip():
            name, _, value = row.partition("=")
            lines.append(Line(section, name, value, tuple(comments)))
            comments = []
        else:
            comments = []
    return UnitFile(path, text, tuple(lines))


def units() -> list[UnitFile]:
    return [read_unit(path) for path in sorted(UNITS.iterdir())]


# Commands of ours that become a program of another package, with its user, which that package makes.
FOREIGN = {"/usr/bin/plexguard-proxy prepare": "haproxy", "/usr/bin/plexguard-rclone-watchdog mount": "plexguard-media"}


def runs_foreign(unit: "UnitFile") -> bool:
    return (unit.value("Service", "ExecStart") or "").startswith(tuple(FOREIGN))


def services() -> list[UnitFile]:
    return [unit for unit in units() if unit.path.suffix == ".service"]


# -- man pages --------------------------------------------------------------------------------------------------------


def page_file(page: str) -> Path:
    """Return the file of a page such as "plexguard(7)"."""
    found = re.fullmatch(r"([\w.-]+)\((\d)\)", page)
    assert found, f"{page} is no name of a page"
    return MAN / f"{found[1]}.{found[2]}"


def plain(roff: str) -> str:
    """Return the text of a page as it is read, more or less: escapes and font changes resolved, macros left as lines."""
    text = re.sub(r"\\f[RPBI]", "", roff)
    return text.replace("\\-", "-").replace("\\(dq", '"').replace("\\(aq", "'").replace("\\(bu", "*")


def page_text(file: Path) -> str:
    return plain(file.read_text(encoding="utf-8"))


def page_section(file: Path, title: str) -> str:
    """Return one section of a page, "" where there is none."""
    parts = re.split(r"^\.SH (.+)\n", page_text(file), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True)).get(title, "")


def pages() -> list[Path]:
    return sorted(MAN.iterdir())


# -- examples ---------------------------------------------------------------------------------------------------------

DOCKER = ROOT / "packaging/docker"
EXAMPLES = ROOT / "packaging/examples"
LIBEXEC = ROOT / "packaging/libexec"


def plex_service() -> dict[str, Any]:
    """Return the one service of the compose example."""
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert list(services) == ["plex"]
    return dict(services["plex"])


def health_command() -> str:
    """Return the shell command of the compose example's health check."""
    kind, command = plex_service()["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    return str(command)
