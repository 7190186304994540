"""The list of what the suite is made of: one place that tests, packaging, generator and `plexguard-status` walk.

Only names; the modules behind them are imported when asked for, by the naming rule of the suite: program
plexguard-perms-audit has the package plexguard/perms_audit and the section [perms-audit].
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from plexguard.core import core_events
from plexguard.core.config import Section, Settings
from plexguard.core.events import Event
from plexguard.core.plex_config import PlexConfig

if TYPE_CHECKING:  # what a check that runs every 30 s need not load
    from plexguard.core.units import DropIns, Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One executable. name: less the prefix. daemon: it stays and reads its configuration only when it starts. services: the
    stems, less the prefix, of further units of it that stay."""

    name: str
    daemon: bool = False
    services: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        return f"plexguard-{self.name}"

    @property
    def package(self) -> str:
        return f"plexguard.{self.name.replace('-', '_')}"


PROGRAMS = (
    Program(name="perms-audit", services=("perms-guard", "perms-request")),
    Program(name="log-watch", daemon=True),
    Program(name="plex-probe"),
    Program(name="speed-test"),
    Program(name="net-recover"),
    Program(name="container-watch", daemon=True),
    Program(name="discover"),
    Program(name="notify", daemon=True),
    Program(name="status", daemon=True),
)


def daemon_units() -> tuple[str, ...]:
    """Return the services that stay, and know a changed configuration only when they are started anew."""
    stems = (stem for program in PROGRAMS for stem in (*((program.name,) if program.daemon else ()), *program.services))
    return tuple(f"plexguard-{stem}.service" for stem in stems)


def modules(name: str) -> Iterator[ModuleType]:
    """Yield that module of each program that has one ("config", "events")."""
    return (module for program in PROGRAMS if (module := _find_module(program, name)) is not None)


def _find_module(program: Program, name: str) -> ModuleType | None:
    place = f"{program.package}.{name}"
    return import_module(place) if find_spec(place) is not None else None


def section_names() -> tuple[str, ...]:
    """Return the names of all sections, without importing what is behind them."""
    return (PlexConfig.SECTION, *(program.name for program in PROGRAMS))


def sections() -> tuple[type[Section], ...]:
    """Return every section of the configuration file, the shared one first."""
    return (PlexConfig, *(module.Config for module in modules("config")))


def section_of(name: str) -> Any:
    """Return the section of a program, for who shows what another one is configured to do."""
    return next(module.Config for program in PROGRAMS if program.name == name and (module := _find_module(program, "config")))


def drop_ins(settings: Settings, site: "Site") -> "DropIns":
    """Return every drop-in that the configuration and the machine call for, by "unit.d/file". Pure."""
    made: DropIns = {}
    for program in PROGRAMS:
        units = _find_module(program, "units")
        if units is not None:
            made |= units.drop_ins(settings.take(import_module(f"{program.package}.config").Config), site)
    return made


def events() -> tuple[Event, ...]:
    """Return every event that the suite can send, in the order of the programs."""
    holders = (core_events, *modules("events"))
    return tuple(value for holder in holders for value in vars(holder).values() if isinstance(value, Event))
