"""Whether somebody watches Plex: only asked when something is to be done, as asking costs what a healthy check saves."""

from datetime import timedelta

from plexguard.core.clock import Moment
from plexguard.core.found import FoundPlex, Server
from plexguard.core.plex import Plex, PlexError, PlexRefused, PlexTimeout, PlexUnreachable
from plexguard.core.viewers import ask_viewers
from plexguard.net_recover.observe import Watching

_PLEX_TIMEOUT_S = 3.0


def find_watching(plex: Plex, found: FoundPlex | None, now: Moment, *, paused_limit: timedelta, strict: bool = False) -> Watching:
    """Tell whether somebody watches. A Plex that does not answer at all plays to nobody.

    strict: only where nobody listens nobody watches, and a Plex that is silent may be about to answer.
    """
    if found is None or found.server is Server.NONE:
        return Watching.NOBODY
    viewers = ask_viewers(plex, now, limit=paused_limit, timeout_s=_PLEX_TIMEOUT_S)
    if viewers is not None:
        return Watching.SOMEBODY if viewers else Watching.NOBODY
    if strict:
        return Watching.UNKNOWN
    try:
        plex.identity(timeout_s=_PLEX_TIMEOUT_S)
    except (PlexTimeout, PlexRefused, PlexUnreachable):
        return Watching.NOBODY
    except PlexError:
        return Watching.UNKNOWN
    return Watching.UNKNOWN
