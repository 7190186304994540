"""Which mount a file lies on."""

import subprocess
from pathlib import Path

from plexguard.db_export.database.files import mount_id


def test_a_mount_is_told_from_another_of_the_same_file_system(tmp_path: Path) -> None:
    shown, place, link = tmp_path / "shown", tmp_path / "place", tmp_path / "link"
    shown.mkdir()
    place.mkdir()
    (shown / "file").touch()
    link.symlink_to("/proc")
    subprocess.run(["mount", "--bind", str(shown), str(place)], check=True, timeout=10)
    try:
        assert mount_id(place / "file") == mount_id(place) != mount_id(shown)
        assert place.stat().st_dev == shown.stat().st_dev
        assert mount_id(link) == mount_id(tmp_path)
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True, timeout=10)


def test_files_of_an_overlay_lie_on_one_mount_whatever_layer_they_are_of(tmp_path: Path) -> None:
    for name in ("lower", "upper", "work", "merged"):
        (tmp_path / name).mkdir()
    (tmp_path / "lower" / "old").touch()
    layers = f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    merged = tmp_path / "merged"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, str(merged)], check=True, timeout=10)
    try:
        (merged / "new").touch()
        assert mount_id(merged / "old") == mount_id(merged / "new") == mount_id(merged)
    finally:
        subprocess.run(["umount", "--lazy", str(merged)], check=True, timeout=10)
