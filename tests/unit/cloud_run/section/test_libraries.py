"""Libraries are made once each, through a Plex that is slow to show them, away for a while, or cut off after it has heard."""

from dataclasses import dataclass, field, replace

import pytest

from plexguard.cloud_run.section.labour import LabourFailed, insist
from plexguard.cloud_run.section.libraries import add_libraries
from plexguard.core.plex import Library, NewLibrary, PlexBroken, PlexDeclined, PlexUnauthorized
from tests.fakes.ports import FakeClock

FILMS = NewLibrary(title="Films", type="movie", agent="a", scanner="s", language="en-US", folders=("/Media/Films",))
MUSIC = replace(FILMS, title="Music", type="artist")


@dataclass
class SlowPlex:
    """shown_s: how long after a library is made it is listed. cut_off: how many calls are heard, and their answers lost."""

    clock: FakeClock = field(default_factory=FakeClock)
    shown_s: float = 0.0
    cut_off: int = 0
    declines: bool = False
    made: list[tuple[str, float]] = field(default_factory=list)

    def libraries(self, *, timeout_s: float) -> tuple[Library, ...]:
        now_s = self.clock.monotonic_s()
        return tuple(
            Library(key=str(place), title=title, type="movie", folders=(), scanning=False)
            for place, (title, at_s) in enumerate(self.made)
            if now_s - at_s >= self.shown_s
        )

    def add_library(self, library: NewLibrary, *, timeout_s: float) -> None:
        if self.declines:
            raise PlexDeclined("400")
        self.made.append((library.title, self.clock.monotonic_s()))
        if self.cut_off:
            self.cut_off -= 1
            raise PlexBroken("the answer broke off")


def add(plex: SlowPlex, *wanted: NewLibrary) -> list[str]:
    add_libraries(wanted, plex, plex.clock)  # type: ignore[arg-type]
    return [title for title, _ in plex.made]


def test_libraries_are_made_in_their_order_and_each_is_seen_before_the_next():
    assert add(SlowPlex(shown_s=30.0), FILMS, MUSIC) == ["Films", "Music"]


def test_library_that_is_there_is_not_made_again():
    plex = SlowPlex()
    add(plex, FILMS)

    assert add(plex, FILMS, MUSIC) == ["Films", "Music"]


def test_call_that_was_cut_off_and_heard_makes_none_twice():
    assert add(SlowPlex(cut_off=1), FILMS) == ["Films"]


def test_library_that_plex_declines_or_never_shows_is_told():
    with pytest.raises(LabourFailed, match="does not make the library Films, of /Media/Films"):
        add(SlowPlex(declines=True), FILMS)
    with pytest.raises(LabourFailed, match="Films: Plex was to make this library, and does not show it"):
        add(SlowPlex(shown_s=1e9), FILMS)


def test_plex_that_refuses_for_good_is_not_asked_for_as_long_as_one_that_is_away():
    clock = FakeClock()

    def ask(error: Exception) -> float:
        began_s = clock.monotonic_s()

        def fail() -> None:
            raise error

        with pytest.raises(type(error)):
            insist(clock, fail)
        return clock.monotonic_s() - began_s

    assert 180.0 <= ask(PlexUnauthorized("401")) < 200.0
    assert 900.0 <= ask(PlexBroken("500")) < 920.0
    assert ask(PlexDeclined("400")) == 0.0
