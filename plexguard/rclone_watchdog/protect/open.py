"""The real world for holding Plex: which Plex, with which token, and what its container sees."""

from collections.abc import Iterable

from plexguard.core.found import Server, read_container, read_plex
from plexguard.core.journal import Journal
from plexguard.core.mounts import read_mounts
from plexguard.core.plex import Library, PlexControl
from plexguard.core.plex_http import HttpPlex
from plexguard.core.program import Ports
from plexguard.core.token import read_token
from plexguard.rclone_watchdog.act import NullProtector, Protector
from plexguard.rclone_watchdog.config import Mount
from plexguard.rclone_watchdog.inside.decide import find_blindness
from plexguard.rclone_watchdog.inside.observe import find_device
from plexguard.rclone_watchdog.inside.published import inside_file
from plexguard.rclone_watchdog.protect.observe import find_affected
from plexguard.rclone_watchdog.protect.protector import Protector as PlexProtector
from plexguard.rclone_watchdog.protect.world import World


def open_protector(name: str, mount: Mount, ports: Ports) -> Protector:
    """Return what holds Plex for a mount. Raises NoPermission where the token may not be read."""
    return PlexProtector(name, open_world(name, mount, ports.journal), ports) if mount.protect else NullProtector()


def open_world(name: str, mount: Mount | None, journal: Journal) -> World:
    """Return the world of a mount; None is one that the configuration has no more. Raises NoPermission."""
    token = read_token()

    def open_plex() -> PlexControl | None:
        found = read_plex(journal)
        return HttpPlex(found.url, token, owners=found.owners) if found is not None and found.url else None

    def pick_affected(libraries: Iterable[Library]) -> tuple[Library, ...]:
        if mount is None:
            return ()
        found = read_plex(journal)
        container = read_container(journal) if found is not None and found.server is Server.CONTAINER else None
        if container is not None and found is not None and container.name != found.name:
            # What is published is of another container; the discovery follows soon.
            container = None
        return find_affected(libraries, mount.mount_point, found, container, read_mounts())

    def look_inside() -> str:
        found = read_plex(journal)
        if mount is None or found is None or found.server is not Server.CONTAINER:
            # A Plex without a container sees what the watchdog has just read.
            return ""
        return find_blindness(inside_file(name, journal).peek(), find_device(mount.mount_point))

    return World(open_plex=open_plex, pick_affected=pick_affected, find_blindness=look_inside)
