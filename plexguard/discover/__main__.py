"""plexguard-discover: arguments and wiring."""

from pathlib import Path
from typing import NoReturn

import click

from plexguard.core import config as core_config
from plexguard.core import program
from plexguard.core.config import Settings
from plexguard.core.drop_ins import make_drop_ins, read_drop_ins, read_groups
from plexguard.core.errors import ConfigError
from plexguard.core.found import (
    CONTAINER_WATCH,
    DOCKER_SOCKET,
    PLEX_FILE,
    PREFERENCES_LINK,
    SCHEMA,
    FoundPlex,
    Server,
    read_container,
)
from plexguard.core.mounts import read_fstab, read_mounts
from plexguard.core.plex_config import PlexConfig
from plexguard.core.plex_http import HttpPlex
from plexguard.core.program import Ports
from plexguard.core.state import StateFile, state_directory
from plexguard.core.token import read_token
from plexguard.discover import act
from plexguard.discover.decide import add_folders, choose_server
from plexguard.discover.observe import ask_folders, find_places, observe

NAME = "discover"
# How long a Plex that runs may take until it names its libraries, as at boot.
_START_WAIT_S = 20.0


@click.command(context_settings=program.CONTEXT, epilog="Manual: man plexguard-discover")
@program.config_option
@program.version_option(NAME)
def cli(config_path: Path) -> int:
    """Find this machine's Plex and publish it in /run/plexguard (root)."""
    ports = program.open_ports(NAME)
    plex_config = program.load_config(config_path, PlexConfig)
    # Read as the generator reads it: without the environment of whoever runs this.
    return _discover(plex_config, core_config.read(config_path, {}), ports)


def _discover(config: PlexConfig, settings: Settings, ports: Ports) -> int:
    published = StateFile(PLEX_FILE, FoundPlex, schema=SCHEMA, journal=ports.journal)
    # What is published is forgotten at a reboot; folders that a Plex named while it was up are remembered here.
    kept = StateFile(state_directory(NAME) / "plex.json", FoundPlex, schema=SCHEMA, journal=ports.journal)
    if config.server in ("auto", "container") and DOCKER_SOCKET.exists():
        # Only queued, and nothing if it runs: it starts this program again when it knows more.
        ports.manager.start(CONTAINER_WATCH)
    container = read_container(ports.journal)
    past, last = published.load(), kept.load()
    seen = observe(config, manager=ports.manager, container=container)
    server = choose_server(seen, config)
    act.link_preferences(PREFERENCES_LINK, server.preferences)
    if server.server is not Server.NONE:
        # A server of this machine that does not run is not asked: whoever answers in its place is somebody else.
        may_ask = seen.runs or server.server is Server.REMOTE
        folders = (
            ask_folders(lambda: HttpPlex(server.url, read_token(), owners=server.owners), ports.clock, wait_s=_START_WAIT_S)
            if may_ask
            else None
        )
        binds = () if container is None else container.mounts
        places = find_places(folders or (), binds if server.server is Server.CONTAINER else None, read_mounts())
        server = add_folders(server, folders, container, last, places)
    if server != last and server.server is not Server.NONE:
        kept.save(server)
    if server != past:
        published.save(server)
        act.tell_changes(server, past, ports.journal, kept=last)
        act.pass_on_address(server, past, ports.manager)
    if _needs_reload(settings, server):
        act.reload(ports.manager)
    return 0


def _needs_reload(settings: Settings, server: FoundPlex) -> bool:
    """Tell whether the generator would now make other drop-ins than it made: another library folder, another mount.

    The audit's unit may only write where its roots are, and must not name one that has become a FUSE mount since boot.
    """
    try:
        return make_drop_ins(settings, server, (*read_mounts(), *read_fstab()), read_groups()) != read_drop_ins()
    except ConfigError:
        # Another program's section has a mistake: the generator stays with the shipped units, and has told why.
        return False


def main() -> NoReturn:
    program.launch(NAME, cli)


if __name__ == "__main__":
    main()
