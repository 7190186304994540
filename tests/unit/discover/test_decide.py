"""Which server is guarded, and which folders are its libraries."""

import dataclasses

import pytest

from plexguard.core.found import FoundContainer, FoundPlex, Mount, Server
from plexguard.core.manager import Unit
from plexguard.core.plex_config import PlexConfig
from plexguard.discover.decide import DEFAULT_URL, add_folders, choose_server
from plexguard.discover.observe import Observation

RUNS = Unit(name="plexmediaserver.service", load_state="loaded", active_state="active", user="plex")
RESTS = dataclasses.replace(RUNS, active_state="inactive")
MASKED = dataclasses.replace(RUNS, load_state="masked", active_state="inactive")
NO_UNIT = Unit(name="plexmediaserver.service")
UP = FoundContainer(name="plex", status="running", uid=1000, gid=1001, mounts=(Mount(source="/mnt/tv", destination="/data/tv"),))
EXITED = dataclasses.replace(UP, status="exited")
ABSENT = FoundContainer(name="plex")


def see(unit: Unit | None = None, container: FoundContainer | None = None) -> Observation:
    return Observation(
        unit=unit,
        container=container,
        unit_preferences="/unit.xml",
        container_preferences="/container.xml",
        uid=997,
        gids=(997, 44),
    )


@pytest.mark.parametrize(
    ("unit", "container", "server"),
    [
        pytest.param(RUNS, None, Server.UNIT, id="a unit that runs"),
        pytest.param(RESTS, None, Server.UNIT, id="a unit that rests"),
        pytest.param(MASKED, None, Server.UNIT, id="a masked unit"),
        pytest.param(NO_UNIT, UP, Server.CONTAINER, id="a container that runs"),
        pytest.param(NO_UNIT, EXITED, Server.CONTAINER, id="a container that has ended"),
        pytest.param(RUNS, UP, Server.UNIT, id="both run"),
        pytest.param(RESTS, UP, Server.CONTAINER, id="the unit rests, the container runs"),
        pytest.param(MASKED, UP, Server.CONTAINER, id="the unit is masked, the container runs"),
        pytest.param(RUNS, EXITED, Server.UNIT, id="the unit runs, the container has ended"),
        pytest.param(RESTS, EXITED, Server.UNIT, id="neither runs"),
        pytest.param(NO_UNIT, ABSENT, Server.NONE, id="neither exists"),
        pytest.param(None, None, Server.NONE, id="nobody can tell"),
    ],
)
def test_choose_server_takes_the_one_that_runs_and_the_unit_first(
    unit: Unit | None, container: FoundContainer | None, server: Server
) -> None:
    assert choose_server(see(unit, container), PlexConfig()).server is server


def test_a_unit_is_described_with_its_user_and_preferences() -> None:
    assert choose_server(see(RUNS), PlexConfig()) == FoundPlex(
        server=Server.UNIT, name=RUNS.name, url=DEFAULT_URL, uid=997, gids=(997, 44), preferences="/unit.xml"
    )


def test_a_container_is_described_with_its_user_and_preferences() -> None:
    assert choose_server(see(None, UP), PlexConfig()) == FoundPlex(
        server=Server.CONTAINER, name="plex", url=DEFAULT_URL, uid=1000, gids=(1001,), preferences="/container.xml"
    )


def test_a_container_that_names_no_group_has_none() -> None:
    found = choose_server(see(None, dataclasses.replace(UP, uid=-1, gid=-1)), PlexConfig())

    assert (found.uid, found.gids) == (-1, ())


def test_the_configured_url_is_asked() -> None:
    assert choose_server(see(RUNS), PlexConfig(url="http://10.0.0.5:32400")).url == "http://10.0.0.5:32400"


@pytest.mark.parametrize("mode", ["remote", "auto"])
def test_an_url_without_a_server_here_is_another_machine(mode: str) -> None:
    found = choose_server(see(NO_UNIT, ABSENT), PlexConfig(server=mode, url="http://nas:32400"))

    assert (found.server, found.url) == (Server.REMOTE, "http://nas:32400")


def test_remote_is_remote_even_where_a_unit_runs() -> None:
    assert choose_server(see(RUNS, UP), PlexConfig(server="remote", url="http://nas:32400")).server is Server.REMOTE


def test_remote_without_an_url_says_what_is_missing() -> None:
    found = choose_server(see(), PlexConfig(server="remote"))

    assert found.server is Server.NONE
    assert "url" in found.missing


@pytest.mark.parametrize(
    ("mode", "words"),
    [("auto", ["plexmediaserver.service", "plex"]), ("unit", ["plexmediaserver.service"]), ("container", ["called plex"])],
)
def test_a_server_that_is_not_there_is_named_with_what_to_configure(mode: str, words: list[str]) -> None:
    found = choose_server(see(NO_UNIT, ABSENT), PlexConfig(server=mode))

    assert found.server is Server.NONE
    assert all(word in found.missing for word in [*words, "/etc/plexguard/plexguard.toml"])


@pytest.mark.parametrize("mode", ["auto", "container"])
def test_a_container_by_its_image_is_missing_only_where_it_was_looked_for(mode: str) -> None:
    assert "called plex or of a Plex image" in choose_server(see(NO_UNIT, ABSENT), PlexConfig(server=mode)).missing
    assert "image" not in choose_server(see(NO_UNIT, ABSENT), PlexConfig(server=mode, container="plex-server")).missing


@pytest.mark.parametrize("mode", ["auto", "container"])
def test_several_containers_are_named_with_what_to_configure(mode: str) -> None:
    several = FoundContainer(name="plex", candidates=("one", "two"))

    found = choose_server(see(NO_UNIT, several), PlexConfig(server=mode))

    assert found.server is Server.NONE
    assert all(word in found.missing for word in ["one, two", "/etc/plexguard/plexguard.toml"])


def test_the_name_of_a_container_is_its_own_and_not_the_configured_one() -> None:
    assert choose_server(see(None, dataclasses.replace(UP, name="media-plex-1")), PlexConfig()).name == "media-plex-1"


# -- folders ----------------------------------------------------------------------------------------------------------

UNIT = FoundPlex(server=Server.UNIT, name=RUNS.name)
IN_CONTAINER = FoundPlex(server=Server.CONTAINER, name="plex")
MOUNTS = (
    Mount(source="/mnt/tank", destination="/data"),
    Mount(source="/mnt/ssd/new/", destination="/data/new"),
    Mount(source="/srv/tv", destination="/tv"),
)
PLEX = FoundContainer(name="plex", status="running", mounts=MOUNTS)


def test_folders_of_a_unit_are_the_hosts() -> None:
    assert add_folders(UNIT, ("/srv/media",), None, None).folders == ("/srv/media",)


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ("/data", "/mnt/tank"),
        ("/data/films", "/mnt/tank/films"),
        ("/data/new/films", "/mnt/ssd/new/films"),
        ("/data/newer", "/mnt/tank/newer"),
        ("/tv/", "/srv/tv"),
    ],
    ids=["the mount itself", "below it", "the inner of two mounts", "whole names only", "with a slash at the end"],
)
def test_folders_of_a_container_become_the_hosts_by_the_longest_mount(inside: str, outside: str) -> None:
    found = add_folders(IN_CONTAINER, (inside,), PLEX, None)

    assert (found.folders, found.unmapped) == ((outside,), ())


@pytest.mark.parametrize("inside", ["/config/films", "/TV", "/tvshows", "/dat"])
def test_a_folder_that_no_mount_leads_to_is_told_as_such(inside: str) -> None:
    found = add_folders(IN_CONTAINER, (inside, "/tv"), PLEX, None)

    assert (found.folders, found.unmapped) == (("/srv/tv",), (inside,))


def test_folders_are_remembered_while_plex_does_not_tell() -> None:
    past = dataclasses.replace(UNIT, folders=("/srv/media",), unmapped=("/x",), url="old")

    found = add_folders(dataclasses.replace(UNIT, url="new"), None, None, past)

    assert (found.folders, found.unmapped, found.url) == (("/srv/media",), ("/x",), "new")


def test_folders_of_another_server_are_not_taken_over() -> None:
    past = dataclasses.replace(IN_CONTAINER, folders=("/srv/media",))

    assert add_folders(UNIT, None, None, past).folders == ()
    assert add_folders(UNIT, None, None, None).folders == ()


def test_a_plex_that_says_it_has_no_libraries_has_none() -> None:
    past = dataclasses.replace(UNIT, folders=("/srv/media",))

    assert add_folders(UNIT, (), None, past).folders == ()


def test_folders_of_another_machine_are_nothing_here() -> None:
    assert add_folders(FoundPlex(server=Server.REMOTE, name="x"), ("/srv/media",), None, None).folders == ()


def test_where_a_folder_lies_is_said_where_its_path_says_otherwise() -> None:
    places = {"/srv/films/": "/mnt/cloud/Films", "/srv/shows/": "/srv/shows"}

    found = add_folders(UNIT, ("/srv/films/", "/srv/shows/"), None, None, places)

    assert found.links == {"/srv/films": "/mnt/cloud/Films"}
    assert found.places == ("/mnt/cloud/Films", "/srv/shows")
    assert found.follow("/srv/films/Film/a.mkv") == "/mnt/cloud/Films/Film/a.mkv"
    assert found.follow("/srv/films2") == "/srv/films2"
    assert add_folders(UNIT, None, None, found).places == found.places


def test_where_a_folder_of_a_container_lies_is_said_by_its_path_on_the_host() -> None:
    found = add_folders(IN_CONTAINER, ("/tv", "/data"), PLEX, None, {"/tv": "/mnt/cloud/TV", "/data": "/mnt/tank"})

    assert found.links == {"/srv/tv": "/mnt/cloud/TV"}
    assert found.places == ("/mnt/cloud/TV", "/mnt/tank")
