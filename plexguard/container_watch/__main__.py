"""plexguard-container-watch: arguments and wiring."""

from pathlib import Path
from typing import NoReturn

import click

from plexguard.container_watch.act import Watcher
from plexguard.core import program
from plexguard.core.daemon import run_cycles
from plexguard.core.found import CONTAINER_FILE, SCHEMA, FoundContainer
from plexguard.core.plex_config import PlexConfig
from plexguard.core.state import StateFile

NAME = "container-watch"


@click.command(context_settings=program.CONTEXT, epilog="Manual: man plexguard-container-watch")
@program.config_option
@program.version_option(NAME)
def cli(config_path: Path) -> int:
    """Publish the state of Plex's container for the other programs."""
    ports = program.open_ports(NAME)
    plex = program.load_config(config_path, PlexConfig)
    file = StateFile(CONTAINER_FILE, FoundContainer, schema=SCHEMA, journal=ports.journal)
    watcher = Watcher(plex.container, file, ports, any_name=plex.takes_any_container)
    try:
        run_cycles(watcher.cycle, ports.notifier)
    finally:
        watcher.close()
    return 0


def main() -> NoReturn:
    program.launch(NAME, cli)


if __name__ == "__main__":
    main()
