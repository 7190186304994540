"""Who watches: each player once, and none that was left paused."""

from datetime import timedelta
from pathlib import Path

import pytest

from plexguard.core.plex import PlexError, PlexRefused, PlexTimeout, PlexUnauthorized, Session
from plexguard.core.viewers import PAUSED_NAME, Paused, ask_viewers, note_paused, paused_file, pick_viewers, read_paused
from tests.fakes.ports import FakeClock, FakeJournal, FakePlex

LIMIT = timedelta(hours=2)


def session(player: str = "tv", state: str = "playing", kind: str = "movie", key: str = "1") -> Session:
    return Session(kind=kind, title="A", user="u", state=state, key=key, player=player)


@pytest.mark.parametrize("kind", ["movie", "episode", "track", "photo", "clip"])
@pytest.mark.parametrize("state", ["playing", "buffering", "paused", ""])
def test_everything_that_is_being_played_has_a_viewer(kind: str, state: str) -> None:
    assert len(pick_viewers([session(kind=kind, state=state)], Paused(), FakeClock().moment(), limit=LIMIT)) == 1


def test_live_tv_that_is_listed_twice_has_one_viewer() -> None:
    twice = [session(key="1"), session(key="2"), session(player="phone", key="3")]

    assert len(pick_viewers(twice, Paused(), FakeClock().moment(), limit=LIMIT)) == 2


def test_players_that_do_not_tell_who_they_are_are_counted_one_by_one() -> None:
    assert (
        len(pick_viewers([session(player="", key="1"), session(player="", key="2")], Paused(), FakeClock().moment(), limit=LIMIT))
        == 2
    )


def pass_time(clock: FakeClock, seconds: float, sessions: list[Session], known: Paused) -> Paused:
    """Let time pass, in which the probe looks every half a minute."""
    for _ in range(int(seconds // 30)):
        clock.pass_time(30)
        known = note_paused(sessions, known, clock.moment())
    clock.pass_time(seconds % 30)
    return note_paused(sessions, known, clock.moment())


def test_what_was_paused_before_the_probe_stopped_looking_is_not_known() -> None:
    clock = FakeClock()
    left = [session(state="paused")]
    known = note_paused(left, Paused(), clock.moment())

    clock.pass_time(3 * 86_400)

    assert len(pick_viewers(left, known, clock.moment(), limit=LIMIT)) == 1
    assert note_paused(left, known, clock.moment()).since["tv 1"] == clock.moment()


def test_a_device_that_was_left_paused_is_no_viewer_and_its_return_is_noticed() -> None:
    clock = FakeClock()
    left = [session(state="paused")]
    known = note_paused(left, Paused(), clock.moment())

    known = pass_time(clock, LIMIT.total_seconds() - 1, left, known)
    assert len(pick_viewers(left, known, clock.moment(), limit=LIMIT)) == 1
    clock.pass_time(1)
    assert pick_viewers(left, known, clock.moment(), limit=LIMIT) == ()

    back = [session(state="playing")]
    assert len(pick_viewers(back, known, clock.moment(), limit=LIMIT)) == 1
    known = note_paused(left, note_paused(back, known, clock.moment()), clock.moment())
    assert len(pick_viewers(left, known, clock.moment(), limit=LIMIT)) == 1


def test_a_clock_that_is_set_makes_no_viewer_an_abandoned_one() -> None:
    clock = FakeClock()
    left = [session(state="paused")]
    known = note_paused(left, Paused(), clock.moment())
    clock.wall += timedelta(days=400)

    assert len(pick_viewers(left, known, clock.moment(), limit=LIMIT)) == 1


@pytest.mark.parametrize("error", [PlexTimeout("x"), PlexUnauthorized("x"), PlexError("x")])
def test_no_answer_is_never_nobody(error: PlexError) -> None:
    plex = FakePlex()
    plex.session_lists = [error]

    assert ask_viewers(plex, Paused(), FakeClock().moment(), limit=LIMIT, timeout_s=3.0) is None


def test_where_nobody_listens_nobody_watches() -> None:
    plex = FakePlex()
    plex.session_lists = [PlexRefused("x")]

    assert ask_viewers(plex, Paused(), FakeClock().moment(), limit=LIMIT, timeout_s=3.0) == ()


def test_what_the_probe_wrote_down_is_read(tmp_path: Path) -> None:
    paused = Paused(since={"tv": FakeClock().moment()}, seen=FakeClock().moment())
    paused_file(tmp_path, FakeJournal()).save(paused)

    assert read_paused(FakeJournal(), tmp_path) == paused


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "1", '{"schema": 2}', '{"schema": 1, "since": {"tv": 3}}', '{"schema": 1, "since": 7}']
)
def test_what_cannot_be_read_is_not_known_and_stays_where_it_is(tmp_path: Path, text: str) -> None:
    (tmp_path / PAUSED_NAME).write_text(text)
    journal = FakeJournal()

    assert read_paused(journal, tmp_path) == Paused()
    assert (tmp_path / PAUSED_NAME).read_text() == text
    assert journal.sent == []


def test_what_is_not_there_is_not_known(tmp_path: Path) -> None:
    assert read_paused(FakeJournal(), tmp_path) == Paused()
