"""When an inode was made, as the kernel says it."""

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plexguard.perms_audit.inode import birth_time


def stat_birth(path: Path) -> int:
    """Return what stat(1) says, in seconds since 1970, 0 where nobody knows."""
    return int(subprocess.run(["stat", "-c", "%W", str(path)], capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_PATH], ids=["opened", "by path alone"])
@pytest.mark.parametrize("is_folder", [False, True], ids=["file", "folder"])
def test_it_is_what_stat_says(tmp_path: Path, is_folder: bool, flags: int) -> None:
    path = tmp_path / "x"
    path.mkdir() if is_folder else path.write_bytes(b"film")
    fd = os.open(path, flags)
    try:
        born = birth_time(fd)
    finally:
        os.close(fd)

    assert (0 if born is None else int(born.timestamp())) == stat_birth(path)


def test_it_moves_with_nothing_that_happens_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"film")
    fd = os.open(path, os.O_PATH)
    born = birth_time(fd)
    if born is None:
        pytest.skip("this file system does not keep when a file was made")

    os.utime(path, (1, 1))
    path.chmod(0o600)
    path.write_bytes(b"longer")

    assert birth_time(fd) == born
    assert abs(datetime.now(UTC) - born) < timedelta(minutes=1)
    os.close(fd)


def test_where_nobody_keeps_it_there_is_none() -> None:
    fd = os.open("/proc/self/status", os.O_RDONLY)
    try:
        assert birth_time(fd) is None
    finally:
        os.close(fd)


def test_a_descriptor_that_is_closed_is_an_error(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_PATH)
    os.close(fd)

    with pytest.raises(OSError, match="Bad file descriptor"):
        birth_time(fd)
