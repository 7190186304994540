"""Whether somebody watches: a Plex that does not tell is never "nobody", one that gives no answer at all plays to nobody."""

from datetime import timedelta

import pytest

from plexguard.core.found import FoundPlex, Server
from plexguard.core.plex import PlexError, PlexFailing, PlexRefused, PlexTimeout, PlexUnauthorized, PlexUnreachable, Session
from plexguard.net_recover.observe import Watching
from plexguard.net_recover.watching import find_watching
from tests.fakes.ports import FakeClock, FakePlex

FOUND = FoundPlex(server=Server.UNIT, name="plexmediaserver.service")
VIEWER = Session(kind="movie", title="A", user="u", state="playing", key="1", player="tv")


def watching(plex: FakePlex, found: FoundPlex | None = FOUND, *, strict: bool = False) -> Watching:
    return find_watching(plex, found, FakeClock().moment(), paused_limit=timedelta(hours=2), strict=strict)


@pytest.mark.parametrize("strict", [True, False])
def test_somebody_watches_or_nobody_does(strict: bool) -> None:
    plex = FakePlex()
    assert watching(plex, strict=strict) is Watching.NOBODY

    plex.session_lists = [(VIEWER,)]
    assert watching(plex, strict=strict) is Watching.SOMEBODY


def test_where_there_is_no_plex_nobody_watches() -> None:
    plex = FakePlex()
    plex.session_lists = [(VIEWER,)]

    assert watching(plex, None) is watching(plex, FoundPlex(server=Server.NONE)) is Watching.NOBODY
    assert plex.asked == []


@pytest.mark.parametrize("error", [PlexUnauthorized("401"), PlexFailing("500"), PlexTimeout("x")])
def test_a_plex_that_is_alive_and_does_not_tell_may_be_playing(error: PlexError) -> None:
    plex = FakePlex()
    plex.session_lists = [error]

    assert watching(plex) is watching(plex, strict=True) is Watching.UNKNOWN


@pytest.mark.parametrize("error", [PlexTimeout("x"), PlexUnreachable("x")])
def test_a_plex_that_gives_no_answer_at_all_plays_to_nobody_but_is_no_reason_to_reboot(error: PlexError) -> None:
    plex = FakePlex()
    plex.session_lists, plex.identities = [error], [error]

    assert watching(plex) is Watching.NOBODY
    assert watching(plex, strict=True) is Watching.UNKNOWN


def test_where_nobody_listens_nobody_watches() -> None:
    plex = FakePlex()
    plex.session_lists = [PlexRefused("x")]

    assert watching(plex, strict=True) is Watching.NOBODY
