"""plexguard-log-watch: arguments and wiring."""

import os
from pathlib import Path
from typing import NoReturn

import click

from plexguard.core import perms_request, program
from plexguard.core.daemon import run_cycles
from plexguard.core.found import read_container, read_plex
from plexguard.core.guarded import read_guarded
from plexguard.core.hints import give_hint
from plexguard.core.mounts import read_mounts
from plexguard.core.program import Ports
from plexguard.core.state import StateFile, state_directory
from plexguard.log_watch.act import STATE_SCHEMA, Blind, State, Watcher, World
from plexguard.log_watch.config import Config
from plexguard.log_watch.database import Database
from plexguard.log_watch.observe import find_sources
from plexguard.log_watch.proxy import JournalProxy

NAME = "log-watch"


@click.command(context_settings=program.CONTEXT, epilog="Manual: man plexguard-log-watch")
@program.config_option
@program.version_option(NAME)
def cli(config_path: Path) -> int:
    """Have the audit look at what Plex's logs complain about."""
    ports = program.open_ports(NAME)
    config = program.load_config(config_path, Config)
    # By hand it looks on from now, and leaves alone what the service remembers.
    file = StateFile(state_directory(NAME) / "state.json", State, schema=STATE_SCHEMA, journal=ports.journal)
    watcher = Watcher(config, ports, _open_world(config, config_path, ports), None if ports.by_hand else file)
    try:
        run_cycles(watcher.cycle, ports.notifier)
    except Blind:
        # Told as an event when it began; the manager starts it again, and shows it the folders that are there now.
        return os.EX_TEMPFAIL
    finally:
        watcher.close()
    return 0


def _open_world(config: Config, config_path: Path, ports: Ports) -> World:
    return World(
        find_sources=lambda: find_sources(read_plex(ports.journal), read_container(ports.journal), read_mounts()),
        read_mounts=read_mounts,
        open_library=Database,
        open_proxy=lambda cursor: JournalProxy(config.proxy_unit, cursor),
        ask=lambda path, timeout_s: perms_request.ask(path, timeout_s=timeout_s),
        read_guarded=lambda: read_guarded(config_path, ports.clock.moment()),
        hint=give_hint,
    )


def main() -> NoReturn:
    program.launch(NAME, cli)


if __name__ == "__main__":
    main()
