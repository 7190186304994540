"""How the guard lives beside others: what it costs, what it does not hold, how it ends, and mounts that come and go."""

import os
import signal
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from plexguard.perms_audit.guard.fanotify import OVERFLOW, FanotifyError, Group, Handle, open_handle
from tests.fakes.slow_fuse import SlowFuse
from tests.integration.perms_audit.guard.conftest import Mounter, Starter, run
from tests.integration.perms_audit.guard.test_repairs import make_closed
from tests.integration.perms_audit.support import make_folder, mode_of
from tests.waiting import await_true


@pytest.fixture
def disk(tmp_path: Path, mounter: Mounter) -> Path:
    return mounter.mount(tmp_path / "disk")


def unmount(path: Path) -> None:
    """As an administrator does: it is refused when anything is held open."""
    run("umount", str(path))


def test_it_is_ready_at_once_and_idle_it_costs_nothing(disk: Path, start_guard: Starter) -> None:
    # With mounts of its own: those of tests beside it would wake it.
    guard = start_guard(disk, before=("unshare", "--mount", "--propagation", "private"))
    # It has just had audited what happened before it watched.
    time.sleep(2)
    before = guard.wakeups()

    time.sleep(5)

    assert guard.wakeups() == before
    assert guard.resident_mb() < 25


def test_while_500_files_a_second_arrive_repairs_are_quick_and_memory_stays(disk: Path, start_guard: Starter) -> None:
    guard = start_guard(disk)
    began_s, waiting, took_s = time.monotonic(), dict[Path, float](), list[float]()

    number = 0
    while number < 2500 or waiting:
        assert time.monotonic() - began_s < 20
        while number < 2500 and time.monotonic() - began_s >= number / 500:
            path = disk / str(number)
            fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o644 if number % 10 else 0)
            os.close(fd)
            if not number % 10:
                waiting[path] = time.monotonic()
            number += 1
        for path, since_s in list(waiting.items()):
            if mode_of(path) == 0o644:
                took_s.append(time.monotonic() - since_s)
                del waiting[path]
        time.sleep(0.001)

    assert len(took_s) == 250
    assert statistics.median(took_s) < 0.05
    assert statistics.quantiles(took_s, n=100)[-1] < 1.0
    assert guard.resident_mb() < 25


def test_nothing_is_held_open_and_the_disk_can_be_unmounted(disk: Path, start_guard: Starter) -> None:
    guard = start_guard(disk)
    for number in range(300):
        make_closed(disk / f"{number % 7}/{number}")
    await_true(lambda: mode_of(disk / "5/299") == 0o644)
    time.sleep(0.1)

    assert [name for name in guard.open_files() if name.startswith(str(disk))] == []
    unmount(disk)
    await_true(lambda: "not mounted" in guard.told, what=lambda: guard.told)


def test_disk_that_comes_back_is_watched_again(disk: Path, start_guard: Starter, mounter: Mounter) -> None:
    guard = start_guard(disk)
    unmount(disk)
    await_true(lambda: "not mounted" in guard.told)

    mounter.mount(disk)
    await_true(lambda: guard.told.count("Watching") == 2, what=lambda: guard.told)
    make_closed(disk / "film")

    await_true(lambda: mode_of(disk / "film") == 0o644, timeout_s=1.0)


def test_root_that_is_mounted_later_is_watched_from_then_on(tmp_path: Path, start_guard: Starter, mounter: Mounter) -> None:
    first, later = mounter.mount(tmp_path / "first"), tmp_path / "later"
    guard = start_guard(first, later)
    guard.await_status(f"Watching 1 of 2 roots, 0 paths checked; not {later} (there is no such folder), left to the timer")

    mounter.mount(later)
    await_true(lambda: f"Watching {later}" in guard.told, what=lambda: guard.told)
    make_closed(later / "film")

    await_true(lambda: mode_of(later / "film") == 0o644, timeout_s=1.0)


def test_disk_below_a_root_that_is_mounted_later_is_watched(disk: Path, start_guard: Starter, mounter: Mounter) -> None:
    guard = start_guard(disk)

    mounter.mount(disk / "more")
    await_true(lambda: f"Watching {disk}/more" in guard.told, what=lambda: guard.told)
    make_closed(disk / "more/film")

    await_true(lambda: mode_of(disk / "more/film") == 0o644, timeout_s=1.0)


def test_overlay_is_named_and_the_rest_is_watched(tmp_path: Path, disk: Path, start_guard: Starter, mounter: Mounter) -> None:
    for name in ("lower", "upper", "work"):
        (disk / name).mkdir()
    options = f"lowerdir={disk}/lower,upperdir={disk}/upper,workdir={disk}/work"
    overlay = mounter.mount(tmp_path / "overlay", "-t", "overlay", "-o", options, "overlay")
    media = mounter.mount(tmp_path / "media")

    guard = start_guard(overlay, media)

    guard.await_status(f"Watching 1 of 2 roots, 0 paths checked; not {overlay} (overlay), left to the timer")
    assert f"Not watching {overlay} (overlay)" in guard.told


@pytest.fixture
def hung(tmp_path: Path, disk: Path) -> Iterator[Path]:
    """A FUSE mount below a root on which every question hangs."""
    with SlowFuse(make_folder(tmp_path / "behind"), make_folder(disk / "hung")) as mount:
        mount.hang()
        yield mount.target


def test_mount_that_hangs_is_never_touched(disk: Path, hung: Path, start_guard: Starter) -> None:
    guard = start_guard(disk, hung / "films")

    make_closed(disk / "film")

    await_true(lambda: mode_of(disk / "film") == 0o644, timeout_s=1.0)
    guard.await_status(f"not {hung} (fuse")


def test_mount_that_hangs_is_not_touched_when_it_comes_with_a_folder_that_is_moved_in(
    disk: Path, hung: Path, start_guard: Starter
) -> None:
    (disk / "media").mkdir()
    guard = start_guard(disk / "media")
    (disk / "Show").mkdir()
    run("mount", "--move", str(hung), str(make_folder(disk / "Show/cloud")))
    make_closed(disk / "Show/film")

    (disk / "Show").rename(disk / "media/Show")
    await_true(lambda: mode_of(disk / "media/Show/film") == 0o644, timeout_s=2.0)
    make_closed(disk / "media/after")

    await_true(lambda: mode_of(disk / "media/after") == 0o644, timeout_s=2.0)
    assert f"Not watching {disk}/media/Show/cloud" in guard.told


def test_overflow_is_never_silent(disk: Path, start_guard: Starter) -> None:
    """There is no service manager here that could start the audit: that is told, and the guard goes on."""
    limit = int(Path("/proc/sys/fs/fanotify/max_queued_events").read_text(encoding="ascii"))
    guard = start_guard(disk)
    guard.process.send_signal(signal.SIGSTOP)
    for number in range(limit + 500):
        os.mknod(disk / str(number), 0o100644)
    guard.process.send_signal(signal.SIGCONT)

    await_true(lambda: "plexguard-perms-audit.service could not be started" in guard.told, timeout_s=20, what=lambda: guard.told)
    make_closed(disk / "after")
    await_true(lambda: mode_of(disk / "after") == 0o644, timeout_s=20)
    assert guard.resident_mb() < 35


def test_stop_ends_it_at_once_while_files_arrive(disk: Path, start_guard: Starter) -> None:
    guard = start_guard(disk)
    stopping = threading.Event()

    def write() -> None:
        number = 0
        while not stopping.is_set():
            make_closed(disk / str(number))
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        time.sleep(0.5)
        began_s = time.monotonic()
        guard.process.terminate()
        code = guard.process.wait(timeout=5)
        took_s = time.monotonic() - began_s
    finally:
        stopping.set()
        writer.join()

    assert (code, took_s < 1.0) == (0, True)
    guard.await_status("STOPPING=1")


# -- as in the unit: a mount namespace of its own, in which every root is bound onto itself ------------------------------


def in_unit(*roots: Path) -> list[str]:
    """Return what gives the rest of the command the view of a unit with ReadWritePaths=."""
    binds = "".join(f'mount --bind "{root}" "{root}"; ' for root in roots if not root.is_mount())
    return ["unshare", "--mount", "--propagation", "slave", "sh", "-e", "-c", binds + 'exec "$@"', "sh"]


@pytest.fixture
def shared(tmp_path: Path, mounter: Mounter) -> Path:
    """A place whose mounts are seen in other namespaces too, as all are on a machine with systemd."""
    base = mounter.mount(tmp_path / "base")
    run("mount", "--make-shared", str(base))
    return base


def test_root_that_is_bound_onto_itself_has_the_same_paths(shared: Path, start_guard: Starter) -> None:
    root = shared / "films"
    root.mkdir()
    make_closed(shared / "secret")
    guard = start_guard(root, before=in_unit(root))

    make_closed(root / "Show/film")
    os.chmod(shared / "secret", 0o640)
    await_true(lambda: mode_of(root / "Show/film") == 0o644, timeout_s=1.0)
    time.sleep(0.1)

    assert set(guard.checked) == {"'Show'", "'Show/film'"}
    assert mode_of(shared / "secret") == 0o640


def test_disk_is_unmounted_for_the_unit_too(shared: Path, start_guard: Starter, mounter: Mounter) -> None:
    disk = mounter.mount(shared / "disk")
    guard = start_guard(disk, before=in_unit(disk))

    unmount(disk)

    await_true(lambda: "not mounted" in guard.told, what=lambda: guard.told)
    table = Path(f"/proc/{guard.process.pid}/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    assert f" {disk} " not in table


def test_disk_of_which_a_folder_is_held_by_the_unit_alone_makes_it_begin_anew(
    shared: Path, start_guard: Starter, mounter: Mounter
) -> None:
    disk = mounter.mount(shared / "disk")
    (disk / "films").mkdir()
    guard = start_guard(disk / "films", before=in_unit(disk / "films"))

    unmount(disk)
    # Nothing tells of it; it is noticed at the end of a cycle, or with the next change of the table.
    mounter.mount(shared / "other")

    assert guard.process.wait(timeout=5) == os.EX_TEMPFAIL


def test_disk_that_comes_later_is_seen_through_the_bound_folder(shared: Path, start_guard: Starter, mounter: Mounter) -> None:
    (shared / "disk").mkdir()
    guard = start_guard(shared / "disk", before=in_unit(shared / "disk"))

    disk = mounter.mount(shared / "disk")
    time.sleep(0.2)
    make_closed(disk / "film")
    await_true(lambda: mode_of(disk / "film") == 0o644, timeout_s=1.0)

    unmount(disk)
    await_true(lambda: "not mounted" in guard.told, what=lambda: guard.told)


# -- the binding ------------------------------------------------------------------------------------------------------


def test_kernel_tells_of_its_queue_that_overflows(disk: Path) -> None:
    limit = int(Path("/proc/sys/fs/fanotify/max_queued_events").read_text(encoding="ascii"))
    group = Group()
    fd = os.open(disk, os.O_RDONLY)
    try:
        group.mark(fd, 0x100)
        for number in range(limit + 10):
            os.mknod(disk / str(number), 0o100644)
        events = [event for chunk in iter(group.read, ()) for event in chunk]
    finally:
        os.close(fd)
        group.close()

    assert len(events) == limit + 1
    assert (events[-1].mask, events[-1].folder) == (OVERFLOW, None)


def test_folder_that_is_gone_cannot_be_opened_by_its_handle(disk: Path) -> None:
    group = Group()
    fd = os.open(disk, os.O_RDONLY)
    try:
        group.mark(fd, 0x100)
        (disk / "gone").mkdir()
        (disk / "gone/film").touch()
        (event,) = group.read()
        (disk / "gone/film").unlink()
        (disk / "gone").rmdir()
        assert event.folder is not None
        with pytest.raises(OSError, match="Stale"):
            open_handle(fd, event.folder)
        with pytest.raises(OSError, match=r"Stale|Invalid"):
            open_handle(fd, Handle(event.folder.fsid, event.folder.type, b""))
    finally:
        os.close(fd)
        group.close()


def test_file_system_that_refuses_is_an_error_with_its_code() -> None:
    group = Group()
    fd = os.open("/proc", os.O_RDONLY)
    try:
        with pytest.raises(FanotifyError) as error:
            group.mark(fd, 0x100)
    finally:
        os.close(fd)
        group.close()

    assert error.value.code != 0
