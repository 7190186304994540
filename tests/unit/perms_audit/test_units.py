"""What of the section a unit must hold: a pure function of configuration and machine."""

from datetime import timedelta

import pytest

from plexguard.core.mounts import MountPoint
from plexguard.core.units import Site, quote_path
from plexguard.perms_audit.config import Config, Override
from plexguard.perms_audit.units import drop_ins

UNITS = tuple(f"plexguard-perms-{name}.service" for name in ("audit", "audit-full", "guard", "request"))
SERVICES = tuple(f"{unit}.d/50-roots.conf" for unit in UNITS)
NOWHERE = Site(folders=(), mounts=())


def on(path: str, kind: str) -> Site:
    return Site(folders=(), mounts=(MountPoint(path="/", type="ext4"), MountPoint(path=path, type=kind)))


def test_a_fresh_install_without_plex_needs_no_drop_in() -> None:
    assert drop_ins(Config(), NOWHERE) == {}


def test_all_services_may_write_below_the_configured_roots_and_wait_for_their_mounts() -> None:
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
@pytest.mark.parametrize(
    ("mount", "named"), [("/mnt/pool/media", "/mnt/pool"), ("/mnt/pool", "/mnt"), ("/mnt", None)], ids=["at", "above", "far above"]
)
def test_of_roots_on_fuse_and_network_mounts_the_local_folder_above_the_mount_is_named(
    mount: str, named: str | None, kind: str
) -> None:
    # given: a dead mount in ReadWritePaths= would fail the unit, and a hung one hang it
    made = drop_ins(Config(roots=("/mnt/pool/media",)), on(mount, kind))

    assert made == (dict.fromkeys(SERVICES, f'[Service]\nReadWritePaths=-"{named}"\n') if named else {})


def test_a_mount_in_a_mount_is_reached_through_the_local_folder_above_both() -> None:
    site = Site(
        folders=(), mounts=tuple(MountPoint(path=p, type=t) for p, t in [("/", "ext4"), ("/mnt/a", "nfs"), ("/mnt/a/b", "fuse")])
    )

    assert 'ReadWritePaths=-"/mnt"\n' in drop_ins(Config(roots=("/mnt/a/b/media",)), site)[SERVICES[0]]


def test_a_folder_below_another_is_named_once() -> None:
    made = drop_ins(Config(roots=("/srv/media/Films", "/srv/media", "/srv/media2")), NOWHERE)

    assert [line for line in made[SERVICES[0]].splitlines() if line.startswith("Read")] == [
        'ReadWritePaths=-"/srv/media"',
        'ReadWritePaths=-"/srv/media2"',
    ]


@pytest.mark.parametrize(
    "config",
    [Config(owner="plex"), Config(group="media"), Config(overrides=(Override(path="/srv/a", group="media"),))],
    ids=["an owner", "a group", "in an override"],
)
def test_only_who_configures_owners_gives_the_right_to_change_them(config: Config) -> None:
    made = drop_ins(config, NOWHERE)

    assert set(made) == {f"{unit}.d/50-owners.conf" for unit in (*UNITS, "plexguard-perms-audit@.service")}
    assert set(made.values()) == {"[Service]\nCapabilityBoundingSet=CAP_CHOWN\nSystemCallFilter=@chown\n"}
    assert "owners" not in str(drop_ins(Config(overrides=(Override(path="/srv/a", policy="exact"),)), NOWHERE))


def test_a_remote_root_does_not_take_the_local_one_with_it() -> None:
    made = drop_ins(Config(roots=("/mnt/pool/nas", "/srv/media")), on("/mnt/pool/nas", "nfs4"))

    assert "nas" not in made[SERVICES[0]]
    assert 'ReadWritePaths=-"/srv/media"' in made[SERVICES[0]]
    assert 'RequiresMountsFor="/srv/media"' in made[SERVICES[0]]


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
