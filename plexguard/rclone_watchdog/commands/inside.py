"""`inside`: whether Plex's container sees a mount, and its restart where only that helps."""

import os

import click

from plexguard.core.errors import NoPermission
from plexguard.core.found import FoundPlex, Server, read_plex
from plexguard.core.plex import PlexError
from plexguard.core.plex_config import PlexConfig
from plexguard.core.plex_http import HttpPlex
from plexguard.core.program import Ports
from plexguard.core.state import StateFile, exclusive_lock, make_folder, state_directory
from plexguard.core.token import read_token
from plexguard.core.viewers import ask_viewers, read_paused
from plexguard.rclone_watchdog.config import Mount
from plexguard.rclone_watchdog.inside import act
from plexguard.rclone_watchdog.inside.decide import Budget
from plexguard.rclone_watchdog.inside.observe import find_use
from plexguard.rclone_watchdog.inside.published import FOLDER, inside_file
from plexguard.rclone_watchdog.protect.open import open_world

_ASK_S = 3.0
_SCHEMA = 1


def run(name: str, mount: Mount, plex_config: PlexConfig, ports: Ports) -> int:
    """Look, and do what is to be done. Raises NoPermission, TryAgain, CommandError, IoFailed and SystemRefused."""
    if os.geteuid() != 0:
        raise NoPermission("Failed to look into a container: only root may", hint=f"sudo plexguard-rclone-watchdog inside {name}")
    found = read_plex(ports.journal)
    if found is None or found.server is not Server.CONTAINER:
        if ports.by_hand:
            click.echo("Plex runs in no container here: what is read of the mount is what Plex sees")
        return 0
    folder = make_folder(state_directory("rclone-inside"))
    make_folder(FOLDER)
    # One container for all mounts, and one budget.
    with exclusive_lock(folder / "lock"):
        task = act.Task(
            name=name,
            mount_point=mount.mount_point,
            may_restart=mount.restart_container,
            found=found,
            find_use=lambda: _find_use(name, mount, found, plex_config, ports),
            published=inside_file(name, ports.journal),
            budget=StateFile(folder / "state.json", Budget, schema=_SCHEMA, journal=ports.journal),
        )
        return act.run(task, ports)


def _find_use(name: str, mount: Mount, found: FoundPlex, plex_config: PlexConfig, ports: Ports) -> str | None:
    plex = HttpPlex(found.url, read_token(), owners=found.owners)
    now = ports.clock.moment()
    viewers = ask_viewers(plex, read_paused(ports.journal), now, limit=plex_config.paused_limit, timeout_s=_ASK_S)
    try:
        affected = open_world(name, mount, ports.journal).pick_affected(plex.libraries(timeout_s=_ASK_S))
    except PlexError:
        affected = ()
    return find_use(plex, viewers, frozenset(library.key for library in affected))
