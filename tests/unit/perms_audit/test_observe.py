"""Which roots an audit takes, and what is known of them before it walks."""

import dataclasses
import os
from pathlib import Path

import pytest

from plexguard.core.errors import ConfigError, UsageError
from plexguard.core.events import Mode
from plexguard.core.found import CONTAINER_FILE, PLEX_FILE, SCHEMA, FoundContainer, FoundPlex, Mount, Server, read_plex
from plexguard.core.guarded import Guarded, Unproven
from plexguard.core.mounts import MountPoint
from plexguard.core.state import StateFile
from plexguard.perms_audit.access import Identity
from plexguard.perms_audit.config import Config, Override
from plexguard.perms_audit.observe import (
    Survey,
    choose_roots,
    find_identity,
    judge_roots,
    make_policy,
    resolve_links,
    see_from,
    survey,
    survey_path,
)
from plexguard.perms_audit.policy import Want
from plexguard.perms_audit.roots import Root, RootFault
from plexguard.perms_audit.state import State, remember
from tests.fakes.ports import FakeJournal

ROOT = MountPoint(path="/", type="ext4")


def publish(
    folder: Path, *, folders: tuple[str, ...] = (), container: FoundContainer | None = None, server: Server = Server.UNIT
) -> None:
    found = FoundPlex(server=server, name="plexmediaserver.service", uid=997, gids=(997, 44), folders=folders)
    StateFile(folder / PLEX_FILE.name, FoundPlex, schema=SCHEMA, journal=FakeJournal()).save(found)
    if container is not None:
        StateFile(folder / CONTAINER_FILE.name, FoundContainer, schema=SCHEMA, journal=FakeJournal()).save(container)


def choose(folder: Path, *arguments: str, config: Config | None = None, **environment: str) -> tuple[str, ...]:
    found = read_plex(FakeJournal(), folder)
    return choose_roots(arguments, config or Config(), found, environment=environment, journal=FakeJournal(), folder=folder)


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
    # ... but for the bare folder, which may be closed on purpose
    assert judge("/srv/media", fstab=("/srv/media/Films",)) == (
        Root(path="/srv/media", part_missing="/srv/media/Films", apart=frozenset({"Films"})),
    )


def test_one_bad_root_says_nothing_about_the_others() -> None:
    bad, good = judge("/etc", "/srv/media")

    assert bad.fault is RootFault.SYSTEM_FOLDER
    assert good.fault is None


def test_a_root_that_lost_the_mount_it_was_on_is_not_walked() -> None:
    # given: no line in fstab, but the last audit met it on a mount of its own
    past = remember(State(), ["/srv/media"], (ROOT, MountPoint(path="/srv/media", type="ext4")), None)

    assert judge("/srv/media", past=past) == (Root(path="/srv/media", fault=RootFault.NOT_MOUNTED),)
    assert judge("/srv/media", past=past, mounts=("/srv/media",)) == (Root(path="/srv/media"),)


@pytest.mark.parametrize("kind", ["nfs4", "fuse.rclone", "cifs", "fuseblk"])
def test_a_remote_mount_below_a_root_is_a_root_of_its_own_and_no_part_of_the_outer_one(kind: str) -> None:
    mounts = (ROOT, MountPoint(path="/srv/media/cloud/a", type=kind), MountPoint(path="/srv/media/disk", type="ext4"))

    outer, inner = judge_roots(["/srv/media"], State(), mounts, ())

    assert outer == Root(path="/srv/media", apart=frozenset({"cloud/a"}))
    assert inner == Root(path="/srv/media/cloud/a", remote=kind)


def test_a_root_knows_that_it_lies_on_a_remote_file_system() -> None:
    mounts = (ROOT, MountPoint(path="/srv", type="nfs4"), MountPoint(path="/srv/media", type="xfs"))

    assert judge_roots(["/srv/films"], State(), mounts, ())[0].remote == "nfs4"
    assert judge_roots(["/srv/media"], State(), mounts, ())[0].remote == ""


def test_a_remote_mount_that_is_named_as_well_is_walked_once() -> None:
    mounts = (ROOT, MountPoint(path="/srv/media/cloud", type="fuse.rclone"))

    for paths in (["/srv/media", "/srv/media/cloud"], ["/srv/media/cloud", "/srv/media"]):
        roots = judge_roots(paths, State(), mounts, ())
        assert sorted(root.path for root in roots) == ["/srv/media", "/srv/media/cloud"]


# -- mounts that plexguard-rclone-watchdog guards ----------------------------------------------------------------------

CLOUD = MountPoint(path="/mnt/cloud", type="fuse.rclone")
COVER = MountPoint(path="/mnt/cloud", type="tmpfs")
PROVEN = Guarded(mount_points={"cloud": "/mnt/cloud"})
DEAD = dataclasses.replace(PROVEN, unproven=(Unproven(name="cloud", mount_point="/mnt/cloud", verdict="hung", why="hung"),))


def judge_cloud(root: str, guarded: Guarded, *mounts: MountPoint, past: State | None = None) -> dict[str, Root]:
    table = guarded.without_covers((ROOT, *mounts))
    return {root.path: root for root in judge_roots([root], past or State(), table, (), guarded=guarded)}


@pytest.mark.parametrize("root", ["/mnt/cloud", "/mnt/cloud/films"])
def test_a_root_on_a_guarded_mount_is_walked_while_it_is_there_and_proven_and_on_that_mount_alone(root: str) -> None:
    assert judge_cloud(root, PROVEN, CLOUD) == {root: Root(path=root, remote="fuse.rclone", guarded="/mnt/cloud")}
    assert judge_cloud(root, DEAD, CLOUD)[root].fault is RootFault.NOT_PROVEN


@pytest.mark.parametrize("guarded", [PROVEN, DEAD], ids=["said to be proven", "not proven"])
@pytest.mark.parametrize("mounts", [(), (COVER,)], ids=["bare", "covered"])
@pytest.mark.parametrize("past", [State(), State(mounts={"/mnt/cloud": "/mnt/cloud"})], ids=["never audited", "audited"])
def test_a_guarded_mount_point_without_its_mount_is_never_walked(
    guarded: Guarded, mounts: tuple[MountPoint, ...], past: State
) -> None:
    fault = judge_cloud("/mnt/cloud", guarded, *mounts, past=past)["/mnt/cloud"].fault

    assert fault is (RootFault.NOT_PROVEN if guarded is DEAD else RootFault.NOT_MOUNTED)


@pytest.mark.parametrize("mounts", [(), (COVER,), (CLOUD,)], ids=["bare", "covered", "mounted"])
@pytest.mark.parametrize("guarded", [PROVEN, DEAD], ids=["proven", "not proven"])
def test_of_a_root_above_it_a_guarded_mount_point_is_a_root_of_its_own_whatever_is_there(
    guarded: Guarded, mounts: tuple[MountPoint, ...]
) -> None:
    roots = judge_cloud("/mnt", guarded, *mounts)

    assert roots["/mnt"] == Root(path="/mnt", apart=frozenset({"cloud"}))
    assert (roots["/mnt/cloud"].fault is None) == (guarded is PROVEN and mounts == (CLOUD,))


def test_two_guarded_mounts_that_are_away_are_both_told() -> None:
    guarded = Guarded(mount_points={"cloud": "/mnt/cloud", "more": "/mnt/more"})

    roots = judge_cloud("/mnt", guarded)

    assert {path for path, root in roots.items() if root.fault is RootFault.NOT_MOUNTED} == {"/mnt/cloud", "/mnt/more"}


def test_a_guarded_mount_point_is_known_by_the_name_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk/cloud").mkdir(parents=True)
    (tmp_path / "mnt").symlink_to(tmp_path / "disk")
    guarded = Guarded(mount_points={"cloud": f"{tmp_path}/mnt/cloud"})

    known = survey(
        (str(tmp_path / "disk"),),
        Config(),
        environment={},
        journal=FakeJournal(),
        past=State(),
        folder=tmp_path,
        guarded=guarded,
    )

    assert known.policy.guarded == (f"{tmp_path}/disk/cloud",)
    assert [root.fault for root in known.faulty] == [RootFault.NOT_MOUNTED]


def test_roots_that_only_plex_names_are_not_the_administrators(tmp_path: Path) -> None:
    publish(tmp_path, folders=("/srv/plex",))

    assert [root.configured for root in look(tmp_path).policy.roots] == [False]
    assert [root.configured for root in look(tmp_path, "/srv/plex").policy.roots] == [True]
    assert [root.configured for root in look(tmp_path, config=Config(roots=("/srv/plex",))).policy.roots] == [True]


def look(folder: Path, *arguments: str, config: Config | None = None, within_roots: bool = False) -> Survey:
    return survey(
        arguments,
        config or Config(),
        environment={},
        journal=FakeJournal(),
        past=State(),
        folder=folder,
        within_roots=within_roots,
    )


def test_who_is_held_to_the_known_roots_reaches_no_further(tmp_path: Path) -> None:
    config = Config(roots=("/srv/media",))

    assert look(tmp_path, "/srv/media/Films", config=config, within_roots=True).policy.roots[0].path == "/srv/media/Films"
    for path in ("/srv/media2", "/srv", "/home/anna/Videos"):
        with pytest.raises(UsageError, match="lies below no root"):
            look(tmp_path, path, config=config, within_roots=True)


def test_who_is_held_to_the_known_roots_is_not_led_out_of_them_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media/out").symlink_to("../elsewhere")

    with pytest.raises(UsageError, match="lies below no root"):
        look(tmp_path, str(tmp_path / "media/out"), config=Config(roots=(str(tmp_path / "media"),)), within_roots=True)


# -- for whom, and how ------------------------------------------------------------------------------------------------


def test_plex_is_who_was_discovered_unless_somebody_else_is_configured() -> None:
    found = FoundPlex(server=Server.UNIT, uid=997, gids=(997, 44))

    assert find_identity(Config(), found, State()) == Identity(997, (997, 44))
    assert find_identity(Config(as_uid=4_000_000, as_gid=4_000_001), found, State()) == Identity(4_000_000, (4_000_001,))
    assert find_identity(Config(as_user="root"), found, State()) == Identity(0, tuple(os.getgrouplist("root", 0)))


@pytest.mark.parametrize(
    "found", [None, FoundPlex(server=Server.UNIT), FoundPlex(server=Server.UNIT, uid=997)], ids=["no Plex", "no user", "no groups"]
)
def test_where_nobody_knows_whom_plex_runs_as_everybody_counts(found: FoundPlex | None) -> None:
    assert find_identity(Config(), found, State()) is None


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (Config(as_user="no-such-user"), "no such user"),
        (Config(as_uid=4_000_000), "as_gid must be given too"),
        (Config(owner="no-such-user"), "owner"),
        (Config(group="no-such-group"), "group"),
        (Config(overrides=(Override(path="/srv", owner="no-such-user"),)), "owner"),
    ],
    ids=["user", "number without a name", "owner", "group", "in an override"],
)
def test_a_user_who_does_not_exist_is_a_mistake_in_the_configuration(config: Config, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_policy(config, (), find_identity(config, None, State()))

    assert words in str(caught.value.mistakes)


def test_an_override_says_only_what_is_other() -> None:
    override = Override(path="/srv/a", file_mode=Mode(0o640), owner="0", policy="exact")

    policy = make_policy(Config(file_mode=Mode(0o664), dir_mode=Mode(0o775), group="44", overrides=(override,)), (), None)

    assert policy.want == Want(file_mode=Mode(0o664), dir_mode=Mode(0o775), gid=44)
    assert policy.overrides == (("/srv/a", Want(exact=True, file_mode=Mode(0o640), dir_mode=Mode(0o775), uid=0, gid=44)),)


def test_overrides_and_excludes_hold_by_the_name_behind_a_link(tmp_path: Path) -> None:
    # given: the root is known by a link, and so is what is other below it
    (tmp_path / "disk/kids").mkdir(parents=True)
    (tmp_path / "media").symlink_to("disk")
    config = Config(
        roots=(f"{tmp_path}/media",),
        overrides=(Override(path=f"{tmp_path}/media/kids", policy="exact"),),
        excludes=(f"{tmp_path}/media/private", "*.part"),
    )

    policy = look(tmp_path, config=config).policy

    assert policy.want_of(f"{tmp_path}/disk/kids/a.mkv").exact
    assert policy.excludes == (f"{tmp_path}/disk/private", "*.part")


def test_a_path_that_plex_names_by_a_link_is_known_below_its_root(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "media").symlink_to("disk")
    known = look(tmp_path, str(tmp_path / "media"), str(tmp_path))

    assert known.resolve(f"{tmp_path}/media/a.mkv") == f"{tmp_path}/disk/a.mkv"
    assert known.resolve(f"{tmp_path}/media2/a.mkv") == f"{tmp_path}/media2/a.mkv"


# -- a container's way ------------------------------------------------------------------------------------------------

TANK = FoundContainer(
    name="plex",
    status="running",
    mounts=(Mount(source="/mnt/tank", destination="/data"), Mount(source="/mnt/tank/tv", destination="/tv")),
)


def test_plex_in_a_container_sees_a_root_from_its_innermost_bind_mount(tmp_path: Path) -> None:
    publish(tmp_path, container=TANK, server=Server.CONTAINER)
    roots = tuple(
        Root(path=path) for path in ("/mnt/tank/tv/new", "/mnt/tank/films", "/mnt/tank", "/mnt/tank2/films", "/srv/media")
    )

    seen = see_from(roots, read_plex(FakeJournal(), tmp_path), FakeJournal(), tmp_path)

    assert [root.seen_from for root in seen] == ["/mnt/tank/tv", "/mnt/tank", "/mnt/tank", "/mnt/tank2/films", "/srv/media"]


def test_plex_in_a_unit_sees_a_root_from_the_top(tmp_path: Path) -> None:
    publish(tmp_path, container=TANK)

    (seen,) = see_from((Root(path="/mnt/tank"),), read_plex(FakeJournal(), tmp_path), FakeJournal(), tmp_path)

    assert seen.seen_from == "/"


def test_a_single_path_is_held_to_what_plex_is_wherever_it_lies(tmp_path: Path) -> None:
    publish(tmp_path, container=TANK, server=Server.CONTAINER)

    policy, target = survey_path("/mnt/tank/tv/new/../a.mkv", Config(), journal=FakeJournal(), past=State(), folder=tmp_path)

    assert target == "/mnt/tank/tv/a.mkv"
    assert policy.roots[0].seen_from == "/mnt/tank/tv"
    assert policy.identity == Identity(997, (997, 44))


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


def test_a_plex_that_is_away_is_taken_for_the_user_it_was() -> None:
    past = remember(State(), [], (ROOT,), Identity(997, (997, 44)))
    away = FoundPlex(server=Server.NONE, missing="nothing")

    assert find_identity(Config(), away, past) == Identity(997, (997, 44))
    assert find_identity(Config(), None, past) == Identity(997, (997, 44))
    assert find_identity(Config(), FoundPlex(server=Server.UNIT, uid=5, gids=(6,)), past) == Identity(5, (6,))
    assert remember(past, [], (ROOT,), None) == past


@pytest.mark.parametrize("exclude", ["/srv/media", "/srv"])
def test_a_root_that_lies_in_what_is_left_out_is_not_walked(tmp_path: Path, exclude: str) -> None:
    config = Config(roots=("/srv/media", "/data/films"), excludes=(exclude,))

    known = survey((), config, environment={}, journal=FakeJournal(), past=State(), folder=tmp_path)

    assert [root.path for root in known.policy.roots] == ["/data/films"]
