"""Names say which season and which episode."""

import pytest

from plexguard.db_export.paths.names import read_clue, read_season


@pytest.mark.parametrize(
    ("below", "season", "episode"),
    [
        ("Columbo/Columbo.S00E01.avi", 0, 1),
        ("Columbo/Season 03/Columbo.3x04.avi", 3, 4),
        ("Kaamelott Integrale (Livres I a VI + Bonus)/Livre IV/12 - Les Pisteurs.avi", 4, 12),
        ("Kaamelott Integrale (Livres I a VI + Bonus)/Livre I/Kaamelott - Livre II - Episode 3.avi", 2, 3),
        ("Kaamelott/Season 6/Épisode 07.avi", 6, 7),
        ("Hart to Hart/hart-to-hart-s02/hart.e11.mkv", 2, 11),
        ("Dark/Staffel 1/Folge 3.mkv", 1, 3),
        ("Show/Specials/Making of.mkv", 0, None),
        ("Show/Show S01E02-E03.mkv", 1, 2),
        ("Film (1984)/Film (1984) 1920x1080.mkv", None, None),
        ("Band/Album/02 - Song.flac", None, 2),
        ("Film.mkv", None, None),
    ],
)
def test_season_and_episode_are_read(below, season, episode):
    clue = read_clue(below)
    assert (clue.season, clue.episode) == (season, episode)


@pytest.mark.parametrize(
    ("folder", "season"),
    [
        ("Livre I", 1),
        ("Livre IX", 9),
        ("LIVRE XIV", 14),
        ("Season 10", 10),
        ("show-s01", 1),
        ("S 2", 2),
        ("Bonus", 0),
        ("Six", None),
        ("Livres I a VI", None),
        ("Simpsons", None),
        ("Vikings", None),
    ],
)
def test_a_folder_of_a_season_is_known(folder, season):
    assert read_season(folder) == season


def test_words_are_without_accents_and_the_show_is_the_folder():
    clue = read_clue("Les Enquêtes/Saison 1/Les.Enquetes.S01E01.Le.Début.mkv")
    assert clue.show == {"enquetes"} and "debut" in clue.title
