"""What Plex is to meet at a mount point while no mount is there."""

import pytest

from plexguard.rclone_watchdog.mounting.clear import pick_mode


@pytest.mark.parametrize(
    ("folders", "mode"),
    [
        ((), 0o700),
        (("/mnt/cloud",), 0o700),
        (("/mnt/cloud/Films",), 0o755),
        (("/mnt/cloud/Films", "/srv/films"), 0o755),
        (("/mnt/cloud/Films", "/mnt/cloud"), 0o700),
        # Of a library above it the mount point is a folder that has become empty.
        (("/mnt",), 0o700),
        (("/mnt/cloud/Films", "/mnt"), 0o700),
        (("/srv/films",), 0o700),
        (("/mnt/clouds/Films",), 0o700),
    ],
)
def test_it_is_open_only_where_a_missing_folder_is_all_that_plex_meets(folders: tuple[str, ...], mode: int) -> None:
    assert pick_mode("/mnt/cloud", folders) == mode
