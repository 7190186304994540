"""Which roots an audit takes, and what is known of them before it walks."""

from pathlib import Path

import pytest

from plexguard.core.errors import UsageError
from plexguard.core.found import CONTAINER_FILE, PLEX_FILE, SCHEMA, FoundContainer, FoundPlex, Mount, Server
from plexguard.core.mounts import MountPoint
from plexguard.core.state import StateFile
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.observe import Root, State, choose_roots, judge_roots, remember_mounts, resolve_links
from plexguard.perms_audit.roots import RootFault
from tests.fakes.ports import FakeJournal

ROOT = MountPoint(path="/", type="ext4")


def publish(folder: Path, *, folders: tuple[str, ...] = (), container: FoundContainer | None = None) -> None:
    found = FoundPlex(server=Server.UNIT, name="plexmediaserver.service", folders=folders)
    StateFile(folder / PLEX_FILE.name, FoundPlex, schema=SCHEMA, journal=FakeJournal()).save(found)
    if container is not None:
        StateFile(folder / CONTAINER_FILE.name, FoundContainer, schema=SCHEMA, journal=FakeJournal()).save(container)


def choose(folder: Path, *arguments: str, config: Config | None = None, **environment: str) -> tuple[str, ...]:
    return choose_roots(arguments, config or Config(), environment=environment, journal=FakeJournal(), folder=folder)


# -- which roots ------------------------------------------------------------------------------------------------------


def test_arguments_win_over_everything(tmp_path: Path) -> None:
    publish(tmp_path, folders=("/srv/plex",))

    assert choose(tmp_path, "/srv/a", config=Config(roots=("/srv/b",))) == ("/srv/a",)


def test_configured_roots_win_over_what_plex_names(tmp_path: Path) -> None:
    publish(tmp_path, folders=("/srv/plex",))

    assert choose(tmp_path, config=Config(roots=("/srv/b",))) == ("/srv/b",)


def test_without_configuration_the_roots_are_plexs_own_folders(tmp_path: Path) -> None:
    publish(tmp_path, folders=("/srv/plex", "/srv/more"))

    assert choose(tmp_path) == ("/srv/plex", "/srv/more")


def test_without_plex_there_are_no_roots(tmp_path: Path) -> None:
    assert choose(tmp_path) == ()


@pytest.mark.parametrize("argument", ["media", "./media", "", "/srv/../etc", "/srv/media/.."])
def test_a_relative_root_is_a_wrong_argument(tmp_path: Path, argument: str) -> None:
    with pytest.raises(UsageError, match="absolute path"):
        choose(tmp_path, "/srv/media", argument)


@pytest.mark.parametrize("argument", ["/srv/media", "/srv/media/", "//srv/media", "/srv//media", "/srv/./media//"])
def test_an_argument_is_known_by_one_name_however_it_is_written(tmp_path: Path, argument: str) -> None:
    # given: mounts are told apart by name, so that another spelling would hide the FUSE mount behind it
    assert choose(tmp_path, argument) == ("/srv/media",)


def test_names_that_only_look_like_leading_out_are_fine(tmp_path: Path) -> None:
    assert choose(tmp_path, "/srv/..Films", "/srv/Films..") == ("/srv/..Films", "/srv/Films..")


PLEX = FoundContainer(name="plex", status="running", mounts=(Mount(source="/mnt/tank/tv", destination="/data/tv"),))


def test_media_roots_beside_plex_container_are_turned_into_the_hosts_paths(tmp_path: Path) -> None:
    publish(tmp_path, container=PLEX)

    chosen = choose(tmp_path, config=Config(roots=("/data/tv/New",)), MEDIA_ROOTS="/data/tv/New", PLEX_CONTAINER="plex")

    assert chosen == ("/mnt/tank/tv/New",)


def test_media_roots_alone_are_paths_of_the_host(tmp_path: Path) -> None:
    publish(tmp_path, container=PLEX)

    assert choose(tmp_path, config=Config(roots=("/data/tv",)), MEDIA_ROOTS="/data/tv") == ("/data/tv",)


def test_configured_roots_are_paths_of_the_host_whatever_the_container_is_called(tmp_path: Path) -> None:
    publish(tmp_path, container=PLEX)

    assert choose(tmp_path, config=Config(roots=("/data/tv",)), PLEX_CONTAINER="plex") == ("/data/tv",)


def test_media_roots_that_no_mount_leads_to_are_named(tmp_path: Path) -> None:
    publish(tmp_path, container=PLEX)

    with pytest.raises(UsageError, match="/data/films"):
        choose(tmp_path, config=Config(roots=("/data/tv", "/data/films")), MEDIA_ROOTS="x", PLEX_CONTAINER="plex")


@pytest.mark.parametrize(
    "container",
    [None, FoundContainer(name="other", status="running"), FoundContainer(name="plex")],
    ids=["nothing published", "another container", "absent"],
)
def test_media_roots_of_an_unknown_container_are_refused(tmp_path: Path, container: FoundContainer | None) -> None:
    publish(tmp_path, container=container)

    with pytest.raises(UsageError, match="does not know"):
        choose(tmp_path, config=Config(roots=("/data/tv",)), MEDIA_ROOTS="/data/tv", PLEX_CONTAINER="plex")


# -- what is known of them --------------------------------------------------------------------------------------------


def judge(*paths: str, mounts: tuple[str, ...] = (), fstab: tuple[str, ...] = (), past: State | None = None) -> tuple[Root, ...]:
    table = (ROOT, *(MountPoint(path=path, type="ext4") for path in mounts))
    return judge_roots(paths, past or State(), table, tuple(MountPoint(path=path, type="ext4") for path in fstab))


def test_a_plain_folder_may_be_walked() -> None:
    assert judge("/srv/media") == (Root(path="/srv/media"),)


def test_a_root_given_twice_is_walked_once() -> None:
    assert judge("/srv/media", "/srv/more", "/srv/media") == (Root(path="/srv/media"), Root(path="/srv/more"))


def test_a_folder_of_the_system_is_refused() -> None:
    assert judge("/etc") == (Root(path="/etc", fault=RootFault.SYSTEM_FOLDER),)


@pytest.mark.parametrize("missing", ["/srv/media", "/srv"], ids=["at the root", "above it"])
def test_a_root_whose_mount_is_away_is_not_walked(missing: str) -> None:
    assert judge("/srv/media", fstab=(missing,)) == (Root(path="/srv/media", fault=RootFault.NOT_MOUNTED),)


def test_a_mount_away_below_a_root_is_told_and_the_rest_is_walked() -> None:
    assert judge("/srv/media", fstab=("/srv/media/Films",)) == (Root(path="/srv/media", part_missing="/srv/media/Films"),)


def test_one_bad_root_says_nothing_about_the_others() -> None:
    bad, good = judge("/etc", "/srv/media")

    assert bad.fault is RootFault.SYSTEM_FOLDER
    assert good.fault is None


def test_a_root_that_lost_the_mount_it_was_on_is_not_walked() -> None:
    # given: no line in fstab, but the last audit met it on a mount of its own
    past = remember_mounts(State(), ["/srv/media"], (ROOT, MountPoint(path="/srv/media", type="ext4")))

    assert judge("/srv/media", past=past) == (Root(path="/srv/media", fault=RootFault.NOT_MOUNTED),)
    assert judge("/srv/media", past=past, mounts=("/srv/media",)) == (Root(path="/srv/media"),)


def test_what_is_remembered_of_a_root_outlives_runs_in_which_it_was_not_well() -> None:
    past = State(mounts={"/srv/media": "/srv/media", "/srv/more": "/"})

    assert remember_mounts(past, ["/srv/more"], (ROOT,)) == past


# -- symlinks ---------------------------------------------------------------------------------------------------------


def test_resolve_links_follows_links_to_the_end(tmp_path: Path) -> None:
    (tmp_path / "disk/films").mkdir(parents=True)
    (tmp_path / "absolute").symlink_to(tmp_path / "disk")
    (tmp_path / "relative").symlink_to("absolute/films")
    (tmp_path / "up").symlink_to("disk/../relative")

    for name in ("relative", "up", "absolute/films", "disk/films"):
        assert resolve_links(str(tmp_path / name), (ROOT,)) == str(tmp_path / "disk/films")


def test_resolve_links_keeps_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("/mnt/away/films")

    assert resolve_links(str(tmp_path / "dangling"), (ROOT,)) == "/mnt/away/films"
    assert resolve_links(str(tmp_path / "missing/a"), (ROOT,)) == str(tmp_path / "missing/a")


def test_resolve_links_ends_for_links_that_lead_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    assert resolve_links(str(tmp_path / "a"), (ROOT,)) == str(tmp_path / "a")


def test_resolve_links_asks_no_fuse_or_network_mount(tmp_path: Path) -> None:
    # given: a link to a mount point, and a link behind it that asking the mount would follow
    (tmp_path / "nas").mkdir()
    (tmp_path / "nas/inner").symlink_to("/elsewhere")
    (tmp_path / "media").symlink_to("nas/inner")
    mounts = (ROOT, MountPoint(path=str(tmp_path / "nas"), type="fuse.rclone"))

    assert resolve_links(str(tmp_path / "media"), mounts) == str(tmp_path / "nas/inner")


def test_a_link_to_a_folder_of_the_system_is_refused(tmp_path: Path) -> None:
    (tmp_path / "films").symlink_to("/etc")

    assert judge(resolve_links(str(tmp_path / "films"), (ROOT,)))[0].fault is RootFault.SYSTEM_FOLDER
