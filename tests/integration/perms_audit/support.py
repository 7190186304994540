"""What the tests of the audit share: trees, audits in this process, the command in another, and children with other rights."""

import contextlib
import ctypes
import json
import multiprocessing
import os
import signal
import stat
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from plexguard.core.clock import Moment, SystemClock
from plexguard.core.mounts import read_mounts
from plexguard.perms_audit.access import Identity
from plexguard.perms_audit.audit import Account, Audit
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.decide import Finding
from plexguard.perms_audit.observe import judge_roots, make_policy
from plexguard.perms_audit.policy import Policy
from plexguard.perms_audit.roots import Root
from plexguard.perms_audit.runs import Lately, RunLog
from plexguard.perms_audit.state import State
from plexguard.perms_audit.walk import Batch
from plexguard.perms_audit.workers import Done, Workers
from tests.fakes.ports import FakeJournal
from tests.fakes.slow_fuse import SlowFuse

T = TypeVar("T")
REPOSITORY = Path(__file__).parents[3]
NOBODY = 65534
# Nobody here has this user id; a group that is the first one of this user, and one that is a further one.
READER = Identity(54322, (54322, 54400))
_NEW_MOUNTS = 0x00020000
_PRIVATE, _RECURSIVE, _REMOUNT, _READ_ONLY = 1 << 18, 1 << 14, 1 << 5, 1
_libc = ctypes.CDLL(None, use_errno=True)


class ShiftedClock(SystemClock):
    """The real clock, but it says that it is later."""

    def __init__(self, shift: timedelta = timedelta()) -> None:
        self.shift = shift

    def now(self) -> datetime:
        return super().now() + self.shift

    def moment(self) -> Moment:
        real = super().moment()
        return Moment(wall=real.wall + self.shift, boot_id=real.boot_id, uptime_s=real.uptime_s + self.shift.total_seconds())


@dataclass
class Result:
    """What an audit said and told."""

    account: Account
    told: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def names(self) -> list[str]:
        return [name for name, _ in self.told]

    def values(self, name: str) -> dict[str, object]:
        (found,) = self.all(name)
        return found

    def all(self, name: str) -> list[dict[str, object]]:
        return [values for told, values in self.told if told == name]


def make_roots(*roots: Path | str | Root) -> tuple[Root, ...]:
    """Return roots as the program judges them, with the mounts as they are now."""
    made: list[Root] = []
    for root in roots:
        made += [root] if isinstance(root, Root) else judge_roots([str(root)], State(), read_mounts(), ())
    return tuple(made)


def policy_of(*roots: Path | str | Root, identity: Identity | None = None, config: Config | None = None) -> Policy:
    return make_policy(config or Config(), make_roots(*roots), identity)


def audit(
    *roots: Path | str | Root,
    config: Config | None = None,
    identity: Identity | None = None,
    recent: bool = False,
    workers: int = 2,
    later: timedelta = timedelta(),
    runs: RunLog | None = None,
    lately: Path | None = None,
    told: dict[str, int] | None = None,
) -> Result:
    """Audit in this process. lately: the folder of undo lists that say what was repaired a short while ago."""
    journal, clock, config = FakeJournal(), ShiftedClock(later), config or Config()
    policy = policy_of(*(root for root in make_roots(*roots) if root.fault is None), identity=identity, config=config)
    known = Lately(lately, clock, within=config.repeat_after) if lately is not None else None
    if known is not None:
        known.refresh()
    work = Audit(
        policy,
        config,
        journal=journal,
        clock=clock,
        workers=workers,
        faulty=[root for root in make_roots(*roots) if root.fault is not None or root.part_missing],
        runs=runs,
        lately=known if known is not None else (),
        told=told,
    )
    work.keep_changes = True
    account = work.run(recent=recent)
    return Result(account, [(event.name, values) for event, values in journal.sent])


def walk(
    *roots: Path | Root,
    identity: Identity | None = None,
    config: Config | None = None,
    workers: int = 2,
    stall_timeout_s: float = 20.0,
) -> list[Batch]:
    """Walk and repair nothing."""
    policy = policy_of(*roots, identity=identity, config=config)
    with Workers(policy, changed_since=None, workers=workers, most_workers=None, stall_timeout_s=stall_timeout_s) as all_workers:
        return batches_of(all_workers)


def batches_of(workers: Workers) -> list[Batch]:
    return [answer for answer in workers if not isinstance(answer, Done)]


def find(*roots: Path, identity: Identity | None = None, config: Config | None = None) -> list[Finding]:
    return [finding for batch in walk(*roots, identity=identity, config=config) for finding in batch.findings]


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


# Entries of an access control list (linux/posix_acl.h): what they are for.
_OWNER, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NO_ID = 0xFFFFFFFF


def set_acl(path: Path, *, users: dict[int, int] | None = None, groups: dict[int, int] | None = None, mask: int = 7) -> None:
    """Add an access control list to a path: permission bits by uid and gid. Its mode's bits for owner, group and others stay.

    The binary form is that of linux/posix_acl_xattr.h: version 2, then entries in the order of their tags.
    """
    mode = mode_of(path)
    entries = [(_OWNER, mode >> 6 & 7, _NO_ID)]
    entries += [(_USER, bits, uid) for uid, bits in sorted((users or {}).items())]
    entries += [(_GROUP_OBJ, mode >> 3 & 7, _NO_ID)]
    entries += [(_GROUP, bits, gid) for gid, bits in sorted((groups or {}).items())]
    entries += [(_MASK, mask, _NO_ID), (_OTHER, mode & 7, _NO_ID)]
    packed = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(path, "system.posix_acl_access", packed)


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
    """Run plexguard-perms-audit, or one of its subcommands, with a configuration and a state of its own."""
    file = folder / "plexguard.toml"
    file.write_text(config)
    (folder / "state").mkdir(exist_ok=True)
    name = arguments[:1] if arguments[:1] in (("list",), ("undo",), ("explain",)) else ()
    options = () if name in (("list",), ("undo",)) else ("--config", str(file))
    done = subprocess.run(
        [sys.executable, "-m", "plexguard.perms_audit", *name, *options, *arguments[len(name) :]],
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


def become(identity: Identity) -> None:
    """Be another user for good, with all rights of root gone."""
    os.setgroups(identity.gids)
    os.setresgid(*[identity.gids[0]] * 3)
    os.setresuid(*[identity.uid] * 3)


# Of linux/capability.h, by what the units name.
_CAPABILITIES = {"CAP_CHOWN": 0, "CAP_DAC_READ_SEARCH": 2, "CAP_FOWNER": 3, "CAP_FSETID": 4, "CAP_SETGID": 6, "CAP_SETUID": 7}
_CAPABILITY_VERSION_3 = 0x20080522


def unit_capabilities(unit: str) -> int:
    """Return the capabilities that a unit leaves its program, as a mask."""
    lines = (REPOSITORY / "units" / unit).read_text().splitlines()
    names = [line.partition("=")[2].split() for line in lines if line.startswith("CapabilityBoundingSet=")]
    return sum(1 << _CAPABILITIES[name] for words in names for name in words)


def keep_capabilities(mask: int) -> None:
    """Give up all rights of root but these, for good (capset(2))."""
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    sets = struct.pack("=6I", mask, mask, 0, 0, 0, 0)
    _check(_libc.capset(header, sets))


def become_nobody() -> None:
    become(Identity(NOBODY, (NOBODY,)))


def can_read(path: Path | bytes) -> bool:
    """Tell whether this process can read a file, or list and search a folder: by doing it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except PermissionError:
        return False
    try:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            return os.access(path, os.X_OK)
        os.read(fd, 1)
        return True
    finally:
        os.close(fd)


def readable(identity: Identity, paths: list[Path]) -> set[Path]:
    """Return which paths a user can really read, tried by a process that becomes that user."""

    def attempt() -> set[Path]:
        become(identity)
        return {path for path in paths if can_read(path)}

    return run_child(attempt)


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
    def attempt() -> bool:
        leave_mounts()
        return Path("/dev/fuse").exists()

    try:
        return run_child(attempt)
    except AssertionError:
        return False


@contextlib.contextmanager
def slow_disk(folder: Path, files: dict[str, bytes], *, kind: str = "fuse.test", judge: bool = False) -> Iterator[SlowFuse]:
    """Mount a FUSE file system with these files, which every user can come to and nobody may read, at folder/disk."""
    source, target = make_folder(folder / "source"), make_folder(folder / "disk")
    for name, content in files.items():
        make_file(source / name)
        (source / name).write_bytes(content)
        (source / name).chmod(0o600)
    for path in source.rglob("*/"):
        path.chmod(0o755)
    with SlowFuse(source, target, lookup_s=0, kind=kind, judge=judge) as disk:
        yield disk


# Where this machine forbids mounts the proof is missing, loudly; in CI that is a failure and no skip.
needs_mounts = pytest.mark.skipif(
    not os.environ.get("CI") and not _may_mount(), reason="THIS MACHINE FORBIDS MOUNTS: hung file systems are NOT tested"
)
