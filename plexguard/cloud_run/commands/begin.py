"""What every command opens first: its configuration, and the ports."""

from pathlib import Path

from plexguard.cloud_run.config import Config
from plexguard.core import program
from plexguard.core.program import Ports
from plexguard.core.state import state_directory

NAME = Config.SECTION


def load(config_path: Path) -> tuple[Config, Ports]:
    return program.load_config(config_path, Config), program.open_ports(NAME)


def load_to_return(config_path: Path) -> tuple[Config, Ports]:
    """As load(), for what gives back: a mistake in the configuration of anything else keeps no machine alive."""
    return program.load_section(config_path, Config), program.open_ports(NAME)


def refuse_leases(ports: Ports) -> None:
    """Raise NotConfigured where a lease says that something may be rented: without a provider nobody can tell."""
    from plexguard.cloud_run.providers.open import NotConfigured
    from plexguard.cloud_run.rent.lease import Leases

    held = Leases(state_directory(NAME), ports.journal).read_all()
    if held:
        raise NotConfigured(f"The cloud is not configured, and something may be rented for {', '.join(held)}")
