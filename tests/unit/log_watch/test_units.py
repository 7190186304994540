"""What the unit of the watch is shown, and the groups that it has."""

import pytest

from plexguard.core.mounts import MountPoint
from plexguard.core.suite import daemon_units
from plexguard.core.units import Site, quote_path
from plexguard.log_watch.config import Config
from plexguard.log_watch.units import drop_ins

NAME = "plexguard-log-watch.service.d/50-plex.conf"
SUPPORT = "/var/lib/plexmediaserver/Library/Application Support/Plex Media Server"
PREFERENCES = f"{SUPPORT}/Preferences.xml"


def site(preferences: str = PREFERENCES, **given: object) -> Site:
    return Site(folders=(), preferences=preferences, **{"mounts": (), **given})  # type: ignore[arg-type]


def test_a_machine_without_plex_needs_no_drop_in() -> None:
    assert drop_ins(Config(), Site(folders=(), mounts=())) == {}
    assert drop_ins(Config(), Site(folders=(), mounts=(), groups={997: "plex"})) == {}


def test_logs_and_database_are_bound_and_the_group_is_plexs_own() -> None:
    made = drop_ins(Config(), site(groups={997: "plex", 44: "video"}))

    assert made == {
        NAME: "[Service]\n"
        f'BindReadOnlyPaths=-"{SUPPORT}/Logs":/run/plexguard/log-watch/logs\n'
        f'BindReadOnlyPaths=-"{SUPPORT}/Plug-in Support/Databases":/run/plexguard/log-watch/databases\n'
        "SupplementaryGroups=997\n"
    }


@pytest.mark.parametrize("folder", ['/srv/a "b"', "/srv/100%", "/srv/a:b", "/srv/a\\b", "/srv/Séries"])
def test_odd_names_are_written_as_unit_files_take_them(folder: str) -> None:
    made = drop_ins(Config(), site(f"{folder}/Preferences.xml"))

    assert f"BindReadOnlyPaths=-{quote_path(folder + '/Logs')}:/run/plexguard/log-watch/logs\n" in made[NAME]


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.rclone", "fuse.sshfs", "autofs"])
def test_folders_on_fuse_and_network_mounts_are_never_bound(kind: str) -> None:
    mounts = (MountPoint(path="/", type="ext4"), MountPoint(path="/var/lib/plexmediaserver", type=kind))

    assert drop_ins(Config(), site(mounts=mounts)) == {}


def test_the_one_that_is_local_is_bound() -> None:
    mounts = (MountPoint(path=f"{SUPPORT}/Logs", type="nfs4"),)

    text = drop_ins(Config(), site(mounts=mounts))[NAME]

    assert ("log-watch/logs" in text, "log-watch/databases" in text) == (False, True)


@pytest.mark.parametrize("group", [(0, "root"), (6, "disk"), (42, "shadow"), (998, "docker"), (120, "libvirt")])
def test_a_group_whose_members_can_become_root_is_not_given(group: tuple[int, str]) -> None:
    assert "SupplementaryGroups" not in drop_ins(Config(), site(groups=dict([group, (997, "plex")])))[NAME]


def test_the_journal_may_be_read_only_for_a_proxy() -> None:
    assert drop_ins(Config(proxy_unit="haproxy.service"), Site(folders=(), mounts=())) == {}
    assert drop_ins(Config(proxy_unit=""), Site(folders=(), mounts=())) == {NAME: "[Service]\nSupplementaryGroups=\n"}
    assert drop_ins(Config(proxy_unit=""), site(groups={997: "plex"}))[NAME].endswith(
        "\nSupplementaryGroups=\nSupplementaryGroups=997\n"
    )


def test_what_is_followed_by_default_is_the_suites_own_door() -> None:
    assert Config().proxy_unit in daemon_units()
