"""What the root side publishes: it survives its file, and a container's paths lead to the host's."""

import json
from datetime import UTC, datetime

import pytest

from plexguard.core.found import FoundContainer, FoundPlex, Mount, Server, host_path
from plexguard.core.records import decode, encode

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
        FoundPlex(server=Server.UNIT, name="plexmediaserver.service", uid=997, gids=(997, 44), folders=("/srv/\udcff",)),
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
