"""Walking real trees: everything is met once, nothing is followed, and nothing that hangs, dies or lies goes unnoticed."""

import contextlib
import dataclasses
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pytest

from plexguard.core.events import Mode
from plexguard.core.mounts import read_mounts
from plexguard.perms_audit.access import Ownership
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.decide import Finding
from plexguard.perms_audit.observe import resolve_links
from plexguard.perms_audit.open import open_below
from plexguard.perms_audit.roots import Root, RootFault
from plexguard.perms_audit.walk import Batch
from plexguard.perms_audit.workers import Workers, _Worker
from tests.fakes import names
from tests.integration.perms_audit.support import (
    NOBODY,
    batches_of,
    become_nobody,
    find,
    leave_mounts,
    make_file,
    make_folder,
    mount_fuse,
    needs_mounts,
    policy_of,
    run_child,
    walk,
)


def paths(findings: list[Finding]) -> list[str]:
    return sorted(finding.path for finding in findings)


def faults(batches: list[Batch]) -> dict[int, RootFault]:
    return {batch.root: batch.root_fault for batch in batches if batch.root_fault is not None}


# -- what is met ------------------------------------------------------------------------------------------------------


def test_every_file_and_folder_is_counted_once_and_only_what_lacks_bits_is_found(tmp_path: Path) -> None:
    for show in range(4):
        for season in range(3):
            make_file(tmp_path / f"{show}/{season}/good.mkv", 0o644)
            make_file(tmp_path / f"{show}/{season}/bad.mkv", 0o600)
    tmp_path.chmod(0o755)

    batches = walk(tmp_path)

    assert sum(batch.files for batch in batches) == 24
    assert sum(batch.folders for batch in batches) == 1 + 4 + 12
    found = [finding for batch in batches for finding in batch.findings]
    assert paths(found) == sorted(f"{show}/{season}/bad.mkv" for show in range(4) for season in range(3))


@pytest.mark.parametrize("mode", [0o444, 0o644, 0o755, 0o1444, 0o6555])
def test_what_everybody_can_read_is_not_found(tmp_path: Path, mode: int) -> None:
    make_file(tmp_path / "a", mode)
    tmp_path.chmod(0o755)

    assert find(tmp_path) == []


@pytest.mark.parametrize("mode", [0o000, 0o044, 0o404, 0o440, 0o400, 0o333, 0o4000])
def test_a_file_that_lacks_any_read_bit_is_found_with_what_identifies_it(tmp_path: Path, mode: int) -> None:
    make_file(tmp_path / "a", mode)
    tmp_path.chmod(0o755)
    os.chown(tmp_path / "a", 1000, 1001)
    os.chmod(tmp_path / "a", mode)
    status = os.stat(tmp_path / "a")

    assert find(tmp_path) == [Finding(0, "a", False, Ownership(mode, 1000, 1001), True, status.st_dev, status.st_ino, 1)]


@pytest.mark.parametrize("mode", [0o000, 0o700, 0o644, 0o711, 0o551])
def test_a_folder_that_lacks_a_read_or_search_bit_is_found_and_looked_into(tmp_path: Path, mode: int) -> None:
    make_file(tmp_path / "films/inner/a.mkv", 0o000)
    make_folder(tmp_path / "films", mode)
    tmp_path.chmod(0o755)

    found = find(tmp_path)

    assert paths(found) == ["films", "films/inner/a.mkv"]
    assert found[0].opened


def test_the_root_itself_is_looked_at(tmp_path: Path) -> None:
    make_file(tmp_path / "a")
    tmp_path.chmod(0o700)

    assert paths(find(tmp_path)) == [""]


def test_bits_that_the_configured_modes_do_not_give_are_not_demanded(tmp_path: Path) -> None:
    make_file(tmp_path / "a", 0o640)
    make_folder(tmp_path / "b", 0o750)
    tmp_path.chmod(0o755)

    assert find(tmp_path, config=Config(file_mode=Mode(0o640), dir_mode=Mode(0o750))) == []
    assert paths(find(tmp_path)) == ["a", "b"]


@pytest.mark.parametrize("name", names.NAMES.values(), ids=names.NAMES.keys())
def test_odd_names_are_met_as_files_and_as_folders(tmp_path: Path, name: bytes) -> None:
    planted = names.plant(tmp_path, name)
    tmp_path.chmod(0o755)

    assert {os.path.join(os.fsencode(tmp_path), os.fsencode(found.path)) for found in find(tmp_path)} == planted


def test_fifos_sockets_and_devices_are_told_and_neither_they_nor_links_are_opened_or_followed(tmp_path: Path) -> None:
    outside, root = make_folder(tmp_path / "outside"), make_folder(tmp_path / "root")
    make_file(outside / "secret", 0o000)
    make_file(root / "film.mkv", 0o644)
    os.mkfifo(root / "fifo", 0o000)
    os.mknod(root / "device", 0o000 | 0o020000, os.makedev(1, 5))
    (root / "to a file").symlink_to(outside / "secret")
    (root / "to a folder").symlink_to(outside)
    (root / "to nowhere").symlink_to("/nowhere")
    (root / "to itself").symlink_to("to itself")
    (root / "to above").symlink_to("..")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
        os.chmod(root / "socket", 0o000)

        batches = walk(root)

    (batch,) = batches
    assert (batch.files, batch.folders, batch.findings, batch.faults) == (1, 1, [], [])
    assert sorted(batch.specials) == [("device", "a character device"), ("fifo", "a pipe (FIFO)"), ("socket", "a socket")]


@contextlib.contextmanager
def deep_tree(root: Path, *, levels: int, name: bytes) -> Iterator[None]:
    """Make a chain of folders far deeper than any path may be long, with a bad file at its end."""
    fd = os.open(root, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, 0o755, dir_fd=fd)
        inner = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(os.open("bad.mkv", os.O_WRONLY | os.O_CREAT, 0o000, dir_fd=fd))
    os.close(fd)
    try:
        yield
    finally:
        subprocess.run(["rm", "-rf", str(root)], check=True)


def test_trees_deeper_than_paths_descriptors_and_recursion_reach_are_walked_to_the_end(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "root")
    with deep_tree(root, levels=1100, name=b"n" * 60):
        (found,) = find(root)

    assert len(found.path) > 16 * 4096
    assert found.path.count("/") == 1100


# -- roots ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("missing", RootFault.MISSING),
        ("file", RootFault.NOT_A_FOLDER),
        ("link", RootFault.FOREIGN_LINK),
        ("link/films", RootFault.FOREIGN_LINK),
    ],
)
def test_a_root_that_is_no_folder_is_a_fault_and_the_others_are_walked(tmp_path: Path, name: str, fault: RootFault) -> None:
    make_file(tmp_path / "file")
    (tmp_path / "link").symlink_to("good")
    good = make_folder(tmp_path / "good")
    make_file(good / "bad.mkv", 0o000)

    batches = walk(tmp_path / name, good)

    assert faults(batches) == {0: fault}
    assert paths([finding for batch in batches for finding in batch.findings]) == ["bad.mkv"]


def resolved(path: Path) -> Path:
    """Return a root as the program hands it to the walk."""
    return Path(resolve_links(str(path), read_mounts()))


def test_a_root_may_be_a_link_to_a_folder_of_media(tmp_path: Path) -> None:
    make_file(tmp_path / "disk/bad.mkv", 0o000)
    (tmp_path / "media").symlink_to("disk")

    assert paths(find(resolved(tmp_path / "media"))) == ["bad.mkv"]


@pytest.mark.parametrize("target", ["/etc", "/", "/usr/share", "/var/lib"])
def test_a_root_that_leads_to_a_folder_of_the_system_is_not_walked(tmp_path: Path, target: str) -> None:
    (tmp_path / "media").symlink_to(target)

    assert faults(walk(resolved(tmp_path / "media"))) == {0: RootFault.SYSTEM_FOLDER}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's audit can be led astray")
def test_a_link_that_somebody_else_can_change_leads_nowhere(tmp_path: Path) -> None:
    make_file(tmp_path / "private/letter", 0o600)
    pool = make_folder(tmp_path / "pool")
    (pool / "films").symlink_to(tmp_path / "private")
    os.chown(pool, NOBODY, NOBODY)

    assert faults(walk(resolved(pool / "films"))) == {0: RootFault.FOREIGN_LINK}


def test_a_root_that_this_user_may_not_read_is_a_fault(tmp_path: Path) -> None:
    closed = make_folder(tmp_path / "closed", 0o700)
    tmp_path.chmod(0o755)

    def look() -> dict[int, RootFault]:
        become_nobody()
        return faults(walk(closed))

    assert run_child(look) == {0: RootFault.UNREADABLE}


def test_a_root_of_somebody_elses_fuse_mount_is_told_apart(tmp_path: Path) -> None:
    # given: what a mount without allow_other says to all but who mounted it
    closed = make_folder(tmp_path / "closed", 0o700)
    tmp_path.chmod(0o755)

    def look() -> dict[int, RootFault]:
        become_nobody()
        return faults(walk(Root(path=str(closed), remote="fuse.rclone")))

    assert run_child(look) == {0: RootFault.NO_ALLOW_OTHER}


# -- open_below -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["..", "a/../..", "/etc", "a//b", ".", "a/.", "link", "link/b", "a/file"])
def test_open_below_leads_nowhere_else(tmp_path: Path, path: str) -> None:
    make_folder(tmp_path / "a/b")
    make_file(tmp_path / "a/file")
    (tmp_path / "link").symlink_to("a")
    root_fd = os.open(tmp_path, os.O_RDONLY)
    before = len(os.listdir("/proc/self/fd"))

    with pytest.raises(OSError, match=""):
        open_below(root_fd, path)

    assert len(os.listdir("/proc/self/fd")) == before
    os.close(root_fd)


def test_open_below_opens_the_very_folder(tmp_path: Path) -> None:
    inner = make_folder(tmp_path / "a/b")
    root_fd = os.open(tmp_path, os.O_RDONLY)

    for path, folder in (("", tmp_path), ("a/b", inner)):
        fd = open_below(root_fd, path)
        assert os.fstat(fd).st_ino == folder.stat().st_ino
        os.close(fd)
    os.close(root_fd)


# -- workers that hang, die and are slow to be heard ------------------------------------------------------------------


class HeldWorkers(Workers):
    """Holds the workers with these numbers, in the order of their making, as a dead disk would."""

    def __init__(self, *roots: Path, held: tuple[int, ...], workers: int, stall_timeout_s: float) -> None:
        policy = policy_of(*roots)
        super().__init__(policy, changed_since=None, workers=workers, most_workers=workers, stall_timeout_s=stall_timeout_s)
        self.held = held
        self.pids: list[int] = []
        self.pipes: list[Connection] = []

    def _fork(self) -> _Worker:
        worker = super()._fork()
        if len(self.pids) in self.held:
            os.kill(worker.pid, signal.SIGSTOP)
        self.pids.append(worker.pid)
        self.pipes.append(worker.pipe)
        return worker


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    for name in ("one", "two"):
        make_file(tmp_path / name / "bad.mkv", 0o000)
    return [tmp_path / "one", tmp_path / "two"]


def test_a_worker_that_says_nothing_is_given_up_with_its_root_and_the_others_go_on(roots: list[Path]) -> None:
    with HeldWorkers(*roots, held=(0,), workers=2, stall_timeout_s=2.0) as batches:
        seen = batches_of(batches)

    assert faults(seen) == {0: RootFault.HUNG}
    assert [finding.root for batch in seen for finding in batch.findings] == [1]


def test_with_one_worker_alone_the_roots_after_a_hung_one_are_walked_too(roots: list[Path]) -> None:
    with HeldWorkers(*roots, held=(0,), workers=1, stall_timeout_s=2.0) as batches:
        seen = batches_of(batches)

    assert faults(seen) == {0: RootFault.HUNG}
    assert [finding.root for batch in seen for finding in batch.findings] == [1]


def test_no_worker_is_left_behind(roots: list[Path]) -> None:
    with HeldWorkers(*roots, held=(0, 1), workers=2, stall_timeout_s=0.3) as batches:
        assert faults(batches_of(batches)) == {0: RootFault.HUNG, 1: RootFault.HUNG}

    assert not any(psutil.pid_exists(pid) for pid in batches.pids)


def test_a_worker_that_is_killed_in_its_work_takes_its_root_with_it(roots: list[Path]) -> None:
    with HeldWorkers(*roots, held=(0,), workers=2, stall_timeout_s=20.0) as batches:
        killer = threading.Timer(0.3, lambda: os.kill(batches.pids[0], signal.SIGKILL))
        killer.start()
        seen = batches_of(batches)

    assert faults(seen) == {0: RootFault.FAILED}
    assert [finding.root for batch in seen for finding in batch.findings] == [1]


def test_a_worker_that_is_killed_in_the_middle_of_its_answer_takes_its_root_with_it(tmp_path: Path) -> None:
    # given: an answer larger than the pipe holds
    make_file(tmp_path / "one/a.mkv")
    for number in range(6000):
        make_file(tmp_path / "two" / f"{number}{'x' * 200}", 0o000)
    seen: list[Batch] = []

    # when
    with HeldWorkers(tmp_path / "one", tmp_path / "two", held=(1,), workers=2, stall_timeout_s=20.0) as batches:
        for batch in batches:
            assert isinstance(batch, Batch)
            seen.append(batch)
            if batch.root == 0:
                os.kill(batches.pids[1], signal.SIGCONT)
                _wait_until_it_sends(batches.pids[1])
                os.kill(batches.pids[1], signal.SIGKILL)

    # then
    assert faults(seen) == {1: RootFault.FAILED}


def _wait_until_it_sends(pid: int) -> None:
    """Wait until a process has worked and now sleeps, because nobody takes what it writes."""
    process, spent_s = psutil.Process(pid), -1.0
    while process.status() != psutil.STATUS_SLEEPING or spent_s != sum(process.cpu_times()[:2]):
        spent_s = sum(process.cpu_times()[:2])
        time.sleep(0.3)


def test_a_worker_that_is_killed_while_it_waits_costs_nothing(tmp_path: Path) -> None:
    make_file(tmp_path / "sub/bad.mkv", 0o000)
    seen: list[Batch] = []

    with HeldWorkers(tmp_path, held=(), workers=1, stall_timeout_s=20.0) as batches:
        for batch in batches:
            assert isinstance(batch, Batch)
            seen.append(batch)
            if len(seen) == 1:
                os.kill(batches.pids[0], signal.SIGKILL)
                os.waitid(os.P_PID, batches.pids[0], os.WEXITED | os.WNOWAIT)
                batches.walk(0, "sub")

    assert faults(seen) == {}
    assert [finding.path for batch in seen[1:] for finding in batch.findings] == ["sub/bad.mkv"]


def test_a_worker_whose_answer_waits_while_we_are_busy_is_not_stuck(roots: list[Path]) -> None:
    # given: the second worker answers while what the first one found takes longer than the limit to repair
    seen: list[Batch] = []

    with HeldWorkers(*roots, held=(1,), workers=2, stall_timeout_s=2.0) as batches:
        for batch in batches:
            assert isinstance(batch, Batch)
            seen.append(batch)
            if batch.root == 0:
                os.kill(batches.pids[1], signal.SIGCONT)
                assert batches.pipes[1].poll(20.0)
                time.sleep(2.1)

    assert faults(seen) == {}
    assert sorted(finding.root for batch in seen for finding in batch.findings) == [0, 1]


def test_a_bug_in_a_worker_is_told_and_nothing_of_the_parents_is_done_in_it(
    roots: list[Path], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # given: an exclude that is no text, and what the parent does once, at its end
    policy = dataclasses.replace(policy_of(*roots), excludes=(5,))  # type: ignore[arg-type]
    try:
        with Workers(policy, changed_since=None, workers=2, most_workers=2, stall_timeout_s=20.0) as batches:
            seen = batches_of(batches)
    finally:
        with (tmp_path / "log").open("a") as file:
            file.write("cleaned up ")

    assert faults(seen) == {0: RootFault.FAILED, 1: RootFault.FAILED}
    assert (tmp_path / "log").read_text() == "cleaned up "
    assert "TypeError" in capfd.readouterr().err


@needs_mounts
def test_a_file_system_that_never_answers_is_given_up(tmp_path: Path) -> None:
    good, dead = make_folder(tmp_path / "good"), make_folder(tmp_path / "dead")
    make_file(good / "bad.mkv", 0o000)

    def look() -> tuple[dict[int, RootFault], list[str]]:
        leave_mounts()
        mount_fuse(dead)
        batches = walk(dead, good, stall_timeout_s=2.0)
        return faults(batches), paths([finding for batch in batches for finding in batch.findings])

    assert run_child(look) == ({0: RootFault.HUNG}, ["bad.mkv"])


@needs_mounts
def test_a_hung_mount_below_a_root_is_given_up_and_the_rest_of_the_root_is_walked(tmp_path: Path) -> None:
    half = make_folder(tmp_path / "half")
    make_file(half / "inner/bad.mkv", 0o000)
    dead = make_folder(half / "inner/dead")

    def look() -> tuple[dict[int, RootFault], list[str]]:
        leave_mounts()
        mount_fuse(dead)
        batches = walk(half, stall_timeout_s=2.0)
        return faults(batches), paths([finding for batch in batches for finding in batch.findings])

    assert run_child(look) == ({1: RootFault.HUNG}, ["inner/bad.mkv"])


@needs_mounts
def test_a_hung_mount_that_came_after_the_look_at_the_table_gives_the_root_up_and_not_the_walk(tmp_path: Path) -> None:
    good, half = make_folder(tmp_path / "good"), make_folder(tmp_path / "half")
    make_file(good / "bad.mkv", 0o000)
    dead = make_folder(half / "inner/dead")

    def look() -> tuple[dict[int, RootFault], list[str]]:
        leave_mounts()
        mount_fuse(dead)
        batches = walk(Root(path=str(half)), good, stall_timeout_s=2.0)
        return faults(batches), paths([finding for batch in batches for finding in batch.findings])

    assert run_child(look) == ({0: RootFault.HUNG}, ["bad.mkv"])


@needs_mounts
def test_a_mount_whose_program_is_gone_is_told_with_the_kernels_words(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "root")
    make_file(root / "bad.mkv", 0o000)
    dead = make_folder(root / "dead")

    def look() -> tuple[list[tuple[str, str]], list[str]]:
        leave_mounts()
        os.close(mount_fuse(dead))
        batches = walk(Root(path=str(root)))
        return [fault for batch in batches for fault in batch.faults], paths([f for batch in batches for f in batch.findings])

    ((path, reason),), found = run_child(look)
    assert path == "dead"
    assert "not connected" in reason
    assert found == ["bad.mkv"]
