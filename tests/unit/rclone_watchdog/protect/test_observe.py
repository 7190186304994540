"""Which libraries a mount concerns: in doubt, one more."""

import dataclasses

import pytest

from plexguard.core.found import FoundContainer, FoundPlex, Mount, Server
from plexguard.core.mounts import MountPoint
from plexguard.core.plex import Library
from plexguard.rclone_watchdog.protect.observe import find_affected

NATIVE = FoundPlex(server=Server.UNIT, name="plexmediaserver.service", url="http://127.0.0.1:32400")
BOXED = FoundPlex(server=Server.CONTAINER, name="plex", url="http://127.0.0.1:32400")
BOX = FoundContainer(name="plex", status="running", mounts=(Mount(source="/mnt", destination="/data"),))
TABLE = (MountPoint(path="/", type="overlay"), MountPoint(path="/mnt/merged", type="fuse.mergerfs"))


def library(*folders: str) -> Library:
    return Library(key="1", title="Films", type="movie", folders=folders, scanning=False)


@pytest.mark.parametrize(
    ("folders", "is_affected"),
    [
        (("/mnt/cloud",), True),
        (("/mnt/cloud/",), True),
        (("/mnt/cloud/Films",), True),
        (("/mnt",), True),
        (("/",), True),
        (("/mnt/clouds",), False),
        (("/srv/films",), False),
        (("/srv/films", "/mnt/cloud/Films"), True),
        (("/mnt/merged/Films",), True),
        ((), False),
    ],
)
def test_a_library_of_a_native_plex_is_affected_by_where_it_lies(folders: tuple[str, ...], is_affected: bool) -> None:
    assert bool(find_affected([library(*folders)], "/mnt/cloud", NATIVE, None, TABLE)) is is_affected


@pytest.mark.parametrize(
    ("folder", "container", "is_affected"),
    [
        ("/data/cloud/Films", BOX, True),
        ("/data/local", BOX, False),
        # No folder of the machine's is there.
        ("/elsewhere", BOX, False),
        # Where that is, nobody knows yet.
        ("/data/local", None, True),
    ],
)
def test_a_library_of_a_plex_in_a_container_is_affected_by_where_its_folder_leads(
    folder: str, container: FoundContainer | None, is_affected: bool
) -> None:
    assert bool(find_affected([library(folder)], "/mnt/cloud", BOXED, container, TABLE)) is is_affected


def test_a_library_behind_a_link_is_affected_by_where_it_leads() -> None:
    native = dataclasses.replace(NATIVE, links={"/srv/films": "/mnt/cloud/Films"})
    boxed = dataclasses.replace(BOXED, links={"/mnt/local": "/mnt/cloud"})

    assert find_affected([library("/srv/films/")], "/mnt/cloud", native, None, TABLE)
    assert find_affected([library("/data/local/Films")], "/mnt/cloud", boxed, BOX, TABLE)
    assert not find_affected([library("/srv/shows")], "/mnt/cloud", native, None, TABLE)
