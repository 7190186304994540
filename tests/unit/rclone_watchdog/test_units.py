"""What the units of a mount hold of the configuration."""

from plexguard.core.units import Site
from plexguard.rclone_watchdog.config import Config, Mount, Rclone
from plexguard.rclone_watchdog.units import drop_ins

SITE = Site(folders=(), mounts=())


def made(**mounts: Mount) -> dict[str, str]:
    return drop_ins(Config(), Rclone(mount=mounts), SITE)


def test_without_a_mount_no_unit_is_changed():
    assert made() == {}


def test_trash_is_emptied_where_that_is_wanted():
    assert drop_ins(Config(trash=True), Rclone(), SITE) == {
        "plexguard.target.d/50-trash.conf": "[Unit]\nWants=plexguard-trash.timer\n"
    }


def test_every_mount_is_watched_from_boot_on():
    found = made(films=Mount(remote="s3:films", mount_point="/mnt/films"), nas=Mount(mount_point="/mnt/nas"))

    assert found["plexguard.target.d/50-mounts.conf"] == (
        "[Unit]\nWants=plexguard-rclone@films.service"
        " plexguard-rclone-watchdog@films.service plexguard-rclone-watchdog@nas.service\n"
    )


def test_runs_in_the_cloud_are_handed_what_a_mount_of_ours_is_opened_with():
    found = made(films=Mount(remote="s3:films", mount_point="/mnt/films"), nas=Mount(mount_point="/mnt/nas"))

    assert (
        found["plexguard-cloud-preflight@.service.d/50-mounts.conf"]
        == found["plexguard-cloud-mount@.service.d/50-mounts.conf"]
        == (
            "[Service]\nLoadCredential=rclone.films.conf:/etc/plexguard/credentials/rclone.films.conf\n"
            "SetCredential=rclone.films.conf:none\n"
        )
    )
    assert not [name for name in made(nas=Mount(mount_point="/mnt/nas")) if "cloud" in name]


def test_mount_of_ours_is_there_before_who_watches_it_and_is_not_started_by_him():
    found = made(films=Mount(remote="s3:films", mount_point="/mnt/films"), nas=Mount(mount_point="/mnt/nas"))

    watcher = found["plexguard-rclone-watchdog@films.service.d/50-mount.conf"]
    assert watcher == "[Unit]\nAfter=plexguard-rclone@films.service\n"
    assert not [name for name in found if "@nas" in name]


def test_mount_waits_for_the_disk_that_its_folder_is_on_and_not_for_itself():
    found = made(films=Mount(remote="s3:films", mount_point='/mnt/my "films"/all'))

    assert found["plexguard-rclone@films.service.d/50-mount.conf"] == '[Unit]\nRequiresMountsFor="/mnt/my \\"films\\""\n'
