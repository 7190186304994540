"""What of the section a unit must hold: a pure function of configuration and machine."""

from datetime import timedelta

import pytest

from plexguard.core.mounts import MountPoint
from plexguard.core.units import Site, quote_path
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.units import drop_ins

SERVICES = ("plexguard-perms-audit.service.d/50-roots.conf", "plexguard-perms-audit-full.service.d/50-roots.conf")
NOWHERE = Site(folders=(), mounts=())


def on(path: str, kind: str) -> Site:
    return Site(folders=(), mounts=(MountPoint(path="/", type="ext4"), MountPoint(path=path, type=kind)))


def test_a_fresh_install_without_plex_needs_no_drop_in() -> None:
    assert drop_ins(Config(), NOWHERE) == {}


def test_both_services_may_write_below_the_configured_roots_and_wait_for_their_mounts() -> None:
    made = drop_ins(Config(roots=("/srv/media", "/mnt/disk")), NOWHERE)

    assert set(made) == set(SERVICES)
    for text in made.values():
        assert text.splitlines() == [
            "[Unit]",
            'RequiresMountsFor="/srv/media"',
            'RequiresMountsFor="/mnt/disk"',
            "[Service]",
            'ReadWritePaths=-"/srv/media"',
            'ReadWritePaths=-"/mnt/disk"',
        ]


def test_folders_that_plex_named_are_writable_and_nothing_is_waited_for() -> None:
    made = drop_ins(Config(), Site(folders=("/srv/media",), mounts=()))

    assert made[SERVICES[0]] == '[Service]\nReadWritePaths=-"/srv/media"\n'


def test_configured_roots_win_over_folders_that_plex_named() -> None:
    made = drop_ins(Config(roots=("/mnt/disk",)), Site(folders=("/srv/media",), mounts=()))

    assert "/srv/media" not in made[SERVICES[0]]


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse", "fuse.rclone", "fuseblk", "9p", "autofs", "ceph"])
@pytest.mark.parametrize("mount", ["/srv/media", "/srv"], ids=["at the root", "above the root"])
def test_roots_on_fuse_and_network_mounts_are_never_named(mount: str, kind: str) -> None:
    assert drop_ins(Config(roots=("/srv/media",)), on(mount, kind)) == {}


def test_a_remote_root_does_not_take_the_local_one_with_it() -> None:
    made = drop_ins(Config(roots=("/srv/nas", "/srv/media")), on("/srv/nas", "nfs4"))

    assert "/srv/nas" not in made[SERVICES[0]]
    assert 'ReadWritePaths=-"/srv/media"' in made[SERVICES[0]]


@pytest.mark.parametrize("root", ["/etc", "/", "/home/anna", "/var/lib"])
def test_folders_of_the_system_are_never_made_writable(root: str) -> None:
    assert drop_ins(Config(roots=(root,)), NOWHERE) == {}
    assert drop_ins(Config(), Site(folders=(root,), mounts=())) == {}


@pytest.mark.parametrize("root", ["/srv/My Films", "/srv/100%", '/srv/"x"', "/srv/a\\b", "/srv/Filmothèque"])
def test_odd_names_are_written_as_unit_files_take_them(root: str) -> None:
    made = drop_ins(Config(roots=(root,)), NOWHERE)

    assert f"ReadWritePaths=-{quote_path(root)}\n" in made[SERVICES[0]]
    assert f"RequiresMountsFor={quote_path(root)}\n" in made[SERVICES[0]]


def test_another_interval_resets_the_timer_and_says_its_first_run_again() -> None:
    made = drop_ins(Config(interval=timedelta(minutes=10)), NOWHERE)

    assert made == {
        "plexguard-perms-audit.timer.d/50-interval.conf": "[Timer]\nOnUnitInactiveSec=\nOnBootSec=2min\nOnUnitInactiveSec=10min\n"
    }


def test_another_calendar_takes_the_place_of_the_shipped_one() -> None:
    made = drop_ins(Config(full_calendar="Sun 03:00 Europe/Berlin"), NOWHERE)

    assert made == {
        "plexguard-perms-audit-full.timer.d/50-calendar.conf": "[Timer]\nOnCalendar=\nOnCalendar=Sun 03:00 Europe/Berlin\n"
    }
