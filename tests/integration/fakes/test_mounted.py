"""The mounts of tests: real ones, that can be made sick in each of the ways that mounts are, and are never left behind."""

import errno
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.fault_proxy import DATA
from tests.fakes.mounted import Mounted
from tests.fakes.storage import Storage, make_library
from tests.integration.perms_audit.support import needs_mounts
from tests.waiting import await_true

pytestmark = needs_mounts


@pytest.fixture(scope="module")
def served() -> Iterator[Storage]:
    with Storage("webdav") as storage:
        make_library(storage.bucket)
        yield storage


@pytest.fixture
def storage(served: Storage) -> Iterator[Storage]:
    yield served
    served.faults.clear()


@pytest.fixture
def mounted(storage: Storage) -> Iterator[Mounted]:
    with Mounted(storage) as mounted:
        yield mounted


def read_apart(path: Path) -> int:
    """Read a file in a child, which may never come back from it."""
    pid = os.fork()
    if pid == 0:
        try:
            path.read_bytes()
        finally:
            os._exit(0)
    return pid


def test_it_shows_what_is_served(storage: Storage, mounted: Mounted) -> None:
    names = [str(path.relative_to(mounted.point)) for path in mounted.point.rglob("*.mkv")]

    assert sorted(names) == sorted(str(path.relative_to(storage.bucket)) for path in storage.bucket.rglob("*.mkv"))
    assert (mounted.point / names[0]).read_bytes() == (storage.bucket / names[0]).read_bytes()


def test_a_killed_one_is_stale_until_it_is_started_anew(mounted: Mounted) -> None:
    mounted.kill()

    with pytest.raises(OSError, match="not connected") as caught:
        os.listdir(mounted.point)
    assert caught.value.errno == errno.ENOTCONN
    assert mounted.is_mounted


def test_a_hung_reader_waits_in_the_kernel_and_is_freed_by_an_abort(storage: Storage, mounted: Mounted) -> None:
    film = next(mounted.point.rglob("*.mkv"))
    storage.faults.set(DATA, "hang")
    reader = read_apart(film)
    await_true(lambda: mounted.waiting > 0)
    os.kill(reader, signal.SIGKILL)
    assert os.waitpid(reader, os.WNOHANG) == (0, 0)

    mounted.abort()

    await_true(lambda: os.waitpid(reader, os.WNOHANG)[0] == reader)


@pytest.mark.parametrize(
    "spoil",
    [lambda mounted: None, Mounted.kill, Mounted.freeze, Mounted.abort],
    ids=["well", "killed", "frozen", "aborted"],
)
def test_nothing_stays_mounted_and_nothing_runs(storage: Storage, spoil: Callable[[Mounted], object]) -> None:
    with Mounted(storage) as mounted:
        spoil(mounted)

    assert not mounted.is_mounted
    assert not mounted.point.exists()
    assert not Path(f"/proc/{mounted.pid}").exists()


def test_nothing_stays_mounted_with_a_reader_that_hangs(storage: Storage) -> None:
    with Mounted(storage) as mounted:
        film = next(mounted.point.rglob("*.mkv"))
        storage.faults.set(DATA, "hang")
        reader = read_apart(film)
        await_true(lambda: mounted.waiting > 0)

    await_true(lambda: os.waitpid(reader, os.WNOHANG)[0] == reader)
    assert not mounted.is_mounted
