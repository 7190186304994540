"""What every command opens first: the provider, the leases, what was told before."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from plexguard.cloud_run.config import Config
from plexguard.core import program
from plexguard.core.program import Ports
from plexguard.core.state import StateFile, make_folder, state_directory

if TYPE_CHECKING:  # --help needs none of it
    from plexguard.cloud_run.reap.act import World
    from plexguard.cloud_run.reap.observe import Observation

NAME = Config.SECTION


def load(config_path: Path) -> tuple[Config, Ports]:
    return program.load_config(config_path, Config), program.open_ports(NAME)


def load_to_return(config_path: Path) -> tuple[Config, Ports]:
    """As load(), for what gives back: a mistake in the configuration of anything else keeps no machine alive."""
    return program.load_section(config_path, Config), program.open_ports(NAME)


def open_world(config: Config, ports: Ports) -> "World":
    """Return all that is acted through. Raises NotConfigured, MissingInput (no key), NoPermission."""
    from plexguard.cloud_run.lease import Leases
    from plexguard.cloud_run.money import open_spent
    from plexguard.cloud_run.providers.open import open_provider
    from plexguard.cloud_run.reap.act import SCHEMA, State, World

    provider = open_provider(config, clock=ports.clock, host=ports.host)
    folder = make_folder(state_directory(NAME))
    return World(
        provider=provider,
        leases=Leases(folder, ports.journal),
        manager=ports.manager,
        journal=ports.journal,
        clock=ports.clock,
        state=StateFile(folder / "reaper.json", State, schema=SCHEMA, journal=ports.journal),
        spent=open_spent(folder),
    )


def refuse_leases(ports: Ports) -> None:
    """Raise NotConfigured where a lease says that something may be rented: without a provider nobody can tell."""
    from plexguard.cloud_run.lease import Leases
    from plexguard.cloud_run.providers.open import NotConfigured

    held = Leases(state_directory(NAME), ports.journal).read_all()
    if held:
        raise NotConfigured(f"The cloud is not configured, and something may be rented for {', '.join(held)}")


def look(config: Config, world: "World") -> "Observation":
    """Return everything that is rented, and who holds it."""
    from plexguard.cloud_run.owner import find_owner
    from plexguard.cloud_run.reap.observe import observe

    owner = find_owner(config.owner)
    zones = _find_zones() if config.is_rented else ()
    return observe(world.provider, world.leases, world.manager, config=config, owner=owner, now=world.clock.moment(), zones=zones)


def _find_zones() -> tuple[str, ...]:
    """Return the zones that runs name for themselves: something may be there whose lease is lost. A wrong file names none."""
    from plexguard.cloud_run.run_file import find_runs, read_run
    from plexguard.core.errors import PlexguardError

    zones = []
    for name in find_runs():
        with contextlib.suppress(PlexguardError):
            zones.append(read_run(name).zone)
    return tuple(filter(None, zones))
