"""What the root side publishes: it survives its file, and a container's paths lead to the host's."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from plexguard.core.endpoints import ENDPOINTS, Endpoint, overlap
from plexguard.core.found import (
    KEPT,
    PLEX_FILE,
    SCHEMA,
    FoundContainer,
    FoundPlex,
    Mount,
    Server,
    host_path,
    is_plexs,
    read_last_plex,
    url_of,
)
from plexguard.core.records import decode, encode
from plexguard.core.state import StateFile
from tests.fakes.ports import FakeJournal

MOUNTS = (
    Mount(source="/srv/media", destination="/data"),
    Mount(source="/srv/kids/", destination="/data/kids/"),
    Mount(source="/opt/plex", destination="/config"),
)


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ("/data", "/srv/media"),
        ("/data/", "/srv/media"),
        ("/data/Films/a.mkv", "/srv/media/Films/a.mkv"),
        ("/data/kids", "/srv/kids"),
        ("/data/kids/x", "/srv/kids/x"),
        ("/data/kids2/x", "/srv/media/kids2/x"),
        ("/database", None),
        ("/", None),
        ("/srv/media", None),
        ("", None),
    ],
)
def test_container_path_leads_to_the_host_by_the_longest_mount(inside: str, outside: str | None) -> None:
    assert host_path(inside, MOUNTS) == outside
    assert host_path(inside, tuple(reversed(MOUNTS))) == outside


@pytest.mark.parametrize(("inside", "outside"), [("/x/y", "/host/x/y"), ("/data/a", "/srv/media/a")], ids=["root", "deeper"])
def test_mount_over_the_root_of_a_container_leads_everywhere(inside: str, outside: str) -> None:
    assert host_path(inside, (Mount(source="/host", destination="/"), *MOUNTS)) == outside


def test_host_root_as_a_source_gives_no_double_slash() -> None:
    assert host_path("/host/srv/x", (Mount(source="/", destination="/host"),)) == "/srv/x"
    assert host_path("/host", (Mount(source="/", destination="/host"),)) == "/"


@pytest.mark.parametrize(
    "record",
    [
        FoundPlex(server=Server.NONE, missing="no Plex here"),
        FoundPlex(
            server=Server.UNIT,
            name="plexmediaserver.service",
            uid=997,
            gids=(997, 44),
            folders=("/srv/\udcff",),
            links={"/a": "/b"},
        ),
        FoundContainer(name="plex"),
        FoundContainer(name="plex", status="running", started=datetime(2026, 3, 1, tzinfo=UTC), seen_s=1.5, mounts=MOUNTS),
    ],
    ids=["none", "unit", "absent", "running"],
)
def test_what_was_found_survives_its_file(record: FoundPlex | FoundContainer) -> None:
    assert decode(type(record), json.loads(json.dumps(encode(record)))) == record


def test_container_that_is_absent_does_not_exist() -> None:
    assert not FoundContainer(name="plex").exists
    assert FoundContainer(name="plex", status="exited").exists


def test_plex_is_where_it_was_found_or_where_it_usually_is() -> None:
    assert url_of(FoundPlex(server=Server.REMOTE, url="http://192.0.2.1:32400")) == "http://192.0.2.1:32400"
    assert url_of(FoundPlex(server=Server.NONE)) == url_of(None) == "http://127.0.0.1:32400"


@pytest.mark.parametrize(
    ("server", "url", "address", "is_his"),
    [
        (Server.UNIT, "", "127.0.0.1:32400", True),
        # It listens at all addresses.
        (Server.UNIT, "", "192.0.2.7:32400", True),
        (Server.NONE, "", "[::1]:32400", True),
        (Server.UNIT, "", "127.0.0.1:32401", False),
        (Server.UNIT, "http://127.0.0.1:32401", "127.0.0.1:32401", True),
        # Docker gives a container the address that it is told.
        (Server.CONTAINER, "http://localhost:32400", "127.0.0.1:32400", True),
        (Server.CONTAINER, "http://127.0.0.1:32400", "192.0.2.7:32400", False),
        (Server.CONTAINER, "http://127.0.0.1:32400", "0.0.0.0:32400", True),
        # A door that leads to itself.
        (Server.REMOTE, "http://192.0.2.7:32400", "192.0.2.7:32400", True),
        (Server.REMOTE, "http://192.0.2.8:32400", "0.0.0.0:32400", False),
        (Server.REMOTE, "http://plex.example.org", "192.0.2.7:32400", False),
    ],
)
def test_where_plex_listens_itself(server: Server, url: str, address: str, is_his: bool) -> None:
    (endpoint,) = ENDPOINTS.parse([address])

    assert is_plexs(endpoint, FoundPlex(server=server, url=url)) is is_his


def test_before_anybody_has_looked_its_port_is_plexs() -> None:
    assert is_plexs(Endpoint(address="192.0.2.7", port=32400), None)


@pytest.mark.parametrize(
    ("one", "other", "do"),
    [
        ("127.0.0.1:1", "127.0.0.1:1", True),
        ("127.0.0.1:1", "127.0.0.1:2", False),
        ("127.0.0.1:1", "192.0.2.7:1", False),
        ("0.0.0.0:1", "192.0.2.7:1", True),
        ("0.0.0.0:1", "[::1]:1", False),
        ("[::]:1", "[::1]:1", True),
        ("[::]:1", "192.0.2.7:1", True),
        ("[::]:1", "0.0.0.0:1", True),
    ],
)
def test_addresses_of_which_only_one_can_be_listened_at(one: str, other: str, do: bool) -> None:
    first, second = ENDPOINTS.parse([one, other])

    assert overlap(first, second) is overlap(second, first) is do


NONE = FoundPlex(server=Server.NONE)
NOW, BEFORE = FoundPlex(server=Server.UNIT, name="now"), FoundPlex(server=Server.CONTAINER, name="before")


@pytest.mark.parametrize(
    ("published", "kept", "last"),
    [(NOW, BEFORE, NOW), (None, BEFORE, BEFORE), (NONE, BEFORE, BEFORE), (NONE, None, NONE), (None, None, NONE)],
    ids=["found", "early in a boot", "its container is not known yet", "none", "never looked"],
)
def test_last_server_is_the_one_of_before_while_none_is_found(
    tmp_path: Path, published: FoundPlex | None, kept: FoundPlex | None, last: FoundPlex
) -> None:
    (tmp_path / KEPT).parent.mkdir()
    for name, record in ((PLEX_FILE.name, published), (KEPT, kept)):
        if record is not None:
            StateFile(tmp_path / name, FoundPlex, schema=SCHEMA, journal=FakeJournal()).save(record)

    assert read_last_plex(FakeJournal(), runtime=tmp_path, state=tmp_path) == last
