"""Which libraries a run works on."""

import pytest

from plexguard.cloud_run.section.order import UnknownSection, choose_sections
from plexguard.core.errors import DataError
from plexguard.core.plex import Library


def library(key: str, title: str, kind: str) -> Library:
    return Library(key=key, title=title, type=kind, folders=(), scanning=False)


FILMS, MUSIC, PHOTOS = library("1", "Films", "movie"), library("7", "Music", "artist"), library("4", "Photos", "photo")
KNOWN = (FILMS, MUSIC, PHOTOS)


def test_all_are_taken_in_their_order_but_what_is_left_out() -> None:
    assert choose_sections(KNOWN, (), ("photo",)) == (FILMS, MUSIC)
    assert choose_sections(KNOWN, (), ()) == KNOWN


def test_those_that_are_named_are_taken_in_that_order_once_each_whatever_is_left_out() -> None:
    assert choose_sections(KNOWN, ("Photos", "Films", "Photos"), ("photo",)) == (PHOTOS, FILMS)


def test_a_name_that_is_unknown_is_told_with_those_that_are_known() -> None:
    with pytest.raises(UnknownSection, match="called films, Filme; there are: Films, Music, Photos"):
        choose_sections(KNOWN, ("films", "Music", "Filme"), ())


def test_two_of_one_name_cannot_be_told_apart() -> None:
    twice = (*KNOWN, library("9", "Films", "movie"))
    with pytest.raises(DataError, match="two libraries called Films"):
        choose_sections(twice, ("Films",), ())
    assert choose_sections(twice, (), ()) == twice
