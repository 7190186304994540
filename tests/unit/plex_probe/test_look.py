"""One look, level by level."""

import pytest

from plexguard.core.plex import (
    PlexBroken,
    PlexError,
    PlexFailing,
    PlexMaintenance,
    PlexRefused,
    PlexTimeout,
    PlexUnauthorized,
    PlexUnreachable,
    Session,
)
from plexguard.plex_probe.look import Answer, Level, take_look
from tests.fakes.ports import IDENTITY, FakeClock, FakePlex

FAULTS = {
    PlexMaintenance: Answer.MAINTENANCE,
    PlexUnauthorized: Answer.UNAUTHORIZED,
    PlexRefused: Answer.REFUSED,
    PlexTimeout: Answer.SILENT,
    PlexFailing: Answer.FAILING,
    PlexBroken: Answer.BROKEN,
    PlexUnreachable: Answer.UNREACHABLE,
}


DEEPER = FAULTS | {PlexTimeout: Answer.DATABASE_SILENT}


def script(plex: FakePlex, level: Level, fault: PlexError) -> None:
    """Have one level fail."""
    scripts = {
        Level.TCP: plex.connections,
        Level.IDENTITY: plex.identities,
        Level.TOKEN: plex.session_lists,
        Level.DATABASE: plex.library_lists,
        Level.MEDIA: plex.media,
    }
    scripts[level][:] = [fault]  # type: ignore[call-overload]


CALLS = {
    Level.TCP: "connect",
    Level.IDENTITY: "identity",
    Level.TOKEN: "sessions",
    Level.DATABASE: "libraries",
    Level.MEDIA: "media",
}


def rows() -> list[object]:
    found = [(Level.TCP, fault, FAULTS[fault]) for fault in (PlexRefused, PlexTimeout, PlexUnreachable)]
    found += [(Level.IDENTITY, *row) for row in FAULTS.items()]
    found += [(level, *row) for level in (Level.TOKEN, Level.DATABASE) for row in DEEPER.items()]
    found += [(Level.MEDIA, fault, Answer.MEDIA_FAILED) for fault in FAULTS]
    return [pytest.param(*row, id=f"{row[0].name} {row[1].__name__}") for row in found]


@pytest.mark.parametrize(("level", "fault", "answer"), rows())
def test_a_look_ends_at_the_level_that_fails_and_names_it(level: Level, fault: type[PlexError], answer: Answer) -> None:
    clock = FakeClock()
    plex = FakePlex(clock)
    script(plex, level, fault("why"))

    look = take_look(plex, clock, timeout_s=5.0, has_token=True, read_media=True)

    before = list(Level)[: list(Level).index(level)]
    assert (look.answer, look.level, look.detail) == (answer, level, "why")
    assert list(look.latencies) == [passed.value for passed in before]
    assert plex.asked == [CALLS[passed] for passed in (*before, level)]
    assert look.version == (IDENTITY.version if Level.IDENTITY in before else "")


def test_a_look_without_a_token_is_limited_and_no_wrong_token() -> None:
    clock = FakeClock()
    plex = FakePlex(clock)
    plex.session_lists = [PlexUnauthorized("401")]

    look = take_look(plex, clock, timeout_s=5.0, has_token=False)

    assert look.answer is Answer.LIMITED
    assert look.sessions is None


def test_a_look_that_is_well_tells_how_long_each_level_took_and_who_plays() -> None:
    clock = FakeClock()
    plex = FakePlex(clock, took_s=0.25)
    playing = (Session(kind="movie", title="A", user="u", state="playing"),)
    plex.session_lists = [playing]

    look = take_look(plex, clock, timeout_s=5.0, has_token=True)

    assert look.answer is Answer.WELL
    assert look.latencies == {name: pytest.approx(0.25) for name in ("tcp", "identity", "token", "database")}
    assert look.sessions == playing


def test_who_it_is_has_one_timeout_and_each_level_behind_it_its_own() -> None:
    clock = FakeClock()
    plex = FakePlex(clock, took_s=1.5)
    plex.identities = [PlexTimeout("silent")]
    began_s = clock.monotonic_s()
    take_look(plex, clock, timeout_s=5.0, has_token=True)
    assert clock.monotonic_s() - began_s == pytest.approx(5.0)

    plex = FakePlex(clock, took_s=3.0)
    plex.took_s = 3.0
    look = take_look(plex, clock, timeout_s=8.0, has_token=True)
    assert look.answer is Answer.WELL
    assert look.slowest_s == pytest.approx(3.0)


def test_a_media_file_is_only_read_where_that_is_asked_for_and_there_is_a_library() -> None:
    clock = FakeClock()
    plex = FakePlex(clock)
    take_look(plex, clock, timeout_s=5.0, has_token=True)
    plex.library_lists = [()]
    look = take_look(plex, clock, timeout_s=5.0, has_token=True, read_media=True)

    assert "media" not in plex.asked
    assert look.answer is Answer.WELL


def test_the_slowest_level_is_one_of_plex_itself() -> None:
    clock = FakeClock()
    plex = FakePlex(clock, took_s=0.5)

    look = take_look(plex, clock, timeout_s=5.0, has_token=True, read_media=True)

    assert look.slowest_s == pytest.approx(0.5)
    assert look.latencies["media"] == pytest.approx(0.5)
