"""The root side looks for itself."""

from datetime import timedelta

from plexguard.core.found import FoundPlex, Server
from plexguard.core.manager import Unit
from plexguard.core.plex import PlexTimeout, PlexUnauthorized
from plexguard.core.viewers import Paused
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.look import Answer
from plexguard.plex_probe.restart.observe import observe
from plexguard.plex_probe.server import ServerState
from tests.fakes.ports import FakeClock, FakeManager, FakePlex

FOUND = FoundPlex(server=Server.UNIT, name="plexmediaserver.service")


def look(plex: FakePlex, clock: FakeClock, with_token: FakePlex | None = None):
    manager = FakeManager(Unit(name=FOUND.name, load_state="loaded", active_state="active", sub_state="running", started_s=1.0))
    return observe(
        plex,
        FOUND,
        manager=manager,
        container=None,
        clock=clock,
        config=Config(),
        paused=Paused(),
        paused_limit=timedelta(hours=2),
        open_with_token=lambda: with_token or plex,
    )


def test_it_looks_once_and_sees_what_runs_plex() -> None:
    clock = FakeClock()
    plex = FakePlex(clock)
    plex.identities = [PlexTimeout("hung")]

    seen = look(plex, clock)

    assert plex.asked == ["connect", "identity", "sessions", "activities"]
    assert (seen.look.answer, seen.server.state, seen.found) == (Answer.SILENT, ServerState.RUNNING, FOUND)


def test_a_plex_that_wants_a_token_is_alive() -> None:
    clock = FakeClock()
    plex = FakePlex(clock)
    plex.session_lists = [PlexUnauthorized("401")]

    assert look(plex, clock).look.answer is Answer.LIMITED


def test_a_database_that_is_stuck_is_seen_with_the_token() -> None:
    clock = FakeClock()
    bare, known = FakePlex(clock), FakePlex(clock)
    bare.session_lists = [PlexUnauthorized("401")]
    known.library_lists = [PlexTimeout("stuck")]

    seen = look(bare, clock, known)

    assert seen.is_stuck
    assert seen.is_in_use is False
    assert known.asked[-1] == "activities"
