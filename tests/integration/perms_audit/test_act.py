"""Repairs by descriptor: the very inode that was found, or nothing at all."""

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plexguard.core.events import Mode
from plexguard.perms_audit.act import Outcome, Repairer, RepairFailed
from plexguard.perms_audit.decide import Repair
from plexguard.perms_audit.walk import Finding
from tests.fakes import lying_fuse
from tests.integration.perms_audit.support import (
    audit,
    become_nobody,
    find,
    leave_mounts,
    make_file,
    make_folder,
    make_read_only,
    mode_of,
    mount,
    mount_fuse,
    needs_mounts,
    run_child,
)

CANARY_MODE = 0o600


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with one bad file and one bad folder, and outside of it what must never be touched."""
    make_file(tmp_path / "outside/film.mkv", CANARY_MODE)
    make_folder(tmp_path / "outside", 0o700)
    make_file(tmp_path / "root/show/film.mkv", 0o000)
    make_file(tmp_path / "root/closed/other.mkv")
    make_folder(tmp_path / "root/closed", 0o700)
    (tmp_path / "root").chmod(0o755)
    return tmp_path / "root"


def repair(root: Path, finding: Finding, mode: int) -> Outcome:
    repairer = Repairer([str(root)])
    try:
        return repairer.repair(Repair(finding, Mode(mode)))
    finally:
        repairer.close()


def found_file(root: Path) -> Finding:
    return next(finding for finding in find(root) if not finding.is_folder)


def found_folder(root: Path) -> Finding:
    return next(finding for finding in find(root) if finding.path == "closed")


def test_a_file_gets_its_mode_and_nothing_else_is_opened(root: Path) -> None:
    assert repair(root, found_file(root), 0o644) is Outcome.REPAIRED

    assert mode_of(root / "show/film.mkv") == 0o644
    assert mode_of(root / "closed") == 0o700


def test_a_folder_gets_its_mode(root: Path) -> None:
    assert repair(root, found_folder(root), 0o755) is Outcome.REPAIRED

    assert mode_of(root / "closed") == 0o755


def test_the_root_itself_gets_its_mode(root: Path) -> None:
    root.chmod(0o700)
    finding = next(finding for finding in find(root) if not finding.path)

    assert repair(root, finding, 0o755) is Outcome.REPAIRED
    assert mode_of(root) == 0o755


def test_repairing_keeps_the_times_that_say_when_the_content_changed(root: Path) -> None:
    os.utime(root / "show/film.mkv", (1_000_000_000, 1_000_000_000))

    repair(root, found_file(root), 0o644)

    assert os.stat(root / "show/film.mkv").st_mtime == 1_000_000_000


# -- what is changed between finding and repair -----------------------------------------------------------------------


def become_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("../../outside/film.mkv")


def become_other(path: Path) -> None:
    make_file(path.with_suffix(".new"), 0o000)
    path.with_suffix(".new").replace(path)


def become_hard_link(path: Path) -> None:
    path.unlink()
    os.link(path.parents[2] / "outside/film.mkv", path)


def become_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o000)


def become_device(path: Path) -> None:
    path.unlink()
    os.mknod(path, 0o020000, os.makedev(1, 5))


def become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir(0o000)


def swap_parent(path: Path) -> None:
    path.parent.rename(path.parents[1] / "moved")
    path.parent.symlink_to("../outside")


def swap_parent_for_real_folder(path: Path) -> None:
    path.parent.rename(path.parents[1] / "moved")
    make_file(path, 0o000)


SWAPS = {
    "a link to a secret": become_link,
    "another file of that name": become_other,
    "a hard link to a secret": become_hard_link,
    "a pipe": become_fifo,
    "a device": become_device,
    "a folder": become_folder,
    "a folder on its way is a link": swap_parent,
    "a folder on its way is another": swap_parent_for_real_folder,
    "deleted": Path.unlink,
    "its folder is deleted": lambda path: shutil.rmtree(path.parent),
    "repaired by somebody else": lambda path: path.chmod(0o640),
    "made set-id": lambda path: path.chmod(0o4000),
    "given another name": lambda path: os.link(path, path.with_suffix(".link")),
}


@pytest.mark.parametrize("swap", SWAPS.values(), ids=SWAPS.keys())
def test_a_file_that_is_no_longer_what_was_found_is_left_alone(root: Path, swap: Callable[[Path], object]) -> None:
    finding = found_file(root)
    path = root / "show/film.mkv"
    swap(path)
    before = os.lstat(path).st_mode if os.path.lexists(path) else None

    assert repair(root, finding, 0o644) is Outcome.GONE

    assert mode_of(root.parent / "outside/film.mkv") == CANARY_MODE
    assert (os.lstat(path).st_mode if os.path.lexists(path) else None) == before


@pytest.mark.parametrize(
    "swap",
    [
        lambda path: (path.rename(path.with_name("moved")), path.symlink_to("../outside")),
        lambda path: (path.rename(path.with_name("moved")), path.mkdir(0o700)),
        lambda path: (shutil.rmtree(path), make_file(path, 0o700)),
        lambda path: path.chmod(0o750),
    ],
    ids=["a link outside", "another folder", "a file", "another mode"],
)
def test_a_folder_that_is_no_longer_what_was_found_is_left_alone(root: Path, swap: Callable[[Path], object]) -> None:
    finding = found_folder(root)
    swap(root / "closed")
    before = mode_of(root / "closed")

    assert repair(root, finding, 0o755) is Outcome.GONE

    assert mode_of(root.parent / "outside") == 0o700
    assert mode_of(root / "closed") == before


def test_a_file_that_was_moved_out_and_left_a_link_behind_is_out_of_reach(root: Path) -> None:
    finding = found_file(root)
    moved = root.parent / "outside/moved.mkv"
    (root / "show/film.mkv").rename(moved)
    (root / "show/film.mkv").symlink_to(moved)

    assert repair(root, finding, 0o644) is Outcome.GONE
    assert mode_of(moved) == 0o000


def test_a_path_that_leads_out_of_its_root_is_never_repaired(root: Path) -> None:
    status = os.stat(root.parent / "outside/film.mkv")
    forged = Finding(0, "../outside/film.mkv", False, Mode(CANARY_MODE), status.st_dev, status.st_ino, 1, False)

    assert repair(root, forged, 0o644) is Outcome.GONE
    assert mode_of(root.parent / "outside/film.mkv") == CANARY_MODE


def test_audits_beside_somebody_who_swaps_folders_and_links_touch_nothing_outside(root: Path) -> None:
    # given: somebody exchanges a folder with a link to the outside as fast as they can
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            (root / "show").rename(root / "aside")
            (root / "show").symlink_to("../outside")
            (root / "show").unlink()
            (root / "aside").rename(root / "show")
            (root / "show/film.mkv").chmod(0o000)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for _ in range(40):
            audit(root, workers=1)
    finally:
        stop.set()
        swapper.join()

    assert mode_of(root.parent / "outside") == 0o700
    assert mode_of(root.parent / "outside/film.mkv") == CANARY_MODE


# -- what cannot be repaired ------------------------------------------------------------------------------------------


@pytest.fixture
def immutable(root: Path) -> Iterator[Path]:
    path = root / "show/film.mkv"
    done = subprocess.run(["chattr", "+i", str(path)], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("this file system knows no immutable files")
    yield path
    subprocess.run(["chattr", "-i", str(path)], check=True)


def test_an_immutable_file_is_left_with_the_reason(root: Path, immutable: Path) -> None:
    with pytest.raises(RepairFailed, match="immutable"):
        repair(root, found_file(root), 0o644)


def test_a_file_of_somebody_else_is_left_with_the_reason(tmp_path: Path) -> None:
    public = make_folder(Path(f"/tmp/plexguard-test-{os.getpid()}"))
    make_file(public / "film.mkv", 0o600)

    def attempt() -> str:
        become_nobody()
        try:
            repair(public, found_file(public), 0o644)
        except RepairFailed as error:
            return str(error)
        return ""

    try:
        assert "somebody else" in run_child(attempt)
        assert mode_of(public / "film.mkv") == 0o600
    finally:
        shutil.rmtree(public)


@needs_mounts
def test_a_read_only_file_system_is_told_as_such(tmp_path: Path) -> None:
    disk = make_folder(tmp_path / "disk")

    def attempt() -> str:
        leave_mounts()
        mount("test", disk, "tmpfs")
        make_file(disk / "film.mkv", 0o000)
        make_read_only(disk)
        try:
            repair(disk, found_file(disk), 0o644)
        except RepairFailed as error:
            return str(error)
        return ""

    assert "read-only" in run_child(attempt)


@needs_mounts
def test_a_file_system_that_takes_a_chmod_and_ignores_it_is_not_believed(tmp_path: Path) -> None:
    disk = make_folder(tmp_path / "disk")

    def attempt() -> str:
        leave_mounts()
        fd = mount_fuse(disk, "fuse.lying")
        if os.fork() == 0:
            lying_fuse.serve(fd)
            os._exit(0)
        try:
            repair(disk, found_file(disk), 0o644)
        except RepairFailed as error:
            return str(error)
        return ""

    assert "did not make it" in run_child(attempt)
