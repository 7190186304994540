"""What can be found out about this machine's Plex."""

import os
import pwd
from pathlib import Path

import pytest

from plexguard.core.found import FoundContainer, Mount
from plexguard.core.manager import Unit
from plexguard.core.mounts import MountPoint
from plexguard.core.plex import Library, PlexError, PlexMaintenance, PlexRefused, PlexTimeout, PlexUnauthorized
from plexguard.core.plex_config import PlexConfig
from plexguard.discover.observe import Observation, ask_folders, find_places, observe
from tests.fakes.ports import FakeClock, FakeManager, FakePlex

NAME = "plexmediaserver.service"
CONTAINER = FoundContainer(name="plex", status="running")


def unit(environment: str = "", user: str = "", group: str = "") -> Unit:
    return Unit(name=NAME, load_state="loaded", active_state="active", environment=environment, user=user, group=group)


def look(*units: Unit, container: FoundContainer | None = None, server: str = "auto") -> Observation:
    return observe(PlexConfig(server=server), manager=FakeManager(*units), container=container)


def library(*folders: str) -> Library:
    return Library(key="1", title="Films", type="movie", folders=folders, scanning=False)


@pytest.mark.parametrize(
    ("server", "sees_unit", "sees_container"),
    [("auto", True, True), ("unit", True, False), ("container", False, True), ("remote", False, False)],
)
def test_only_what_is_configured_is_looked_at(server: str, sees_unit: bool, sees_container: bool) -> None:
    seen = look(unit(), container=CONTAINER, server=server)

    assert (seen.unit is not None, seen.container is not None) == (sees_unit, sees_container)


def make_preferences(support: Path) -> Path:
    file = support / "Plex Media Server/Preferences.xml"
    file.parent.mkdir(parents=True)
    file.write_text("<Preferences/>")
    return file


@pytest.mark.parametrize(
    "quoted", ['"PLEX_MEDIA_SERVER_APPLICATION_SUPPORT_DIR={}"', "'PLEX_MEDIA_SERVER_APPLICATION_SUPPORT_DIR={}'"]
)
def test_preferences_of_a_unit_are_found_where_its_environment_says(tmp_path: Path, quoted: str) -> None:
    file = make_preferences(tmp_path / "Application Support")

    seen = look(unit(f"A=1 {quoted.format(tmp_path / 'Application Support')} B=2"))

    assert seen.unit_preferences == str(file)


def test_an_environment_with_a_quote_left_open_is_no_failure(tmp_path: Path) -> None:
    file = make_preferences(tmp_path)

    seen = look(unit(f"GREETING=it's PLEX_MEDIA_SERVER_APPLICATION_SUPPORT_DIR={tmp_path}"))

    assert seen.unit_preferences == str(file)


def test_preferences_that_are_not_there_are_none(tmp_path: Path) -> None:
    assert look(unit(f"PLEX_MEDIA_SERVER_APPLICATION_SUPPORT_DIR={tmp_path}")).unit_preferences == ""


@pytest.mark.parametrize(
    "inside",
    ["Library/Application Support/Plex Media Server", "Plex Media Server", "."],
    ids=["plexinc and linuxserver", "hotio and binhex", "flat"],
)
def test_preferences_of_a_container_are_found_through_its_mounts(tmp_path: Path, inside: str) -> None:
    file = tmp_path / inside / "Preferences.xml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("<Preferences/>")
    container = FoundContainer(name="plex", status="running", mounts=(Mount(source=str(tmp_path), destination="/config"),))

    assert Path(look(container=container).container_preferences) == file


def test_preferences_inside_a_container_without_a_mount_are_out_of_reach() -> None:
    assert look(container=CONTAINER).container_preferences == ""


def test_whom_a_unit_runs_as_is_its_user_with_all_groups_and_its_own_group_first() -> None:
    user = pwd.getpwnam("daemon")

    seen = look(unit(user="daemon", group="games"))

    assert seen.uid == user.pw_uid
    assert seen.gids[0] == 60
    assert set(seen.gids) == {60, *os.getgrouplist("daemon", 60)}


def test_a_unit_without_a_user_runs_as_root() -> None:
    seen = look(unit())

    assert (seen.uid, seen.gids[0]) == (0, 0)


@pytest.mark.parametrize("missing", [{"user": "nobody-at-all"}, {"group": "no-such-group"}], ids=["user", "group"])
def test_a_user_that_does_not_exist_is_unknown(missing: dict[str, str]) -> None:
    seen = look(unit(**missing))

    assert (seen.uid, seen.gids) == (-1, ())


def test_a_unit_that_does_not_exist_runs_as_nobody() -> None:
    assert look().uid == -1


# -- Plex's own libraries ---------------------------------------------------------------------------------------------


def ask(*answers: tuple[Library, ...] | PlexError, clock: FakeClock | None = None, wait_s: float = 0.0) -> tuple[str, ...] | None:
    clock = clock or FakeClock()
    plex = FakePlex(clock)
    plex.library_lists = list(answers)
    return ask_folders(lambda: plex, clock, wait_s=wait_s)


def test_folders_are_told_once_each_in_order() -> None:
    assert ask((library("/b", "/a"), library("/a", "/c"))) == ("/b", "/a", "/c")


@pytest.mark.parametrize("folder", ["", "relative", "C:\\Films"])
def test_folders_that_are_no_absolute_paths_are_left_out(folder: str) -> None:
    assert ask((library(folder, "/a"),)) == ("/a",)


def test_a_plex_without_libraries_tells_so() -> None:
    assert ask(()) == ()


@pytest.mark.parametrize(
    "fault",
    [PlexRefused("x"), PlexMaintenance("x"), PlexTimeout("x"), PlexUnauthorized("x")],
    ids=lambda fault: type(fault).__name__,
)
def test_a_plex_that_does_not_tell_has_said_nothing_about_its_folders(fault: PlexError) -> None:
    assert ask(fault) is None


@pytest.mark.parametrize("fault", [PlexRefused("x"), PlexMaintenance("x")], ids=["refused", "maintenance"])
def test_a_plex_that_is_still_starting_is_asked_again(fault: PlexError) -> None:
    assert ask(fault, fault, (library("/a"),), wait_s=60.0) == ("/a",)


def test_a_plex_that_does_not_come_up_is_not_waited_for_beyond_the_limit() -> None:
    clock = FakeClock()

    assert ask(PlexRefused("x"), clock=clock, wait_s=60.0) is None
    assert 60.0 <= sum(clock.slept) <= 70.0


def test_a_plex_that_hangs_is_not_waited_for() -> None:
    clock = FakeClock()

    assert ask(PlexTimeout("x"), clock=clock, wait_s=60.0) is None
    assert clock.slept == []


def test_a_plex_that_is_just_being_claimed_is_asked_again_for_a_moment() -> None:
    clock = FakeClock()

    assert ask(PlexUnauthorized("x"), PlexUnauthorized("x"), (library("/a"),), wait_s=60.0) == ("/a",)
    assert ask(PlexUnauthorized("x"), clock=clock, wait_s=60.0) is None
    assert 0 < sum(clock.slept) <= 10


def test_a_plex_without_a_library_is_asked_again_and_believed_in_the_end() -> None:
    assert ask((), (), (library("/a"),), wait_s=60.0) == ("/a",)
    assert ask((), wait_s=5.0) == ()


# -- where they lie ---------------------------------------------------------------------------------------------------

TABLE = (MountPoint(path="/", type="ext4"),)


def test_a_folder_lies_behind_all_links(tmp_path: Path) -> None:
    (tmp_path / "plex").symlink_to(tmp_path / "media")
    (tmp_path / "media").mkdir()
    (tmp_path / "media/films").symlink_to("/mnt/cloud/Films")
    (tmp_path / "media/round").symlink_to("round")

    places = find_places([f"{tmp_path}/plex/{name}" for name in ("films", "shows", "round")], None, TABLE)

    assert places == {
        f"{tmp_path}/plex/films": "/mnt/cloud/Films",
        f"{tmp_path}/plex/shows": f"{tmp_path}/media/shows",
        f"{tmp_path}/plex/round": f"{tmp_path}/plex/round",
    }


def test_a_folder_of_a_container_lies_where_links_lead_in_its_eyes(tmp_path: Path) -> None:
    # given: on the host a link to what the container is shown, and in that a link as the container names its target
    (tmp_path / "disk").mkdir()
    (tmp_path / "shown").symlink_to("disk")
    (tmp_path / "disk/films").symlink_to("/cloud/Films")
    (tmp_path / "disk/image").symlink_to("/usr/films")
    binds = (Mount(source=f"{tmp_path}/shown", destination="/data"), Mount(source="/mnt/cloud", destination="/cloud"))

    places = find_places(["/data/films", "/data/shows", "/data/image", "/other"], binds, TABLE)

    assert places == {"/data/films": "/mnt/cloud/Films", "/data/shows": f"{tmp_path}/disk/shows"}
    assert find_places(["/data/films"], (), TABLE) == {}


def test_links_on_a_mount_that_may_hang_are_not_asked(tmp_path: Path) -> None:
    (tmp_path / "nas").mkdir()
    (tmp_path / "nas/films").symlink_to("/elsewhere")
    (tmp_path / "shown").symlink_to("nas")
    table = (*TABLE, MountPoint(path=str(tmp_path / "nas"), type="nfs4"))

    assert find_places([f"{tmp_path}/shown/films"], None, table) == {f"{tmp_path}/shown/films": f"{tmp_path}/nas/films"}
    bind = Mount(source=f"{tmp_path}/shown", destination="/data")
    assert find_places(["/data/films"], (bind,), table) == {"/data/films": f"{tmp_path}/nas/films"}
