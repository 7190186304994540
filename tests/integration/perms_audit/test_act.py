"""Repairs by descriptor: the very inode that was found, or nothing at all."""

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plexguard.core.events import Mode
from plexguard.perms_audit.access import Guise, Identity, Ownership
from plexguard.perms_audit.act import Outcome, Repairer, RepairFailed
from plexguard.perms_audit.decide import Finding, Repair
from tests.integration.perms_audit.support import (
    READER,
    audit,
    become_nobody,
    find,
    leave_mounts,
    make_file,
    make_folder,
    make_read_only,
    make_roots,
    mode_of,
    mount,
    needs_mounts,
    readable,
    run_child,
    set_acl,
    slow_disk,
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


def repair(root: Path, finding: Finding, mode: int, *, uid: int = -1, gid: int = -1, identity: Identity | None = None) -> Outcome:
    guise = Guise(identity)
    guise.prepare()
    repairer = Repairer(make_roots(root), guise)
    try:
        return repairer.repair(Repair(finding, Mode(mode), "", uid=uid, gid=gid))
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
    forged = Finding(0, "../outside/film.mkv", False, Ownership(CANARY_MODE, 0, 0), True, status.st_dev, status.st_ino, 1)

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
    with slow_disk(tmp_path, {"film.mkv": b"film"}) as disk:
        disk.lie()

        with pytest.raises(RepairFailed, match="did not make it"):
            repair(disk.target, found_file(disk.target), 0o644)


# -- what helps and what does not -------------------------------------------------------------------------------------


def found_for_reader(root: Path) -> Finding:
    (finding,) = find(root, identity=READER)
    return finding


def attempt_as_reader(root: Path, mode: int, *, meanwhile: Callable[[], object] = lambda: None, **owner: int) -> Outcome | str:
    """Repair the only finding of a root that a user cannot read, for that user; return what came of it, or why not."""
    finding = found_for_reader(root)
    meanwhile()

    def attempt() -> Outcome | str:
        try:
            return repair(root, finding, mode, identity=READER, **owner)
        except RepairFailed as error:
            return str(error)

    return run_child(attempt)


def test_what_was_repaired_can_be_opened_by_the_one_for_whom_it_was(public: Path) -> None:
    make_file(public / "film.mkv", 0o600)

    assert attempt_as_reader(public, 0o644) is Outcome.REPAIRED
    assert readable(READER, [public / "film.mkv"]) == {public / "film.mkv"}


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_mode_that_does_not_help_is_taken_back(public: Path, kind: str) -> None:
    path = public / "x"
    make_file(path, 0o600) if kind == "file" else make_folder(path, 0o700)
    mode = mode_of(path)

    reason = attempt_as_reader(public, 0o640 if kind == "file" else 0o750)

    assert isinstance(reason, str)
    assert reason.startswith("its new mode did not help and was taken back: no r")
    assert mode_of(path) == mode


def test_a_mode_that_an_acl_outdoes_is_taken_back_with_the_acl_as_it_was(public: Path) -> None:
    make_file(public / "film.mkv", 0o640)
    set_acl(public / "film.mkv", users={READER.uid: 0}, mask=4)
    before = os.getxattr(public / "film.mkv", "system.posix_acl_access")

    reason = attempt_as_reader(public, 0o644)

    assert "its ACL (getfacl) keeps 54322" in str(reason)
    assert os.getxattr(public / "film.mkv", "system.posix_acl_access") == before
    assert mode_of(public / "film.mkv") == 0o640


def test_an_owner_that_does_not_help_is_taken_back(public: Path) -> None:
    make_file(public / "film.mkv", 0o600)

    assert "did not help" in str(attempt_as_reader(public, 0o640, uid=1000, gid=1001))

    status = os.stat(public / "film.mkv")
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (0, 0, 0o600)


def test_a_group_can_be_all_that_was_lacking(public: Path) -> None:
    make_file(public / "film.mkv", 0o640)

    assert attempt_as_reader(public, 0o640, gid=READER.gids[1]) is Outcome.REPAIRED
    assert os.stat(public / "film.mkv").st_gid == READER.gids[1]


@pytest.mark.parametrize(
    "cure",
    [lambda path: os.chown(path, READER.uid, 0), lambda path: set_acl(path, users={READER.uid: 4}, mask=4)],
    ids=["its owner", "its ACL"],
)
def test_what_can_be_opened_by_now_is_not_touched_though_its_mode_is_as_found(public: Path, cure: Callable[[Path], object]) -> None:
    make_file(public / "film.mkv", 0o640)

    assert attempt_as_reader(public, 0o644, meanwhile=lambda: cure(public / "film.mkv")) is Outcome.GONE
    assert mode_of(public / "film.mkv") == 0o640
