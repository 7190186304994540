"""Which libraries a run makes: home's, with the folders that they have in the run's container."""

import pytest

from plexguard.cloud_run.reference.libraries import refuse_unknown, translate
from plexguard.core.errors import DataError
from plexguard.core.found import FoundContainer, FoundPlex, Mount, Server
from plexguard.core.plex import Library, NewLibrary


def library(title: str, *folders: str) -> Library:
    return Library(
        key="1", title=title, type="movie", folders=folders, scanning=False, agent="an-agent", scanner="a-scanner", language="fr-FR"
    )


NATIVE = FoundPlex(server=Server.UNIT, url="http://127.0.0.1:32400")
CONTAINER = FoundContainer(name="plex", mounts=(Mount(source="/mnt/media", destination="/data"),))


def test_folders_of_home_are_below_the_mount_of_the_run():
    (made,) = translate([library("Films", "/mnt/media/Films", "/mnt/media")], NATIVE, None, "/mnt/media")

    assert made == NewLibrary(
        title="Films",
        type="movie",
        agent="an-agent",
        scanner="a-scanner",
        language="fr-FR",
        folders=("/Media/Films", "/Media"),
    )


def test_folders_of_a_container_are_found_through_what_it_sees_and_links_are_followed():
    (made,) = translate([library("Films", "/data/Films")], NATIVE, CONTAINER, "/mnt/media")
    assert made.folders == ("/Media/Films",)

    linked = FoundPlex(server=Server.UNIT, links={"/srv/films": "/mnt/media/Films"})
    (made,) = translate([library("Films", "/srv/films/new")], linked, None, "/mnt/media")
    assert made.folders == ("/Media/Films/new",)


@pytest.mark.parametrize(
    ("folder", "container", "point"),
    [
        ("/srv/films", None, "/mnt/media"),
        ("/mnt/media2/films", None, "/mnt/media"),
        ("/mnt/media/films", None, ""),
        ("/elsewhere", CONTAINER, "/mnt/media"),
    ],
)
def test_library_that_the_run_would_not_see_is_told_and_never_made_without_its_files(folder, container, point):
    with pytest.raises(DataError, match=f"Films: {folder} is not below the run's mount"):
        translate([library("Films", "/mnt/media/ok", folder)], NATIVE, container, point)


def test_library_that_will_not_be_there_is_known_before_anything_is_rented():
    made = translate([library("Films", "/mnt/media/Films")], NATIVE, None, "/mnt/media")

    refuse_unknown(made, ["Films"])
    with pytest.raises(DataError, match="no library called Music; there will be: Films"):
        refuse_unknown(made, ["Films", "Music"])
