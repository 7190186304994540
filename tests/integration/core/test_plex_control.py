"""What Plex is told: the words on the wire, and what they do to the simulator."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plexguard.core.plex import Activity, Item, Library, PlexControl, PlexDeclined, PlexRefused, PlexTimeout, PlexUnauthorized
from plexguard.core.plex_http import HttpPlex
from plexguard.core.secret import Secret
from tests.fakes.plex import PlexSimulator
from tests.integration.core.test_plex_http import ask, reply, says, serving

LIBRARY = Library(key="2", title="Films", type="movie", folders=(), scanning=False)


@pytest.fixture
def plex(tmp_path: Path) -> Iterator[PlexSimulator]:
    with PlexSimulator(tmp_path / "Plex Media Server") as simulator:
        yield simulator


def control(plex: PlexSimulator) -> HttpPlex:
    return HttpPlex(plex.url, Secret(plex.token))


def add_films(plex: PlexSimulator, folder: Path, number: int) -> tuple[str, list[Path]]:
    films = [folder / f"Film {n}.mkv" for n in range(number)]
    for film in films:
        film.write_bytes(film.name.encode())
    key = plex.add_library("Films", "movie", folder)
    plex.scan(key)
    return str(key), films


@pytest.mark.parametrize(
    ("tell", "said"),
    [
        (lambda plex: plex.set_preference("autoEmptyTrash", "false", timeout_s=5.0), "PUT /:/prefs?autoEmptyTrash=0 HTTP/1.1"),
        (lambda plex: plex.set_preference("a&b", "1 2/ü", timeout_s=5.0), "PUT /:/prefs?a%26b=1%202%2F%C3%BC HTTP/1.1"),
        (
            lambda plex: plex.cancel_activity(Activity(type="", title="", library="", uuid="../a?b"), timeout_s=5.0),
            "DELETE /activities/..%2Fa%3Fb HTTP/1.1",
        ),
        (lambda plex: plex.cancel_scan(LIBRARY, timeout_s=5.0), "DELETE /library/sections/2/refresh HTTP/1.1"),
        (lambda plex: plex.empty_trash(LIBRARY, timeout_s=5.0), "PUT /library/sections/2/emptyTrash HTTP/1.1"),
    ],
)
def test_what_is_told_is_one_request_with_the_token_in_a_header(tell: Callable[[PlexControl], None], said: str) -> None:
    with serving(says(reply(b"", kind="text/html"))) as server:
        tell(ask(server))
    (request,) = server.requests
    line, *headers = request.split("\r\n")
    assert line == said
    assert "X-Plex-Token: the-token-of-the-test" in headers


def test_a_setting_that_is_changed_holds_and_one_that_plex_does_not_know_changes_nothing(plex: PlexSimulator) -> None:
    told = control(plex)
    before = told.preferences(timeout_s=5.0)
    told.set_preference("autoEmptyTrash", "false", timeout_s=5.0)
    assert told.preferences(timeout_s=5.0) == before | {"autoEmptyTrash": "false"}
    plex.restart()
    assert told.preferences(timeout_s=5.0)["autoEmptyTrash"] == "false"
    with pytest.raises(PlexDeclined, match="400"):
        told.set_preference("NoSuchSetting", "1", timeout_s=5.0)


def test_the_trash_is_counted_listed_and_emptied(plex: PlexSimulator, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    plex.preferences.put({"autoEmptyTrash": "0"}, plex_pass=True)
    key, films = add_films(plex, tmp_path / "films", 12)
    told = control(plex)
    (library,) = told.libraries(timeout_s=5.0)
    assert told.count_items(library, timeout_s=5.0).missing == 0
    for film in films[:7]:
        film.unlink()
    plex.scan(int(key))
    count = told.count_items(library, timeout_s=5.0)
    assert (count.items, count.missing) == (12, 7)
    gone = {Item(title=film.stem, files=(str(film),)) for film in films[:7]}
    assert set(told.list_missing(library, limit=5, timeout_s=5.0)) < gone
    assert set(told.list_missing(library, limit=50, timeout_s=5.0)) == gone
    assert len(told.list_missing(library, limit=5, timeout_s=5.0)) == 5
    told.empty_trash(library, timeout_s=5.0)
    count = told.count_items(library, timeout_s=5.0)
    assert (count.items, count.missing) == (5, 0)


def test_all_that_is_missing_is_listed_page_by_page(plex: PlexSimulator, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    plex.preferences.put({"autoEmptyTrash": "0"}, plex_pass=True)
    key, films = add_films(plex, tmp_path / "films", 230)
    for film in films[:220]:
        film.unlink()
    plex.scan(int(key))
    told = control(plex)
    (library,) = told.libraries(timeout_s=5.0)
    listed = told.list_missing(library, limit=1_000, timeout_s=20.0)
    assert sorted(item.files for item in listed) == sorted((str(film),) for film in films[:220])
    assert len(told.list_missing(library, limit=150, timeout_s=20.0)) == 150


def test_of_shows_the_episodes_are_counted_and_named_with_their_show(plex: PlexSimulator, tmp_path: Path) -> None:
    show = tmp_path / "shows" / "Some Show"
    show.mkdir(parents=True)
    plex.preferences.put({"autoEmptyTrash": "0"}, plex_pass=True)
    for number in range(4):
        (show / f"Some Show - S01E0{number}.mkv").write_bytes(b"x" * number)
    key = plex.add_library("Shows", "show", tmp_path / "shows")
    plex.scan(key)
    (show / "Some Show - S01E02.mkv").unlink()
    plex.scan(key)
    told = control(plex)
    (library,) = told.libraries(timeout_s=5.0)
    count = told.count_items(library, timeout_s=5.0)
    assert (count.items, count.missing) == (4, 1)
    (item,) = told.list_missing(library, limit=10, timeout_s=5.0)
    assert item.title == "Some Show - Season 1 - Some Show - S01E02"


@pytest.mark.parametrize(("mode", "fault"), [("hung", PlexTimeout), ("refusing", PlexRefused)])
def test_a_plex_that_is_away_is_told_within_the_time_given(plex: PlexSimulator, mode: str, fault: type[Exception]) -> None:
    told = control(plex)
    plex.set(mode=mode)
    with pytest.raises(fault):
        told.set_preference("autoEmptyTrash", "false", timeout_s=0.3)


def test_a_wrong_token_changes_nothing(plex: PlexSimulator) -> None:
    with pytest.raises(PlexUnauthorized):
        HttpPlex(plex.url, Secret("another")).set_preference("autoEmptyTrash", "false", timeout_s=5.0)
    assert control(plex).preferences(timeout_s=5.0)["autoEmptyTrash"] == "true"
