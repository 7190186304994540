"""What can be found out: the unit, the container's state, Preferences.xml, Plex's own libraries."""

import dataclasses
import grp
import os
import pwd
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.clock import Clock
from plexguard.core.found import FoundContainer, Mount, host_path
from plexguard.core.links import Find, resolve
from plexguard.core.manager import Manager, Unit
from plexguard.core.mounts import MountPoint, mount_of
from plexguard.core.plex import Plex, PlexError, PlexMaintenance, PlexRefused, PlexUnauthorized
from plexguard.core.plex_config import PlexConfig

_TIMEOUT_S = 10.0
_ASK_AGAIN_S = 1.0
# How long after its port a server may write its token.
_CLAIM_WAIT_S = 5.0
_SUPPORT_VARIABLE = "PLEX_MEDIA_SERVER_APPLICATION_SUPPORT_DIR"
_SUPPORT_DEFAULT = "/var/lib/plexmediaserver/Library/Application Support"
# Where images keep Preferences.xml, below the mount of their /config (plexinc and linuxserver, binhex, hotio).
_CONTAINER_PREFERENCES = (
    "/config/Library/Application Support/Plex Media Server/Preferences.xml",
    "/config/Plex Media Server/Preferences.xml",
    "/config/Preferences.xml",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """unit, container: as their managers see them, None when nobody can tell. preferences: the first candidate that is
    there, "" for none. uid, gids: whom the unit runs as. container_owner: uid and gid whose the container's Preferences.xml
    is, (-1, -1) when that is not known."""

    unit: Unit | None
    container: FoundContainer | None
    unit_preferences: str
    container_preferences: str
    uid: int
    gids: tuple[int, ...]
    container_owner: tuple[int, int] = (-1, -1)

    @property
    def runs(self) -> bool:
        """Whether a Plex on this machine runs, or is about to."""
        unit_runs = self.unit is not None and (self.unit.runs or self.unit.active_state == "activating")
        return unit_runs or (self.container is not None and self.container.status == "running")


def observe(config: PlexConfig, *, manager: Manager, container: FoundContainer | None) -> Observation:
    unit = manager.unit(config.unit) if config.server in ("auto", "unit") else None
    uid, gids = _find_identity(unit) if unit is not None and unit.exists else (-1, ())
    container_preferences = _container_preferences(container) if container is not None else ""
    return Observation(
        unit=unit,
        container=container if config.server in ("auto", "container") else None,
        unit_preferences=_unit_preferences(unit) if unit is not None else "",
        container_preferences=container_preferences,
        uid=uid,
        gids=gids,
        container_owner=_find_owner(container_preferences),
    )


def ask_folders(open_plex: Callable[[], Plex], clock: Clock, *, wait_s: float) -> tuple[str, ...] | None:
    """Return the library folders as the server names them, or None when it does not tell.

    wait_s: for how long a server that is still starting, or has no library yet, is asked again: at boot it comes up at the same
    time as this, and after an installation somebody is just adding libraries. open_plex: with the token as it is now, since a
    server that is being claimed writes it a moment later.
    """
    deadline_s = clock.monotonic_s() + wait_s
    claim_deadline_s = clock.monotonic_s() + min(wait_s, _CLAIM_WAIT_S)
    while True:
        try:
            libraries = open_plex().libraries(timeout_s=_TIMEOUT_S)
        except (PlexRefused, PlexMaintenance):
            if clock.monotonic_s() >= deadline_s:
                return None
            clock.sleep(_ASK_AGAIN_S)
        except PlexUnauthorized:
            if clock.monotonic_s() >= claim_deadline_s:
                return None
            clock.sleep(_ASK_AGAIN_S)
        except PlexError:
            return None
        else:
            if libraries or clock.monotonic_s() >= deadline_s:
                return tuple(dict.fromkeys(folder for library in libraries for folder in library.folders if folder.startswith("/")))
            clock.sleep(_ASK_AGAIN_S)


def find_places(folders: Iterable[str], binds: tuple[Mount, ...] | None, mounts: tuple[MountPoint, ...]) -> dict[str, str]:
    """Return where library folders lie on the host, behind all symbolic links, by the server's names of them.

    A link is one in the eyes of the server: what it names may be elsewhere on the host. Of a network or FUSE mount, which may hang,
    nothing is asked. binds: what its container sees of the host, None where it has none. mounts: of the host.
    """

    def is_apart(place: str) -> bool:
        return mount_of(place, mounts).is_remote

    def find(name: str) -> str | None:
        return name if sources is None else host_path(name, sources)

    def follow(path: str, find: Find = str) -> str:
        try:
            return resolve(path, is_apart=is_apart, find=find)
        except OSError:
            return path

    sources = None if binds is None else tuple(dataclasses.replace(bind, source=follow(bind.source)) for bind in binds)
    found = {folder: find(follow(folder, find)) for folder in folders}
    return {folder: place for folder, place in found.items() if place}


def _unit_preferences(unit: Unit) -> str:
    environment = dict(word.partition("=")[::2] for word in _split_words(unit.environment))
    support = environment.get(_SUPPORT_VARIABLE, _SUPPORT_DEFAULT)
    return _first_file([f"{support}/Plex Media Server/Preferences.xml"])


def _split_words(text: str) -> list[str]:
    """Split what systemctl(1) shows of Environment=; a quote that it left open hides the variables, not the server."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _container_preferences(container: FoundContainer) -> str:
    return _first_file([path for inside in _CONTAINER_PREFERENCES if (path := host_path(inside, container.mounts))])


def _find_owner(preferences: str) -> tuple[int, int]:
    """Return whose a Preferences.xml is: the server writes it, with a mode that is for itself alone."""
    try:
        status = os.stat(preferences)
    except OSError:
        return -1, -1
    return status.st_uid, status.st_gid


def _first_file(paths: list[str]) -> str:
    return next((path for path in paths if Path(path).is_file()), "")


def _find_identity(unit: Unit) -> tuple[int, tuple[int, ...]]:
    """Return whom a unit runs as: its user, and that user's groups with the unit's own group first."""
    try:
        user = pwd.getpwuid(int(unit.user or 0)) if unit.user.isdigit() or not unit.user else pwd.getpwnam(unit.user)
        group = int(unit.group) if unit.group.isdigit() else grp.getgrnam(unit.group).gr_gid if unit.group else user.pw_gid
    except KeyError:
        return -1, ()
    return user.pw_uid, tuple(dict.fromkeys([group, *os.getgrouplist(user.pw_name, group)]))
