"""Plex's own word on its libraries."""

from pathlib import Path

from plexguard.core.clock import SystemClock
from plexguard.core.plex_http import HttpPlex
from plexguard.core.secret import Secret
from plexguard.core.token import find_token
from plexguard.discover.observe import ask_folders
from tests.fakes.plex import PlexSimulator


def test_folders_are_those_of_all_libraries(tmp_path: Path) -> None:
    with PlexSimulator(tmp_path / "Plex Media Server") as plex:
        plex.add_library("Films", "movie", "/srv/media/Films", "/srv/more/Films")
        plex.add_library("Séries", "show", "/srv/média/Séries")

        folders = ask_folders(lambda: HttpPlex(plex.url, Secret(plex.token)), SystemClock(), wait_s=0.0)

    assert folders == ("/srv/media/Films", "/srv/more/Films", "/srv/média/Séries")


def test_a_plex_that_is_down_or_does_not_know_us_tells_nothing(tmp_path: Path) -> None:
    with PlexSimulator(tmp_path / "Plex Media Server") as plex:
        plex.add_library("Films", "movie", "/srv/media/Films")
        assert ask_folders(lambda: HttpPlex(plex.url, None), SystemClock(), wait_s=0.0) is None
        plex.set(mode="refusing")
        assert ask_folders(lambda: HttpPlex(plex.url, Secret(plex.token)), SystemClock(), wait_s=0.0) is None


def test_the_token_follows_a_plex_that_is_claimed_anew(tmp_path: Path) -> None:
    with PlexSimulator(tmp_path / "Plex Media Server") as plex:
        plex.add_library("Films", "movie", "/srv/media/Films")
        plex.set(token="another-token-9876543210")

        token = find_token((plex.data / "Preferences.xml").read_text())

        assert token is not None
        assert token.reveal() == "another-token-9876543210"
        assert ask_folders(lambda: HttpPlex(plex.url, token), SystemClock(), wait_s=0.0) == ("/srv/media/Films",)
