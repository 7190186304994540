"""What rented things are looked at and given back through: the provider, the leases, and what was told before."""

import contextlib
from dataclasses import dataclass, field

from plexguard.cloud_run.config import Config
from plexguard.cloud_run.life.runs import find_runs, read_run
from plexguard.cloud_run.providers.open import open_provider
from plexguard.cloud_run.providers.provider import Provider
from plexguard.cloud_run.reap.observe import Observation, observe
from plexguard.cloud_run.rent.lease import Leases
from plexguard.cloud_run.rent.money import Spent, open_spent
from plexguard.cloud_run.rent.owner import find_owner
from plexguard.core.clock import Clock, Moment
from plexguard.core.errors import PlexguardError
from plexguard.core.journal import Journal
from plexguard.core.manager import Manager
from plexguard.core.program import Ports
from plexguard.core.state import History, StateFile, make_folder, state_directory

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What was told, and its end was not: since when a zone can't be listed, by zone; since when something is known to be held by
    nobody, and since when it can't be given back, by "RUN in ZONE"."""

    unlisted: dict[str, Moment] = field(default_factory=dict)
    found: dict[str, Moment] = field(default_factory=dict)
    failed: dict[str, Moment] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the reaper acts through."""

    provider: Provider
    leases: Leases
    manager: Manager
    journal: Journal
    clock: Clock
    state: StateFile[State]
    spent: History[Spent]


def open_world(config: Config, ports: Ports) -> World:
    """Return all that is acted through. Raises NotConfigured, MissingInput (no key), NoPermission."""
    provider = open_provider(config, clock=ports.clock, host=ports.host)
    folder = make_folder(state_directory(Config.SECTION))
    return World(
        provider=provider,
        leases=Leases(folder, ports.journal),
        manager=ports.manager,
        journal=ports.journal,
        clock=ports.clock,
        state=StateFile(folder / "reaper.json", State, schema=SCHEMA, journal=ports.journal),
        spent=open_spent(folder),
    )


def look(config: Config, world: World) -> Observation:
    """Return everything that is rented, and who holds it."""
    owner = find_owner(config.owner)
    zones = _find_zones() if config.is_rented else ()
    return observe(world.provider, world.leases, world.manager, config=config, owner=owner, now=world.clock.moment(), zones=zones)


def _find_zones() -> tuple[str, ...]:
    """Return the zones that runs name for themselves: something may be there whose lease is lost. A wrong file names none."""
    zones = []
    for name in find_runs():
        with contextlib.suppress(PlexguardError):
            zones.append(read_run(name).zone)
    return tuple(filter(None, zones))
