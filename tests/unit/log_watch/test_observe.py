"""Where the logs are, and what Plex's paths are called here."""

from pathlib import Path

import pytest

from plexguard.core.found import FoundContainer, FoundPlex, Mount, Server
from plexguard.core.mounts import MountPoint
from plexguard.log_watch.observe import find_sources

SUPPORT = "/srv/plex/Library/Application Support/Plex Media Server"
UNIT = FoundPlex(server=Server.UNIT, name="plexmediaserver.service", preferences=f"{SUPPORT}/Preferences.xml")
IN_CONTAINER = FoundPlex(server=Server.CONTAINER, name="plex", preferences=f"{SUPPORT}/Preferences.xml")
CONTAINER = FoundContainer(name="plex", mounts=(Mount(source="/srv/films", destination="/data/films"),))
LOCAL = (MountPoint(path="/", type="ext4"),)
BOUND = (
    MountPoint(path="/run/plexguard/log-watch/logs", type="ext4"),
    MountPoint(path="/run/plexguard/log-watch/databases", type="ext4"),
)


@pytest.mark.parametrize("found", [None, FoundPlex(server=Server.NONE), FoundPlex(server=Server.REMOTE, url="http://nas:32400")])
def test_without_a_plex_here_there_is_nothing_to_follow_and_nothing_wrong(found: FoundPlex | None) -> None:
    sources = find_sources(found, None, LOCAL)

    assert (sources.folder, sources.is_expected) == ("", False)


def test_a_plex_without_preferences_is_worth_telling() -> None:
    sources = find_sources(FoundPlex(server=Server.CONTAINER, name="plex"), None, LOCAL)

    assert (sources.folder, sources.is_expected) == ("", True)
    assert "Preferences.xml" in sources.why


def test_by_hand_the_folders_are_where_they_are() -> None:
    sources = find_sources(UNIT, None, LOCAL)

    assert (sources.folder, sources.logs, sources.why) == (f"{SUPPORT}/Logs", Path(f"{SUPPORT}/Logs"), "")
    assert sources.database == Path(f"{SUPPORT}/Plug-in Support/Databases/com.plexapp.plugins.library.db")


def test_in_the_unit_they_are_where_they_are_bound() -> None:
    sources = find_sources(UNIT, None, (*LOCAL, *BOUND))

    assert sources.folder == f"{SUPPORT}/Logs"
    assert sources.logs == Path("/run/plexguard/log-watch/logs")
    assert sources.database == Path("/run/plexguard/log-watch/databases/com.plexapp.plugins.library.db")


def test_a_folder_that_was_not_bound_is_looked_for_in_its_own_place() -> None:
    sources = find_sources(UNIT, None, (*LOCAL, BOUND[0]))

    assert sources.database.parent == Path(f"{SUPPORT}/Plug-in Support/Databases")


@pytest.mark.parametrize("kind", ["nfs4", "fuse.rclone"])
def test_logs_on_a_network_are_not_touched(kind: str) -> None:
    assert kind in find_sources(UNIT, None, (*LOCAL, MountPoint(path="/srv/plex", type=kind))).why
    assert kind in find_sources(UNIT, None, (*LOCAL, MountPoint(path=BOUND[0].path, type=kind))).why


def test_a_database_on_a_network_is_not_touched() -> None:
    sources = find_sources(UNIT, None, (*LOCAL, MountPoint(path=f"{SUPPORT}/Plug-in Support", type="nfs4")))

    assert (sources.why, "nfs4" in sources.database_fault) == ("", True)


def test_paths_of_a_native_plex_are_taken_as_they_are() -> None:
    assert find_sources(UNIT, CONTAINER, LOCAL).host_path("/data/films/a.mkv") == "/data/films/a.mkv"


def test_paths_of_a_container_are_the_hosts() -> None:
    sources = find_sources(IN_CONTAINER, CONTAINER, LOCAL)

    assert sources.host_path("/data/films/a.mkv") == "/srv/films/a.mkv"
    assert sources.host_path("/data/films2/a.mkv") is None
    assert sources.host_path("/etc/shadow") is None


def test_a_container_that_nobody_watches_has_no_known_paths() -> None:
    assert find_sources(IN_CONTAINER, None, LOCAL).host_path("/data/films/a.mkv") is None
