"""What the kernel tells of real mounts."""

import pytest

from plexguard.rclone_watchdog.asking.kernel import KernelWatch, MountTable
from tests.fakes.storage import Storage
from tests.integration.rclone_watchdog.support import VERSIONS, is_mount, run_rclone, unmount
from tests.waiting import await_true


@pytest.fixture(scope="module")
def storage():
    with Storage("webdav") as served:
        (served.bucket / "film.mkv").write_bytes(bytes(range(256)) * 100)
        yield served


@pytest.fixture
def table():
    opened = MountTable()
    yield opened
    opened.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_mount_comes_runs_freezes_dies_and_goes(storage, tmp_path, table, version):
    with run_rclone(storage, tmp_path, version=version) as rclone:
        watch = KernelWatch(rclone.mount, table=table)
        seen = watch.look(1.0, rclone_pid=rclone.process.pid)
        assert (seen.is_mounted, seen.is_expected) == (True, True)
        # The mount itself asks some things first.
        await_true(lambda: watch.look(1.0).waiting == 0)
        assert seen.rclone_state in "SR"

        rclone.freeze()
        await_true(lambda: watch.look(2.0, rclone_pid=rclone.process.pid).rclone_state == "T")
        rclone.process.kill()
        rclone.process.wait()
        seen = watch.look(3.0, rclone_pid=rclone.process.pid)
        assert (seen.is_mounted, seen.rclone_pid, seen.since_s) == (True, 0, 1.0)

        unmount(rclone.mount_point)
        assert not watch.look(4.0).is_mounted


@pytest.mark.parametrize("name", ["with space", "tab\there", "back\\slash", "per%cent #1 [x]", "line\nend", "\udce9t\xe9"])
def test_odd_mount_points_are_found(storage, tmp_path, table, name):
    folder = tmp_path / name
    folder.mkdir()
    with run_rclone(storage, folder) as rclone:
        assert KernelWatch(rclone.mount, table=table).look(1.0).is_expected
    assert not is_mount(rclone.mount_point)
