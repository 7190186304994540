"""The slow file system: as slow as it says and no slower, judged by mode as a disk is, and never left behind."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plexguard.core.mounts import read_mounts
from tests.fakes import names
from tests.fakes.slow_fuse import SlowFuse
from tests.integration.perms_audit.support import NOBODY, make_file, make_folder, mode_of, needs_mounts, run_child
from tests.waiting import await_true

pytestmark = needs_mounts
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def place() -> Iterator[Path]:
    """A source and a mount point that every user can come to."""
    folder = Path(tempfile.mkdtemp(prefix="plexguard-test-"))
    folder.chmod(0o755)
    make_folder(folder / "mount")
    make_file(folder / "source/Show/film.mkv", 0o640)
    (folder / "source/Show/film.mkv").write_bytes(b"film")
    for path in ("source", "source/Show"):
        (folder / path).chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def disk(place: Path) -> Iterator[SlowFuse]:
    with SlowFuse(place / "source", place / "mount", lookup_s=0) as disk:
        yield disk


@pytest.fixture
def judging_disk(place: Path) -> Iterator[SlowFuse]:
    with SlowFuse(place / "source", place / "mount", lookup_s=0, judge=True) as disk:
        yield disk


def try_as(uid: int, path: Path) -> tuple[bool, bool]:
    """Return whether a user may read a file by what access(2) says, and whether it can."""

    def attempt() -> tuple[bool, bool]:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        try:
            os.close(os.open(path, os.O_RDONLY))
        except PermissionError:
            return os.access(path, os.R_OK), False
        return os.access(path, os.R_OK), True

    return run_child(attempt)


def is_mounted(path: Path) -> bool:
    return str(path) in {mount.path for mount in read_mounts()}


def fork(work: Callable[[], object]) -> int:
    """Start a child that never comes back into the test, whatever becomes of its work."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return pid


# -- what it shows ----------------------------------------------------------------------------------------------------


def test_it_shows_names_modes_owners_and_content_of_its_source(place: Path) -> None:
    names.plant_all(place / "source")
    os.chown(place / "source/Show/film.mkv", 1234, 5678)

    with SlowFuse(place / "source", place / "mount", lookup_s=0) as disk:
        status = (disk.target / "Show/film.mkv").stat()
        found = {os.path.join(a, name) for a, b, c in os.walk(os.fsencode(disk.target)) for name in [*b, *c]}
        content = (disk.target / "Show/film.mkv").read_bytes()

    assert (status.st_mode, status.st_uid, status.st_gid, status.st_size, status.st_nlink) == (0o100640, 1234, 5678, 4, 1)
    assert content == b"film"
    source = os.fsencode(place / "source")
    wanted = {os.path.join(a, name) for a, b, c in os.walk(source) for name in [*b, *c]}
    assert {path.replace(b"/mount/", b"/source/", 1) for path in found} == wanted


def test_a_folder_that_takes_many_readings_is_listed_whole(place: Path) -> None:
    for number in range(3000):
        make_file(place / "source/Show" / f"{number}")

    with SlowFuse(place / "source", place / "mount", lookup_s=0) as disk:
        assert sorted(os.listdir(disk.target / "Show")) == sorted(os.listdir(place / "source/Show"))


def test_a_chmod_and_a_chown_are_shown_and_the_source_is_as_it_was(place: Path, disk: SlowFuse) -> None:
    before = (disk.target / "Show/film.mkv").stat()

    (disk.target / "Show/film.mkv").chmod(0o604)
    os.chown(disk.target / "Show/film.mkv", 1234, -1)

    after = (disk.target / "Show/film.mkv").stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (0o100604, 1234, before.st_gid)
    assert after.st_ctime_ns > before.st_ctime_ns
    assert mode_of(place / "source/Show/film.mkv") == 0o640


@pytest.mark.parametrize("judge", [False, True], ids=["by the kernel", "by itself"])
@pytest.mark.parametrize(("mode", "readable"), [(0o640, False), (0o004, True), (0o000, False)], ids=["0640", "0004", "0000"])
def test_other_users_are_judged_by_mode(place: Path, judge: bool, mode: int, readable: bool) -> None:
    with SlowFuse(place / "source", place / "mount", lookup_s=0, judge=judge) as disk:
        (disk.target / "Show/film.mkv").chmod(mode)

        assert try_as(NOBODY, disk.target / "Show/film.mkv") == (readable, readable)
        assert try_as(0, disk.target / "Show/film.mkv") == (True, True)


@pytest.mark.parametrize("judge", [False, True], ids=["by the kernel", "by itself"])
def test_a_folder_that_may_not_be_searched_hides_what_is_in_it(place: Path, judge: bool) -> None:
    with SlowFuse(place / "source", place / "mount", lookup_s=0, judge=judge) as disk:
        (disk.target / "Show/film.mkv").chmod(0o644)
        (disk.target / "Show").chmod(0o744)

        assert try_as(NOBODY, disk.target / "Show/film.mkv") == (False, False)


# -- how slow it is ---------------------------------------------------------------------------------------------------


def test_every_access_asks_again_and_only_lookups_take_their_time(place: Path) -> None:
    with SlowFuse(place / "source", place / "mount", lookup_s=0.05) as disk:
        folder = os.open(disk.target / "Show", os.O_RDONLY)
        before, began_s = disk.count().lookups, time.monotonic()
        for _ in range(4):
            os.stat("film.mkv", dir_fd=folder)
        looked_up_s = time.monotonic() - began_s
        for _ in range(50):
            os.fstat(folder)
        taken_s = time.monotonic() - began_s - looked_up_s
        os.close(folder)

        assert disk.count().lookups - before == 4
    assert looked_up_s >= 0.2
    assert taken_s < 0.1


def test_sixteen_who_ask_side_by_side_wait_no_longer_than_one(place: Path) -> None:
    with SlowFuse(place / "source", place / "mount", lookup_s=0.1) as disk:
        folder = os.open(disk.target / "Show", os.O_RDONLY)
        began_s = time.monotonic()
        pids = [fork(lambda: [os.stat("film.mkv", dir_fd=folder) for _ in range(5)]) for _ in range(16)]
        for pid in pids:
            os.waitpid(pid, 0)
        taken_s = time.monotonic() - began_s
        os.close(folder)

        assert disk.count().most_waiting == 16
    assert 0.5 <= taken_s < 2.0  # one after the other: 8 s


# -- how it misbehaves ------------------------------------------------------------------------------------------------


def test_a_lying_one_takes_a_chmod_and_does_not_make_it(disk: SlowFuse) -> None:
    disk.lie()

    (disk.target / "Show/film.mkv").chmod(0o644)

    assert mode_of(disk.target / "Show/film.mkv") == 0o640
    disk.recover()
    (disk.target / "Show/film.mkv").chmod(0o644)
    assert mode_of(disk.target / "Show/film.mkv") == 0o644


def test_a_ghost_refuses_one_user_until_the_same_mode_is_set_again(judging_disk: SlowFuse) -> None:
    film = judging_disk.target / "Show/film.mkv"
    film.chmod(0o777)
    judging_disk.deny(NOBODY, "Show/film.mkv")

    assert mode_of(film) == 0o777
    assert try_as(NOBODY, film) == (False, False)
    assert try_as(NOBODY - 1, film) == (True, True)
    assert try_as(0, film) == (True, True)

    film.chmod(0o777)

    assert try_as(NOBODY, film) == (True, True)


def test_a_folder_can_be_a_ghost_and_hides_what_is_in_it(judging_disk: SlowFuse) -> None:
    (judging_disk.target / "Show/film.mkv").chmod(0o777)
    judging_disk.deny(NOBODY, "Show")

    assert try_as(NOBODY, judging_disk.target / "Show/film.mkv") == (False, False)


def test_only_the_owner_and_root_may_chmod_where_it_judges_by_itself(judging_disk: SlowFuse) -> None:
    def attempt() -> bool:
        os.setresuid(NOBODY, NOBODY, NOBODY)
        try:
            (judging_disk.target / "Show/film.mkv").chmod(0o777)
        except PermissionError:
            return False
        return True

    assert not run_child(attempt)


def test_a_dead_one_stays_mounted_and_is_not_connected(disk: SlowFuse) -> None:
    disk.die()

    with pytest.raises(OSError, match="not connected") as caught:
        os.stat(disk.target)
    assert caught.value.errno == errno.ENOTCONN
    assert is_mounted(disk.target)


def test_a_hung_one_holds_even_the_killed_until_it_is_unmounted(place: Path) -> None:
    with SlowFuse(place / "source", place / "mount") as disk:
        disk.hang()
        pid = fork(lambda: os.stat(disk.target / "Show"))
        await_true(lambda: Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "SD")
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)

        assert os.waitpid(pid, os.WNOHANG) == (0, 0)

    os.waitpid(pid, 0)


def test_a_stopped_one_holds_who_asks_and_lets_the_killed_go(place: Path) -> None:
    with SlowFuse(place / "source", place / "mount") as disk:
        disk.stop()
        pid = fork(lambda: os.stat(disk.target / "Show"))
        time.sleep(0.2)
        assert os.waitpid(pid, os.WNOHANG) == (0, 0)

        os.kill(pid, signal.SIGKILL)

        await_true(lambda: os.waitpid(pid, os.WNOHANG) == (pid, signal.SIGKILL))


def test_it_can_hang_for_a_while(disk: SlowFuse) -> None:
    disk.hang()
    disk.recover()

    assert (disk.target / "Show/film.mkv").read_bytes() == b"film"


# -- how it ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoil", [lambda disk: None, SlowFuse.hang, SlowFuse.stop, SlowFuse.die, lambda disk: os.kill(disk.pid, signal.SIGKILL)],
    ids=["well", "hung", "stopped", "dead", "killed"],
)  # fmt: skip
def test_nothing_stays_mounted(place: Path, spoil: Callable[[SlowFuse], object]) -> None:
    with SlowFuse(place / "source", place / "mount") as disk:
        assert is_mounted(disk.target)
        spoil(disk)

    assert not is_mounted(disk.target)
    assert not Path(f"/proc/{disk.pid}").exists()


def test_nothing_stays_mounted_for_somebody_who_is_in_there(place: Path) -> None:
    with SlowFuse(place / "source", place / "mount", lookup_s=0) as disk:
        folder = os.open(disk.target / "Show", os.O_RDONLY)

    assert not is_mounted(disk.target)
    os.close(folder)


def test_nothing_stays_mounted_when_its_test_is_killed(place: Path) -> None:
    code = "import sys, pathlib, time; from tests.fakes.slow_fuse import SlowFuse; p = pathlib.Path(sys.argv[1])\n"
    code += "with SlowFuse(p / 'source', p / 'mount'): print(flush=True); time.sleep(60)"
    test = subprocess.Popen([sys.executable, "-c", code, str(place)], cwd=REPOSITORY, stdout=subprocess.PIPE)
    assert test.stdout is not None
    with test.stdout:
        test.stdout.readline()
    assert is_mounted(place / "mount")

    test.kill()
    test.wait()

    await_true(lambda: not is_mounted(place / "mount"))
