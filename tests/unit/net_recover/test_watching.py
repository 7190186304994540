"""Whether somebody watches: a Plex that does not tell is never "nobody", one that gives no answer at all plays to nobody."""

from datetime import timedelta

import pytest

from plexguard.core.found import FoundPlex, Server
from plexguard.core.plex import PlexError, PlexFailing, PlexRefused, PlexTimeout, PlexUnauthorized, PlexUnreachable, Session
from plexguard.core.viewers import Paused
from plexguard.net_recover.observe import Watching
from plexguard.net_recover.watching import find_watching
from tests.fakes.ports import FakeClock, FakePlex

FOUND = FoundPlex(server=Server.UNIT, name="plexmediaserver.service")
VIEWER = Session(kind="movie", title="A", user="u", state="playing", key="1", player="tv")


def watching(plex: FakePlex, found: FoundPlex | None = FOUND) -> Watching:
    return find_watching(plex, found, Paused(), FakeClock().moment(), paused_limit=timedelta(hours=2))


def test_somebody_watches_or_nobody_does() -> None:
    plex = FakePlex()
    assert watching(plex) is Watching.NOBODY

    plex.session_lists = [(VIEWER,)]
    assert watching(plex) is Watching.SOMEBODY


def test_where_there_is_no_plex_nobody_watches_and_where_none_was_looked_for_nothing_is_known() -> None:
    plex = FakePlex()
    plex.session_lists = [(VIEWER,)]

    assert watching(plex, FoundPlex(server=Server.NONE)) is Watching.NOBODY
    assert watching(plex, None) is Watching.UNKNOWN
    assert plex.asked == []


@pytest.mark.parametrize("error", [PlexUnauthorized("401"), PlexFailing("500"), PlexTimeout("x"), PlexUnreachable("x")])
def test_a_plex_that_does_not_tell_may_be_playing(error: PlexError) -> None:
    plex = FakePlex()
    plex.session_lists = [error]

    assert watching(plex) is Watching.UNKNOWN


def test_where_nobody_listens_nobody_watches() -> None:
    plex = FakePlex()
    plex.session_lists = [PlexRefused("x")]

    assert watching(plex) is Watching.NOBODY
