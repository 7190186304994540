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
from plexguard.core.config import Settings
from plexguard.core.events import Event
from plexguard.core.options import Section
from plexguard.core.plex_config import PlexConfig

if TYPE_CHECKING:  # what a check that runs every 30 s need not load
    from plexguard.core.host import Host
    from plexguard.core.units import DropIns, Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One executable. name: less the prefix. daemon: it stays and reads its configuration only when it starts. services: the
    stems, less the prefix, of further units of it that stay; reloads: of those that read it anew without an end of what they do.
    sections: of the configuration, beside the one of its name."""

    name: str
    daemon: bool = False
    services: tuple[str, ...] = ()
    reloads: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()

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
    Program(name="proxy", services=("proxy-breaker",), reloads=("proxy", "proxy-pictures")),
    Program(name="rclone-watchdog", sections=("rclone",)),
    Program(name="db-export"),
    Program(name="cloud-run", sections=("cloud-apply",)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a program finds around its configuration. faults: over which it could not do its work. notes: what may be meant."""

    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def daemon_units() -> tuple[str, ...]:
    """Return the services that stay, and know a changed configuration only when they are started anew."""
    stems = (stem for p in PROGRAMS for stem in (*((p.name,) if p.daemon else ()), *p.reloads, *p.services))
    return tuple(f"plexguard-{stem}.service" for stem in stems)


def reloading_units() -> frozenset[str]:
    """Return those of them that are reloaded for it, not restarted."""
    return frozenset(f"plexguard-{stem}.service" for program in PROGRAMS for stem in program.reloads)


def modules(name: str) -> Iterator[ModuleType]:
    """Yield that module of each program that has one ("config", "events")."""
    return (module for program in PROGRAMS if (module := _find_module(program, name)) is not None)


def _find_module(program: Program, name: str) -> ModuleType | None:
    place = f"{program.package}.{name}"
    return import_module(place) if find_spec(place) is not None else None


def section_names() -> tuple[str, ...]:
    """Return the names of all sections, without importing what is behind them."""
    return (PlexConfig.SECTION, *(name for program in PROGRAMS for name in (program.name, *program.sections)))


def sections() -> tuple[type[Section], ...]:
    """Return every section of the configuration file, the shared one first."""
    return (PlexConfig, *(section for module in modules("config") for section in _sections_of(module)))


def _sections_of(module: ModuleType) -> tuple[type[Section], ...]:
    """Return the sections of a program: the one of its name, then those that it lists in FURTHER."""
    return (module.Config, *getattr(module, "FURTHER", ()))


def section_of(name: str) -> Any:
    """Return a section by its name, for who shows what another program is configured to do."""
    (program,) = (program for program in PROGRAMS if name in (program.name, *program.sections))
    module = _find_module(program, "config")
    return next(section for section in (_sections_of(module) if module is not None else ()) if name == section.SECTION)


def drop_ins(settings: Settings, site: "Site") -> "DropIns":
    """Return every drop-in that the configuration and the machine call for, by "unit.d/file". Pure."""
    made: DropIns = {}
    for program in PROGRAMS:
        units = _find_module(program, "units")
        if units is not None:
            made |= units.drop_ins(*map(settings.take, _sections_of(import_module(f"{program.package}.config"))), site)
    return made


def look_around(settings: Settings, host: "Host") -> Around:
    """Have every program that needs more than its configuration look whether that is there. Asks the machine."""
    found = [
        module.look_around(*map(settings.take, _sections_of(import_module(f"{program.package}.config"))), host)
        for program in PROGRAMS
        if (module := _find_module(program, "around")) is not None
    ]
    return Around(faults=tuple(f for one in found for f in one.faults), notes=tuple(n for one in found for n in one.notes))


def instances(settings: Settings) -> tuple[str, ...]:
    """Return the units of templates that are started by hand, with the names that there are. Reads what names them."""
    return tuple(
        name
        for program in PROGRAMS
        if (module := _find_module(program, "around")) is not None and hasattr(module, "instances")
        for name in module.instances(*map(settings.take, _sections_of(import_module(f"{program.package}.config"))))
    )


def events() -> tuple[Event, ...]:
    """Return every event that the suite can send, program by program: those in its list, then those in the FURTHER ones."""
    holders = (core_events, *(part for module in modules("events") for part in (module, *getattr(module, "FURTHER", ()))))
    return tuple(value for holder in holders for value in vars(holder).values() if isinstance(value, Event))
