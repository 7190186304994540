"""Making way at a mount point: real mounts on one another, dead and frozen ones, links, and files of others."""

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from plexguard.core.child import in_child
from plexguard.core.mounts import MountPoint
from plexguard.rclone_watchdog.asking.kernel import COVER_SOURCE, find_lines
from plexguard.rclone_watchdog.mounting import clear
from plexguard.rclone_watchdog.mounting.clear import Bare, PlaceRefused
from tests.fakes.mounted import Mounted
from tests.waiting import await_true

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
# No user of this number is needed.
UID, GID = 4711, 4712
MODES = (0o700, 0o755)
TIMEOUT_S = 5.0


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A mount point, with what the kernel writes otherwise in its table. Nothing stays mounted there."""
    folder = tmp_path / "films, all\\of them"
    folder.mkdir()
    yield folder
    while lines_at(folder):
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=10)


def lines_at(path: Path) -> list[str]:
    table = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    return [line.source for line in find_lines(table, str(path))]


def mount_tmpfs(path: Path, source: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", source, str(path)], check=True, timeout=10)


def unmount(path: Path, *remotes: str, **options: Path) -> list[str]:
    """Do it in a child, whose folder it changes; return the sources of strangers."""
    found = in_child(lambda: clear.unmount(str(path), frozenset(remotes), **options), timeout_s=TIMEOUT_S)
    return [line.source for line in found]


def mode_of(path: Path) -> tuple[int, int, int]:
    status = path.lstat()
    return stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid


def test_all_that_is_mounted_goes_and_only_strangers_are_told(place):
    for source in ("stranger", COVER_SOURCE, "other"):
        mount_tmpfs(place, source)
    (place / "below").mkdir()
    mount_tmpfs(place / "below", "deeper")

    assert unmount(place) == ["other", "stranger"]
    assert lines_at(place) == [] and lines_at(place / "below") == []


def test_what_is_mounted_beside_it_stays(place, tmp_path):
    beside = tmp_path / f"{place.name} too"
    beside.mkdir()
    mount_tmpfs(beside, "beside")
    try:
        mount_tmpfs(place, "stranger")
        assert unmount(place) == ["stranger"]
        assert lines_at(beside) == ["beside"]
    finally:
        subprocess.run(["umount", "--lazy", str(beside)], check=True, timeout=10)


def test_what_is_open_on_a_stranger_stays_open(place):
    mount_tmpfs(place, "stranger")
    (place / "film").write_bytes(b"bytes")
    with (place / "film").open("rb") as film:
        unmount(place)
        assert film.read() == b"bytes"


def test_nothing_is_done_where_nothing_is_mounted(tmp_path):
    assert unmount(tmp_path / "nowhere/at/all") == []


def test_mount_of_a_killed_rclone_goes(mounted):
    mounted.kill()

    assert unmount(mounted.point, "stand:media") == []
    assert lines_at(mounted.point) == []


def test_mount_of_a_frozen_rclone_goes_without_being_asked(mounted):
    mounted.freeze()
    try:
        assert unmount(mounted.point, "stand:media") == []
        assert lines_at(mounted.point) == []
    finally:
        mounted.thaw()


def test_who_waits_in_a_mount_of_ours_is_let_go_though_its_rclone_is_frozen(s3):
    with Mounted(s3) as mounted:
        films = sorted(path for path in mounted.point.rglob("*") if path.is_file())
        mounted.freeze()
        reader = subprocess.Popen(["cat", str(films[0])], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            await_true(lambda: mounted.waiting > 0, timeout_s=10, what="the reader waits")
            unmount(mounted.point, *lines_at(mounted.point), connections=mounted.connections)
            assert reader.wait(timeout=10) != 0
        finally:
            reader.kill()
            reader.wait(timeout=10)
            mounted.thaw()


@pytest.mark.parametrize("mode", MODES)
def test_folder_that_is_missing_is_made(tmp_path, mode):
    path = tmp_path / "deep/er/media"

    assert clear.lay_bare(str(path), mode, UID, GID) == Bare(is_ours=True)
    assert mode_of(path) == (mode, UID, GID)
    assert mode_of(path.parent) == (0o755, 0, 0)


@pytest.mark.parametrize("mode", MODES)
def test_empty_folder_is_taken(place, mode):
    assert clear.lay_bare(str(place), mode, UID, GID) == Bare(is_ours=True)
    assert mode_of(place) == (mode, UID, GID)


def test_folder_of_others_that_holds_something_stays_as_it_is(place):
    (place / "mine").touch()
    before = mode_of(place)

    assert clear.lay_bare(str(place), 0o700, UID, GID) == Bare(is_ours=False, strays=1, sample="mine")
    assert mode_of(place) == before


def test_strays_in_our_folder_are_counted_and_left(place):
    clear.lay_bare(str(place), 0o700, UID, GID)
    for name in ("a", "b"):
        (place / name).touch()
    place.chmod(0o755)

    found = clear.lay_bare(str(place), 0o700, UID, GID)

    assert (found.is_ours, found.strays) == (True, 2)
    assert found.sample in ("a", "b") and len(list(place.iterdir())) == 2
    assert mode_of(place) == (0o700, UID, GID)


@pytest.mark.parametrize("path", ["link", "link/media", "file", "file/media"])
def test_nobody_leads_root_elsewhere(tmp_path, path):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "media").mkdir(parents=True)
    (tmp_path / "link").symlink_to(elsewhere)
    (tmp_path / "file").touch()
    before = mode_of(elsewhere), mode_of(elsewhere / "media")

    for attempt in (lambda: clear.lay_bare(str(tmp_path / path), 0o700, UID, GID), lambda: clear.check_way(str(tmp_path / path))):
        with pytest.raises(PlaceRefused, match="symbolic link"):
            attempt()
    assert (mode_of(elsewhere), mode_of(elsewhere / "media")) == before


def test_way_to_what_is_not_there_yet_is_free(tmp_path):
    clear.check_way(str(tmp_path / "new/media"))


@pytest.mark.parametrize("path", ["/etc/media", "/home/anna", "/mnt/nas/media"])
def test_places_of_the_system_and_in_a_mount_that_may_hang_are_refused(path):
    mounts = (MountPoint(path="/", type="ext4"), MountPoint(path="/mnt/nas", type="nfs4"))
    with pytest.raises(PlaceRefused):
        clear.check_place(path, mounts)


def test_place_of_a_dead_mount_itself_is_none_that_is_refused():
    clear.check_place("/mnt/media", (MountPoint(path="/", type="ext4"), MountPoint(path="/mnt/media", type="fuse.rclone")))


def test_way_that_is_closed_to_who_mounts_is_told(tmp_path):
    (tmp_path / "closed/media").mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    tmp_path.chmod(0o700)

    def check_as_nobody() -> str:
        os.setresuid(65534, 65534, 65534)
        try:
            clear.check_way(str(tmp_path / "closed/media"))
        except PlaceRefused as error:
            return str(error)
        return ""

    assert "cannot come there" in in_child(check_as_nobody, timeout_s=TIMEOUT_S)
