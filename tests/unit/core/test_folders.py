"""Which folders are nobody's media."""

import pytest

from plexguard.core.folders import is_system_folder


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/etc",
        "/etc/ssl/private",
        "/usr",
        "/usr/share/sounds",
        "/boot",
        "/root",
        "/root/media",
        "/proc/1",
        "/sys",
        "/dev/shm",
        "/bin",
        "/sbin",
        "/lib",
        "/lib64",
        "/efi",
        "/home",
        "/home/anna",
        "/home/anna/.ssh",
        "/home/anna/.cache/x",
        "/var",
        "/var/lib",
        "/var/lib/plexmediaserver",
        "/var/log",
        "/var/cache/apt",
        "/var/spool/cron",
        "/var/backups",
        "/var/mail",
        "/run",
        "/run/plexguard",
        "/opt",
    ],
)
def test_a_folder_of_the_system_is_no_root(path: str) -> None:
    assert is_system_folder(path)


@pytest.mark.parametrize(
    "path",
    [
        "/srv",
        "/srv/media",
        "/mnt",
        "/mnt/nas",
        "/media/usb",
        "/data",
        "/opt/media",
        "/home/anna/Videos",
        "/home/anna/Videos/.hidden",
        "/var/media",
        "/run/media/anna/disk",
        "/run/mount/disk",
        "/etcetera",
        "/usr2/films",
        "/bootleg",
        "/homes/a",
        "/var/library",
        "/tmp/films",
    ],
)
def test_a_folder_of_media_is_a_root(path: str) -> None:
    assert not is_system_folder(path)
