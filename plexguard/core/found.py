"""What the root side finds out and publishes in /run/plexguard for the programs that may not look for themselves.

`plexguard-discover` writes PLEX (which server, where, as whom, which folders), `plexguard-container-watch` writes
CONTAINER. Both are root's: the unprivileged programs read them, and nobody else can write them.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from plexguard.core.journal import Journal
from plexguard.core.state import StateFile

RUNTIME = Path("/run/plexguard")
PLEX_FILE = RUNTIME / "plex.json"
CONTAINER_FILE = RUNTIME / "container.json"
# A link to the server's Preferences.xml: LoadCredential= reads it as root at each start, so the token is never copied
# and follows when Plex is claimed anew.
PREFERENCES_LINK = RUNTIME / "Preferences.xml"
SCHEMA = 1
DEFAULT_URL = "http://127.0.0.1:32400"
DOCKER_SOCKET = Path("/run/docker.sock")
DOCKER_UNIT = "docker.service"
CONTAINER_WATCH = "plexguard-container-watch.service"
DISCOVER = "plexguard-discover.service"


class Server(Enum):
    """What runs Plex."""

    UNIT = "unit"
    CONTAINER = "container"
    REMOTE = "remote"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPlex:
    """The Plex server of this machine.

    name: of the unit or container. uid and gids: whom Plex runs as, -1 and () when unknown. preferences: the host's path
    of Preferences.xml. folders: library folders as paths of the host. unmapped: folders of the server that no mount of
    its container leads to. missing: one line on what to configure, when no server was found.
    """

    server: Server
    name: str = ""
    url: str = ""
    uid: int = -1
    gids: tuple[int, ...] = ()
    preferences: str = ""
    folders: tuple[str, ...] = ()
    unmapped: tuple[str, ...] = ()
    missing: str = ""

    @property
    def port(self) -> int:
        """The port of its address."""
        return urlsplit(self.url or DEFAULT_URL).port or 32400

    @property
    def owners(self) -> frozenset[int] | None:
        """Whose sockets are Plex's on this machine, None when that is not known."""
        return frozenset({self.uid}) if self.uid >= 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A bind mount of a container: a host's folder and where the container sees it."""

    source: str
    destination: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundContainer:
    """The state of Plex's container.

    status: docker's word (created, running, paused, restarting, removing, exited, dead) or "absent". stopped_on_purpose:
    it was ended by `docker stop` and its like, not by itself. It does not tell by whom: also `docker restart` of our own first
    stops it, and leaves it so when the start fails. started_s, seen_s: CLOCK_BOOTTIME of its start and of the look, so that an
    old file is known as old, and no clock that is set moves either. uid, gid: PLEX_UID and PLEX_GID, -1 when not given.
    candidates: while absent, the names of several of which each could be it.
    """

    name: str
    id: str = ""
    status: str = "absent"
    image: str = ""
    exit_code: int = 0
    stopped_on_purpose: bool = False
    started: datetime | None = None
    started_s: float | None = None
    seen_s: float = 0.0
    uid: int = -1
    gid: int = -1
    mounts: tuple[Mount, ...] = ()
    candidates: tuple[str, ...] = ()

    @property
    def exists(self) -> bool:
        return self.status != "absent"


def read_plex(journal: Journal, folder: Path = RUNTIME) -> FoundPlex | None:
    """Return the server that was found, or None when plexguard-discover has not run yet."""
    return StateFile(folder / PLEX_FILE.name, FoundPlex, schema=SCHEMA, journal=journal).peek()


def read_container(journal: Journal, folder: Path = RUNTIME) -> FoundContainer | None:
    """Return the state of Plex's container, or None when nobody watches it."""
    return StateFile(folder / CONTAINER_FILE.name, FoundContainer, schema=SCHEMA, journal=journal).peek()


def host_path(path: str, mounts: tuple[Mount, ...]) -> str | None:
    """Return the host's path of a container's path, or None when no mount leads there. The longest match wins."""
    inside = path.rstrip("/") or "/"
    for mount in sorted(mounts, key=lambda m: len(m.destination), reverse=True):
        destination = mount.destination.rstrip("/")
        if inside == destination or inside.startswith(destination + "/"):
            return (mount.source.rstrip("/") + inside[len(destination) :]) or "/"
    return None
