"""What the root side sees for itself, at the moment of acting."""

import dataclasses
from collections.abc import Callable
from datetime import timedelta

from plexguard.core.clock import Clock, Moment
from plexguard.core.found import DEFAULT_URL, FoundContainer, FoundPlex
from plexguard.core.guarded import Unproven
from plexguard.core.listeners import count_connections
from plexguard.core.manager import Manager
from plexguard.core.plex import Plex, PlexError
from plexguard.core.plex_http import HttpPlex
from plexguard.core.viewers import Paused, ask_viewers
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.look import Answer, Look, take_look
from plexguard.plex_probe.observe import find_elsewhere
from plexguard.plex_probe.progress import mark_progress
from plexguard.plex_probe.restart.decide import RestartObservation
from plexguard.plex_probe.server import observe_server

# The probe has just found it silent several times; this is to catch a Plex that came back meanwhile.
_LOOK_TIMEOUT_S = 3.0
# After 30 s players give up: what takes longer answers nobody.
_PATIENCE_S = 30.0
# Who watches is told from memory; one that hangs tells nothing, and is not waited for.
_USE_TIMEOUT_S = 1.0


def observe(
    plex: Plex,
    found: FoundPlex,
    *,
    manager: Manager,
    container: FoundContainer | None,
    clock: Clock,
    config: Config,
    paused: Paused,
    paused_limit: timedelta,
    unreadable: int = 0,
    was_ours: Callable[[], bool] = lambda: False,
    open_with_token: Callable[[], Plex],
    open_local: Callable[[], Plex] = lambda: HttpPlex(DEFAULT_URL, None),
    find_mounts: Callable[[], tuple[Unproven, ...]] = tuple,
) -> RestartObservation:
    """Look once at Plex, at first without a token, and at what runs it; with one where it is alive, or somebody may watch."""
    before = mark_progress(found.preferences)
    look = take_look(plex, clock, timeout_s=_LOOK_TIMEOUT_S, has_token=False)
    seen = RestartObservation(
        found=found,
        look=look,
        server=observe_server(found, manager=manager, container=container, clock=clock, config=config, was_ours=was_ours),
        elsewhere="" if look.answer.is_conclusive else find_elsewhere(found, open_local, clock, config),
        connections=count_connections(found.port) if look.answer is Answer.FAILING else 0,
        unreadable=unreadable,
    )
    if look.answer is Answer.LIMITED:
        # It is alive; whether its database is takes the token.
        seen = dataclasses.replace(seen, look=_look_deeper(open_with_token(), clock))
    if seen.is_for_media or seen.is_hung or seen.is_stuck:
        in_use = find_use(open_with_token(), paused, clock.moment(), paused_limit=paused_limit)
        seen = dataclasses.replace(seen, is_in_use=in_use, mounts=find_mounts())
    return dataclasses.replace(seen, is_writing=bool(mark_progress(found.preferences).database_moved(before)))


def _look_deeper(plex: Plex, clock: Clock) -> Look:
    """Look with the token; a database that gives no answer is asked once more, with all the patience that players have."""
    look = take_look(plex, clock, timeout_s=_LOOK_TIMEOUT_S, has_token=False)
    if look.answer is not Answer.DATABASE_SILENT:
        return look
    return take_look(plex, clock, timeout_s=_PATIENCE_S, has_token=False)


def find_use(plex: Plex, paused: Paused, now: Moment, *, paused_limit: timedelta) -> bool | None:
    """Tell whether somebody watches or a library is scanned, None when Plex does not say: never "nobody" for want of an answer."""
    viewers = ask_viewers(plex, paused, now, limit=paused_limit, timeout_s=_USE_TIMEOUT_S)
    if viewers is None:
        return None
    try:
        return bool(viewers or plex.activities(timeout_s=_USE_TIMEOUT_S))
    except PlexError:
        return None
