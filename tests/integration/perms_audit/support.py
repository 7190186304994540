"""What the tests of the audit share: trees, audits in this process, the command in another, and children with other rights."""

import ctypes
import json
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from plexguard.core.clock import SystemClock
from plexguard.core.mounts import MountPoint, read_mounts
from plexguard.perms_audit.audit import Account, Audit
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.observe import Root
from plexguard.perms_audit.walk import Batch, Demand, Finding, Walk
from tests.fakes.ports import FakeJournal

T = TypeVar("T")
REPOSITORY = Path(__file__).parents[3]
DEMAND = Demand(file_bits=0o444, folder_bits=0o555, changed_since=None)
NOBODY = 65534
_NEW_MOUNTS = 0x00020000
_PRIVATE, _RECURSIVE, _REMOUNT, _READ_ONLY = 1 << 18, 1 << 14, 1 << 5, 1
_libc = ctypes.CDLL(None, use_errno=True)


class ShiftedClock(SystemClock):
    """The real clock, but it says that it is later."""

    def __init__(self, shift: timedelta) -> None:
        self._shift = shift

    def now(self) -> datetime:
        return super().now() + self._shift


@dataclass
class Result:
    """What an audit said and told."""

    account: Account
    told: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def names(self) -> list[str]:
        return [name for name, _ in self.told]

    def values(self, name: str) -> dict[str, object]:
        (found,) = [values for told, values in self.told if told == name]
        return found


def audit(
    *roots: Path | str | Root,
    config: Config | None = None,
    recent: bool = False,
    workers: int = 2,
    mounts: tuple[MountPoint, ...] | None = None,
    later: timedelta = timedelta(),
) -> Result:
    journal = FakeJournal()
    given = tuple(root if isinstance(root, Root) else Root(path=str(root)) for root in roots)
    work = Audit(
        given,
        config or Config(),
        read_mounts() if mounts is None else mounts,
        journal=journal,
        clock=ShiftedClock(later),
        workers=workers,
    )
    work.keep_changes = True
    account = work.run(recent=recent)
    return Result(account, [(event.name, values) for event, values in journal.sent])


def walk(*roots: Path, demand: Demand = DEMAND, workers: int = 2, stall_timeout_s: float = 20.0) -> list[Batch]:
    with Walk([str(root) for root in roots], demand, workers=workers, stall_timeout_s=stall_timeout_s) as batches:
        return list(batches)


def find(*roots: Path, demand: Demand = DEMAND) -> list[Finding]:
    return [finding for batch in walk(*roots, demand=demand) for finding in batch.findings]


# -- trees ------------------------------------------------------------------------------------------------------------


def make_file(path: Path | bytes, mode: int = 0o644) -> None:
    path = os.fsencode(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    os.chmod(path, mode)


def make_folder(path: Path, mode: int = 0o755) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    return path


def mode_of(path: Path | bytes) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def snapshot(root: Path) -> dict[bytes, tuple[object, ...]]:
    """Return what an audit must not change, and the mode that it may, by path."""
    found: dict[bytes, tuple[object, ...]] = {}
    for folder, folders, files in os.walk(os.fsencode(root)):
        for name in [b".", *folders, *files]:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            kept = (status.st_ino, status.st_uid, status.st_gid, status.st_size, status.st_mtime_ns, stat.S_IFMT(status.st_mode))
            found[path] = (stat.S_IMODE(status.st_mode), *kept)
    return found


# -- the command ------------------------------------------------------------------------------------------------------


@dataclass
class Ended:
    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        return dict(json.loads(self.out))


def command(folder: Path, *arguments: str, config: str = "", **environment: str) -> Ended:
    """Run plexguard-perms-audit with a configuration and a state of its own."""
    file = folder / "plexguard.toml"
    file.write_text(config)
    (folder / "state").mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "plexguard.perms_audit", "--config", str(file), *arguments],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "STATE_DIRECTORY": str(folder / "state"), **environment},
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=60,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


# -- children ---------------------------------------------------------------------------------------------------------


def run_child(work: Callable[[], T], *, timeout_s: float = 40.0) -> T:
    """Return what a function returns in a child process of its own, which may give up rights or change its mounts."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        try:
            theirs.send((True, work()))
        except BaseException as error:
            theirs.send((False, f"{type(error).__name__}: {error}"))
        os._exit(0)
    theirs.close()
    try:
        assert ours.poll(timeout_s), "the child gave no answer in time"
        well, value = ours.recv()
    finally:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert well, value
    return value  # type: ignore[no-any-return]


def become_nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def leave_mounts() -> None:
    """Give this process mounts of its own, so that what it mounts ends with it."""
    _check(_libc.unshare(_NEW_MOUNTS))
    _check(_libc.mount(b"none", b"/", None, _PRIVATE | _RECURSIVE, None))


def mount(source: str, target: Path, kind: str, options: str = "") -> None:
    _check(_libc.mount(source.encode(), bytes(target), kind.encode(), 0, options.encode()))


def make_read_only(target: Path) -> None:
    _check(_libc.mount(b"none", bytes(target), None, _REMOUNT | _READ_ONLY, None))


def mount_fuse(target: Path, kind: str = "fuse.test") -> int:
    """Mount a FUSE file system and return the descriptor of its server: nobody answers until somebody serves it."""
    fd = os.open("/dev/fuse", os.O_RDWR)
    mount("test", target, kind, f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other")
    return fd


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _may_mount() -> bool:
    try:
        return run_child(lambda: leave_mounts() or Path("/dev/fuse").exists())
    except AssertionError:
        return False


# Where this machine forbids mounts the proof is missing, loudly; in CI that is a failure and no skip.
needs_mounts = pytest.mark.skipif(
    not os.environ.get("CI") and not _may_mount(), reason="THIS MACHINE FORBIDS MOUNTS: hung file systems are NOT tested"
)
