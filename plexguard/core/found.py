"""What the root side finds out and publishes in /run/plexguard for the programs that may not look for themselves.

`plexguard-discover` writes PLEX (which server, where, as whom, which folders), `plexguard-container-watch` writes
CONTAINER. Both are root's: the unprivileged programs read them, and nobody else can write them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from plexguard.core.endpoints import Endpoint, overlap
from plexguard.core.journal import Journal
from plexguard.core.mounts import is_below
from plexguard.core.state import RUNTIME_ROOT, STATE_ROOT, StateFile

PLEX_FILE = RUNTIME_ROOT / "plex.json"
CONTAINER_FILE = RUNTIME_ROOT / "container.json"
# Of STATE_ROOT: the last server that plexguard-discover has found, also before this boot.
KEPT = "discover/plex.json"
# A link to the server's Preferences.xml: LoadCredential= reads it as root at each start, so the token is never copied
# and follows when Plex is claimed anew.
PREFERENCES_LINK = RUNTIME_ROOT / "Preferences.xml"
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
    of Preferences.xml. folders: library folders as paths of the host. links: where those of them lie that are, or lie
    behind, symbolic links. unmapped: folders of the server that no mount of its container leads to. missing: one line on
    what to configure, when no server was found.
    """

    server: Server
    name: str = ""
    url: str = ""
    uid: int = -1
    gids: tuple[int, ...] = ()
    preferences: str = ""
    folders: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    unmapped: tuple[str, ...] = ()
    missing: str = ""

    @property
    def places(self) -> tuple[str, ...]:
        """Where its library folders lie."""
        return tuple(map(self.follow, self.folders))

    def follow(self, path: str) -> str:
        """Return where a path of the host lies, a library folder or one in it, as far as that is known."""
        plain = path.rstrip("/") or "/"
        behind = max((folder for folder in self.links if is_below(plain, folder)), key=len, default=None)
        return plain if behind is None else self.links[behind] + plain[len(behind) :]

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


# Of a container that a run of plexguard-cloud-run has started: never home's Plex.
LEASE_LABEL = "org.plexguard.lease"


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


def url_of(found: FoundPlex | None) -> str:
    """Return where Plex answers, or would."""
    return (found.url if found is not None else "") or DEFAULT_URL


def is_plexs(endpoint: Endpoint, found: FoundPlex | None) -> bool:
    """Tell whether Plex listens there itself, or may. A native one takes its port of all addresses of this machine; before a
    container, or another machine, only the address counts at which it is asked."""
    parts = urlsplit(url_of(found))
    if endpoint.port != (parts.port or 32400):
        return False
    if found is None or found.server not in (Server.CONTAINER, Server.REMOTE):
        return True
    host = "127.0.0.1" if parts.hostname in (None, "localhost") else parts.hostname
    at = Endpoint(address=host or "", port=endpoint.port)
    return endpoint == at if found.server is Server.REMOTE else overlap(endpoint, at)


def read_plex(journal: Journal, folder: Path = RUNTIME_ROOT) -> FoundPlex | None:
    """Return the server that was found, or None when plexguard-discover has not run yet."""
    return StateFile(folder / PLEX_FILE.name, FoundPlex, schema=SCHEMA, journal=journal).peek()


def read_last_plex(journal: Journal, *, runtime: Path = RUNTIME_ROOT, state: Path = STATE_ROOT) -> FoundPlex:
    """Return the server that was found, or the last one that ever was: early in a boot none is, or its container not known."""
    found = read_plex(journal, runtime)
    if found is not None and found.server is not Server.NONE:
        return found
    kept = StateFile(state / KEPT, FoundPlex, schema=SCHEMA, journal=journal)
    return kept.peek() or found or FoundPlex(server=Server.NONE)


def read_container(journal: Journal, folder: Path = RUNTIME_ROOT) -> FoundContainer | None:
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
