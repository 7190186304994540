"""A client of Plex that many programs are made with, python-plexapi: it browses and fetches through the door and does not notice."""

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from tests.fakes.plex import PlexSimulator
from tests.integration.proxy.door import Door

pytest.importorskip("plexapi", reason="plexapi is not installed: make build/pypi/installed")

from plexapi.exceptions import NotFound, Unauthorized
from plexapi.library import Library
from plexapi.server import PlexServer

FILM_BYTES = 3_000_000
FILMS = ("Dersu Uzala (1975)", "Ran (1985)", "Solaris & Stalker (1979)")


@pytest.fixture
def plex(tmp_path: Path) -> Iterator[PlexSimulator]:
    for film in FILMS:
        (tmp_path / "Films" / film).mkdir(parents=True)
        (tmp_path / "Films" / film / f"{film}.mkv").write_bytes(os.urandom(FILM_BYTES))
    with PlexSimulator(tmp_path / "Plex Media Server") as simulator:
        simulator.scan(simulator.add_library("Films", "movie", tmp_path / "Films"))
        yield simulator


@pytest.fixture
def door(plex: PlexSimulator) -> Iterator[Door]:
    with Door(plex.url) as opened:
        yield opened


class Visitor:
    """Somebody at an address who browses. found: what each look has shown."""

    def __init__(self, url: str, token: str, folder: Path) -> None:
        self.session = requests.Session()
        self.server = PlexServer(url, token, session=self.session, timeout=20)
        self.folder = folder
        self.found: dict[str, object] = {}

    @property
    def library(self) -> Library:
        # The simulator has no /library.
        return Library(self.server, self.server.query("/library/sections"))

    def browse(self) -> None:
        server, section = self.server, self.library.section("Films")
        self.found["server"] = (server.friendlyName, server.version, server.machineIdentifier)
        films = section.all()
        self.found["films"] = [(film.title, film.year, film.ratingKey) for film in films]
        self.found["parts"] = [(part.file, part.size) for film in films for part in film.reload().iterParts()]
        self.found["sessions"] = [session.title for session in server.sessions()]
        self.found["settings"] = {setting.id: setting.value for setting in server.settings.all()}
        self.found["activities"] = len(server.activities)
        self.found["tasks"] = [task.name for task in server.butlerTasks()]
        with pytest.raises(NotFound):
            server.fetchItem(4711)
        self.found["fetched"] = server.fetchItem(films[0].ratingKey).title
        section.update()

    def fetch(self) -> None:
        self.found["digests"] = [
            hashlib.sha256(Path(path).read_bytes()).hexdigest()
            for film in self.library.section("Films").all()
            for path in self.save(film)
        ]

    def save(self, film) -> list[str]:
        return film.download(str(self.folder / str(film.ratingKey)))


def asked(plex: PlexSimulator) -> list[tuple[object, ...]]:
    """Return what Plex was asked since the last time, without what is for one hop and what the door adds."""
    own = {"x-forwarded-for", "x-plexguard-began", "x-plexguard-kind", "host", "connection"}
    seen = []
    for request in plex.requests:
        if request.path != "/identity":
            headers = {name: value for name, value in request.headers.items() if name not in own}
            seen.append((request.method, request.path, parse_qsl(urlsplit(request.target).query), headers, request.body))
    plex.requests.clear()
    return seen


def test_client_sees_and_plex_is_asked_the_same_with_the_door_between_them(plex, door, tmp_path):
    plex.requests.clear()
    visits = {}
    for name, url in {"straight": plex.url, "through": f"http://127.0.0.1:{door.port}"}.items():
        visitor = Visitor(url, plex.token, tmp_path / name)
        visitor.browse()
        plex.wait_for_scans()
        visitor.fetch()
        visits[name] = (visitor.found, asked(plex))
    straight, through = visits.values()
    assert through[0] == straight[0]
    assert through[1] == straight[1]
    files = sorted((tmp_path / "Films").glob("*/*.mkv"))
    assert sorted(straight[0]["digests"]) == sorted(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)


def test_client_without_a_token_that_counts_is_refused_by_plex_through_the_door(plex, door, tmp_path):
    with pytest.raises(Unauthorized):
        Visitor(f"http://127.0.0.1:{door.port}", "wrong", tmp_path)


def reload(door: Door, _plex: PlexSimulator) -> None:
    door.reload()


def lose_pictures(door: Door, _plex: PlexSimulator) -> None:
    door.stop("pics")


def restart_plex(_door: Door, plex: PlexSimulator) -> None:
    plex.restart()


def refuse(_door: Door, plex: PlexSimulator) -> None:
    plex.set(mode="refusing")
    threading.Timer(0.5, lambda: plex.set(mode="healthy")).start()


def pause(_door: Door, plex: PlexSimulator) -> None:
    """For longer than one attempt may take, and shorter than two."""
    plex.set(mode="pause", duration_s=1.4)


@pytest.mark.parametrize("trouble", [reload, lose_pictures, restart_plex, refuse, pause])
def test_client_does_not_notice_trouble_between_its_requests(plex, door, tmp_path, trouble):
    """Its connections to the door are kept all the while."""
    visitor = Visitor(f"http://127.0.0.1:{door.port}", plex.token, tmp_path / "saved")
    visitor.browse()
    before = dict(visitor.found)
    plex.wait_for_scans()
    trouble(door, plex)
    visitor.browse()
    assert visitor.found == before
    visitor.fetch()


@pytest.mark.parametrize("trouble", [refuse, pause])
def test_client_without_the_door_would_have_noticed(plex, door, tmp_path, trouble):
    visitor = Visitor(plex.url, plex.token, tmp_path)
    # As long as an attempt through the door may take.
    visitor.server._timeout = 1
    trouble(door, plex)
    with pytest.raises(requests.RequestException):
        visitor.browse()
