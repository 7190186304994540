"""What rclone says of its cache, and what its disk says."""

from pathlib import Path

import pytest

from plexguard.rclone_watchdog.asking.cache import CacheReader, read_cache
from plexguard.rclone_watchdog.asking.rc import Line
from tests.fakes.ports import FakeClock


@pytest.mark.parametrize(("out_of_space", "is_full"), [(False, False), (True, True)], ids=["room", "rclone has none"])
def test_a_cache_is_full_when_rclone_says_so(tmp_path: Path, out_of_space: bool, is_full: bool) -> None:
    cache = read_cache(
        {"diskCache": {"path": str(tmp_path), "bytesUsed": 1, "outOfSpace": out_of_space}, "opt": {"CacheMaxSize": 2}}
    )

    assert cache is not None
    assert cache.is_full is is_full


def test_a_cache_is_full_when_its_disk_is_whatever_rclone_says() -> None:
    # There is no room in proc(5), ever.
    cache = read_cache({"diskCache": {"path": "/proc", "bytesUsed": 1, "outOfSpace": False}, "opt": {"CacheMaxSize": 2}})

    assert cache is not None
    assert cache.is_full


def test_a_cache_that_cannot_be_looked_at_is_not_called_full() -> None:
    cache = read_cache({"diskCache": {"path": "/nonexistent", "bytesUsed": 1, "outOfSpace": False}, "opt": {"CacheMaxSize": 2}})

    assert cache is not None
    assert not cache.is_full


class FakeRc:
    """One whose cache lies in a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.asked = 0

    def call(self, command, values, *, timeout_s, line=None):
        self.asked += 1
        return {"diskCache": {"path": self.folder, "bytesUsed": self.asked}, "opt": {}}

    def read(self, remote, path, *, offset, count, timeout_s, line=None):
        raise NotImplementedError


def test_the_disk_is_looked_at_each_time_and_rclone_asked_seldom(tmp_path: Path) -> None:
    clock, rc = FakeClock(), FakeRc(str(tmp_path / "cache"))
    reader = CacheReader(clock.monotonic_s)

    first = reader.read(rc, Line())
    (tmp_path / "cache").symlink_to("/proc")
    clock.pass_time(5)
    second = reader.read(rc, Line())
    assert first is not None and not first.is_full
    assert second is not None and second.is_full
    assert rc.asked == 1

    clock.pass_time(25)
    reader.read(rc, Line())
    assert rc.asked == 2
