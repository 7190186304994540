"""Whether somebody watches Plex: only asked when something is to be done, as asking costs what a healthy check saves."""

from datetime import timedelta

from plexguard.core.clock import Moment
from plexguard.core.found import FoundPlex, Server
from plexguard.core.plex import Plex
from plexguard.core.viewers import Paused, ask_viewers
from plexguard.net_recover.observe import Watching

_PLEX_TIMEOUT_S = 3.0


def find_watching(plex: Plex, found: FoundPlex | None, paused: Paused, now: Moment, *, paused_limit: timedelta) -> Watching:
    """Tell whether somebody watches. Where nobody listens nobody watches; silence may be a pause of seconds, and is unknown."""
    if found is None:
        return Watching.UNKNOWN
    if found.server is Server.NONE:
        return Watching.NOBODY
    viewers = ask_viewers(plex, paused, now, limit=paused_limit, timeout_s=_PLEX_TIMEOUT_S)
    if viewers is None:
        return Watching.UNKNOWN
    return Watching.SOMEBODY if viewers else Watching.NOBODY
