"""Have the mount's watchdog on a run's machine know the Plex there, so that it holds it while the mount is not proven, and restarts
its container when that goes on seeing a mount that is dead.

At home plexguard-discover and plexguard-container-watch look for a server; here it is known, and published in their words.
"""

import json
from collections.abc import Callable

from plexguard.cloud_run.server import container
from plexguard.cloud_run.server.place import Place
from plexguard.cloud_run.storage import bring
from plexguard.cloud_run.storage.choose import GID, UID, Media, units_of
from plexguard.cloud_run.there.remote_files import put
from plexguard.core.clock import Clock
from plexguard.core.found import (
    CONTAINER_FILE,
    PLEX_FILE,
    PREFERENCES_LINK,
    SCHEMA,
    FoundContainer,
    FoundPlex,
    Mount,
    Server,
)
from plexguard.core.host import Commands
from plexguard.core.records import encode

_CALL_S = 30.0


def make_published(place: Place, media: Media) -> dict[str, bytes]:
    """Return the files with the server of a run, by their paths."""
    plex = FoundPlex(
        server=Server.CONTAINER, name=container.NAME, url=container.URL, uid=UID, gids=(GID,), preferences=place.preferences
    )
    seen = FoundContainer(
        name=container.NAME,
        status="running",
        uid=UID,
        gid=GID,
        mounts=(Mount(source=media.point, destination=container.MEDIA),),
    )
    return {
        str(file): json.dumps({"schema": SCHEMA, **encode(record)}).encode("ascii")
        for file, record in ((PLEX_FILE, plex), (CONTAINER_FILE, seen))
    }


def protect(there: Commands, place: Place, media: Media, *, clock: Clock, tell: Callable[[str], None], limit_s: float) -> None:
    """Publish the server, and wait until the mount is proven anew. Raises NotMounted, and what the connection raises."""
    # It reads Plex's token when it starts; what it has held of Plex until now is nothing.
    there.run(["systemctl", "stop", units_of(media)[1]], timeout_s=_CALL_S)
    for path, content in make_published(place, media).items():
        put(there, content, path)
        there.run(["chmod", "0644", "--", path], timeout_s=_CALL_S)
    there.run(
        ["ln", "--symbolic", "--force", "--no-dereference", "--", place.preferences, str(PREFERENCES_LINK)], timeout_s=_CALL_S
    )
    bring.prove(there, media, clock=clock, tell=tell, limit_s=limit_s)
