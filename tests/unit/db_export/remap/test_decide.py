"""A path is moved by whole names, every byte of it, once."""

from random import Random
from urllib.parse import quote, unquote

import pytest

from plexguard.db_export.remap.decide import Mover, rewrite

E_ONE, E_TWO = "S\u00e9ries", "Se\u0301ries"
PARTS = (
    *("TV", "TVShows", "tv", "TV Shows", "O'Brien", '"Q"', "100%", "a_b", "a%b", "back\\slash", "new\nline", E_ONE, E_TWO, "💿"),
    *("%2F", "%20", "\udce9t\udce9", "Media", "x", "xx", " ", "TV ", "?", "#", "日本", ";", "--"),
)
# What comes after a folder: most often nothing; a slash or two, a name of a folder once more, a part that is none.
ENDS = ("", "", "", "", "/", "//", "/TV/TV", "TV", "/./x")


def make_folder(dice: Random) -> str:
    return "/" + "/".join(dice.choices(PARTS, k=dice.randrange(5)))


def make_path(dice: Random) -> str:
    path = make_folder(dice)
    return (path if dice.randrange(20) else path.lstrip("/")) + dice.choice(ENDS)


def make_mappings(dice: Random) -> dict[str, str]:
    return {make_folder(dice): make_folder(dice) for _ in range(dice.randint(1, 5))}


def oracle(path: str, mappings: dict[str, str]) -> str | None:
    """Do the same on lists of names, by trying every mapping."""
    if not path.startswith("/"):
        return None
    names = path.split("/")[1:]
    best: tuple[int, list[str]] | None = None
    for old, new in mappings.items():
        want = [part for part in old.split("/") if part]
        if names[: len(want)] == want and (best is None or len(want) > best[0]):
            best = (len(want), [part for part in new.split("/") if part])
    if best is None:
        return None
    rest = [] if path == "/" else names[best[0] :]
    return "/" + "/".join(best[1] + rest)


MAPPINGS = {"/Media/TVShows": "/Media/TV", "/Media/TV": "/srv/Series", "/Media/TV/One": "/Media/Two", "/Media/x.mkv": "/y.mkv"}


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("/Media/TVShows/a.mkv", "/Media/TV/a.mkv"),
        ("/Media/TVShows", "/Media/TV"),
        ("/Media/TVShows/", "/Media/TV/"),
        ("/Media/TVShowsToo/a.mkv", None),
        ("/media/TVShows/a.mkv", None),
        ("/Media/TV/One/a.mkv", "/Media/Two/a.mkv"),
        ("/Media/TV/Media/TV/a.mkv", "/srv/Series/Media/TV/a.mkv"),
        ("/Media/x.mkv", "/y.mkv"),
        ("Media/TV/a.mkv", None),
        ("", None),
        ("/", None),
        ("//Media/TV/a.mkv", None),
    ],
)
def test_the_longest_mapping_of_whole_names_counts_once(path, new):
    moved = rewrite(path, MAPPINGS)
    assert (moved and moved[0]) == new


def test_the_mapping_that_counted_is_told():
    assert rewrite("/Media/TV/One/a.mkv", MAPPINGS) == ("/Media/Two/a.mkv", "/Media/TV/One")
    assert rewrite("/a", {"/": "/mnt"}) == ("/mnt/a", "/")


@pytest.mark.parametrize(("path", "new"), [("/", "/mnt"), ("/a", "/mnt/a"), ("//a", "/mnt//a"), ("a", None), ("", None)])
def test_the_root_can_be_moved(path, new):
    moved = rewrite(path, {"/": "/mnt"})
    assert (moved and moved[0]) == new


@pytest.mark.parametrize(("path", "new"), [("/a", "/"), ("/a/b", "/b"), ("/a/", "/")])
def test_a_folder_can_become_the_root(path, new):
    moved = rewrite(path, {"/a": "/"})
    assert moved is not None and moved[0] == new


def test_a_path_of_very_many_names_is_no_trouble():
    assert rewrite("/a" * 5000, {"/a": "/b"}) == ("/b" + "/a" * 4999, "/a")


@pytest.mark.parametrize("seed", range(10))
def test_100_000_hostile_paths_become_what_an_oracle_says(seed):
    dice, moved_at_all = Random(seed), 0
    for _ in range(400):
        mappings = make_mappings(dice)
        mover = Mover(mappings)
        for path in [make_path(dice) for _ in range(25)] + list(mappings):
            moved = mover.move(path)
            assert (moved and moved[0]) == oracle(path, mappings), (path, mappings)
            moved_at_all += moved is not None
    assert moved_at_all > 1000


@pytest.mark.parametrize("seed", range(5))
def test_an_address_becomes_that_of_the_new_path(seed):
    dice = Random(seed)
    for _ in range(200):
        mappings = make_mappings(dice)
        mover = Mover(mappings)
        for path in [make_folder(dice) for _ in range(5)] + list(mappings):
            moved, url = mover.move(path), mover.move_url("file://" + quote(path, errors="surrogateescape"))
            assert (url and unquote(url[0][7:], errors="surrogateescape")) == (moved and moved[0])
            assert (url and url[1]) == (moved and moved[1])


@pytest.mark.parametrize(
    ("url", "new"),
    [
        # What is not moved keeps its form, and what is moved takes it.
        ("file:///Media/TVShows/A%20%28b%29.srt", "file:///New%20TV/A%20%28b%29.srt"),
        ("file:///Media/TVShows/A (b).srt", "file:///New TV/A (b).srt"),
        ("file:///Media/TVShows/a%2Fb.srt", "file:///New%20TV/a%2Fb.srt"),
        ("file:///Media%2FTVShows/a.srt", None),
        ("file:///Media/TVShowsToo/a.srt", None),
        ("file://host/Media/TVShows/a.srt", None),
        ("http://Media/TVShows/a.srt", None),
        ("media://Media/TVShows/a.srt", None),
        ("/Media/TVShows/a.srt", None),
        ("", None),
    ],
)
def test_an_address_keeps_its_form(url, new):
    moved = Mover({"/Media/TVShows": "/New TV"}).move_url(url)
    assert (moved and moved[0]) == new


def test_the_address_of_the_root_can_be_moved():
    assert Mover({"/": "/mnt"}).move_url("file:///") == ("file:///mnt", "/")
    assert Mover({"/a": "/"}).move_url("file:///a") == ("file:///", "/a")
