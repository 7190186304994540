"""What the root side sees for itself, at the moment of acting."""

import dataclasses
from collections.abc import Callable
from datetime import timedelta

from plexguard.core.clock import Clock, Moment
from plexguard.core.found import FoundContainer, FoundPlex
from plexguard.core.manager import Manager
from plexguard.core.plex import Plex, PlexError
from plexguard.core.updates import find_update
from plexguard.core.viewers import ask_viewers
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.observe import observe_server, take_look
from plexguard.plex_probe.restart.decide import RestartObservation

# The probe has just found it silent several times; this is to catch a Plex that came back meanwhile.
_LOOK_TIMEOUT_S = 3.0


def observe(
    plex: Plex,
    found: FoundPlex,
    *,
    manager: Manager,
    container: FoundContainer | None,
    clock: Clock,
    config: Config,
    paused_limit: timedelta,
    unreadable: int = 0,
    open_with_token: Callable[[], Plex],
) -> RestartObservation:
    """Look once at Plex, without a token, and at what runs it; with a token only when the restart would be for media."""
    look = take_look(plex, clock, timeout_s=_LOOK_TIMEOUT_S, has_token=False)
    server, detail = observe_server(found, manager=manager, container=container, clock=clock, config=config)
    seen = RestartObservation(
        found=found,
        answer=look.answer,
        server=server,
        server_detail=detail,
        update=find_update(container),
        unreadable=unreadable,
    )
    return (
        dataclasses.replace(seen, is_in_use=find_use(open_with_token(), clock.moment(), paused_limit=paused_limit))
        if seen.is_for_media
        else seen
    )


def find_use(plex: Plex, now: Moment, *, paused_limit: timedelta) -> bool | None:
    """Tell whether somebody watches or a library is scanned, None when Plex does not say: never "nobody" for want of an answer."""
    viewers = ask_viewers(plex, now, limit=paused_limit, timeout_s=_LOOK_TIMEOUT_S)
    if viewers is None:
        return None
    try:
        return bool(viewers or plex.activities(timeout_s=_LOOK_TIMEOUT_S))
    except PlexError:
        return None
