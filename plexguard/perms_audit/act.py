"""Carry out repairs, by descriptor: what is changed is the very inode that was found, below its root, through no symlink.

Before a change the path is tried once more as Plex's user: who gets in now needs no repair. After it the mode is read back
and the path tried again; a change that did not help is taken back.
"""

import contextlib
import errno
import os
import random
import stat
from collections.abc import Sequence
from enum import Enum

from plexguard.perms_audit.access import LIST, READ, Guise, Ownership, explain
from plexguard.perms_audit.decide import Finding, Repair
from plexguard.perms_audit.open import FOLDER_FLAGS, open_root, opened_inode
from plexguard.perms_audit.roots import Root

# How many entries of a mount are looked at for a file that can be read.
_PROOF_ENTRIES = 2000


class Outcome(Enum):
    REPAIRED = "repaired"
    # No longer what was found: moved, deleted, replaced or repaired by somebody else. Not a failure.
    GONE = "gone"


class RepairFailed(Exception):
    """Nothing could be changed, or it did not help; the text is the cause, the same for all paths that share it."""


class Repairer:
    """Repairs paths below the roots. Opens each root once; `close` forgets them."""

    def __init__(self, roots: Sequence[Root], guise: Guise) -> None:
        self._roots = roots
        self._guise = guise
        self._fds: dict[int, int] = {}
        self._proven: dict[int, bool] = {}

    def close(self) -> None:
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()
        self._proven.clear()

    def repair(self, step: Repair) -> Outcome:
        """Set mode and owner, read them back, and try. Raises RepairFailed."""
        if self._roots[step.finding.root].remote and not self._is_alive(step.finding.root):
            raise RepairFailed("its mount is not proven alive: not one byte of a file on it could be read")
        try:
            with opened_inode(self._root_fd(step.finding.root), step.finding.path) as (folder_fd, name, fd):
                return self._change(step, folder_fd, name, fd)
        except FileNotFoundError:
            return Outcome.GONE
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP, errno.EXDEV):
                return Outcome.GONE
            raise RepairFailed(_cause(error)) from error

    def _root_fd(self, root: int) -> int:
        if root not in self._fds:
            flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            self._fds[root] = open_root(self._roots[root].path, flags, guarded=self._roots[root].guarded)
        return self._fds[root]

    def _change(self, step: Repair, folder_fd: int, name: str, fd: int) -> Outcome:
        before = os.fstat(fd)
        if not _is_same(before, step.finding) or (step.finding.denied and self._may_read(step.finding, folder_fd, name)):
            return Outcome.GONE
        set_owned(fd, before, mode=step.new_mode, uid=step.uid, gid=step.gid)
        after = os.fstat(fd)
        if stat.S_IMODE(after.st_mode) != step.new_mode:
            raise RepairFailed("its file system took the change and did not make it")
        if self._may_read(step.finding, folder_fd, name) is False:
            set_owned(fd, after, mode=stat.S_IMODE(before.st_mode), uid=before.st_uid, gid=before.st_gid)
            need = LIST if step.finding.is_folder else READ
            owned = Ownership(step.new_mode, after.st_uid, after.st_gid, step.finding.owned.acl)
            raise RepairFailed(f"its new mode did not help and was taken back: {explain(owned, self._guise.identity, need)}")
        return Outcome.REPAIRED

    def _may_read(self, finding: Finding, folder_fd: int, name: str) -> bool | None:
        """Tell whether Plex can read it, None where nobody can tell: a folder above is closed, or the kernel cannot be asked."""
        if not self._guise.asks_kernel:
            return None
        with self._guise.worn():
            if not os.access(".", os.X_OK, dir_fd=folder_fd, effective_ids=True) and name != ".":
                return None
            return self._guise.may_read(name, folder_fd, is_folder=finding.is_folder)

    def _is_alive(self, root: int) -> bool:
        """Tell whether a mount is proven alive: a byte of some file on it can be read. A mount that hangs hangs whoever asks,
        so this is a worker's to do."""
        if root not in self._proven:
            with contextlib.suppress(OSError):
                self._proven[root] = _read_somewhere(
                    open_root(self._roots[root].path, guarded=self._roots[root].guarded), [_PROOF_ENTRIES]
                )
        return self._proven.get(root, False)


def _read_somewhere(fd: int, left: list[int]) -> bool:
    """Read a byte of the first file that lets itself be read, at a random place, which no cache is likely to hold. Closes fd."""
    try:
        folders = []
        with os.scandir(fd) as entries:
            for entry in entries:
                left[0] -= 1
                if left[0] < 0:
                    return False
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif entry.is_file(follow_symlinks=False) and _read_byte(entry.name, fd):
                    return True
        for name in folders:
            with contextlib.suppress(OSError):
                if _read_somewhere(os.open(name, FOLDER_FLAGS, dir_fd=fd), left):
                    return True
        return False
    finally:
        os.close(fd)


def _read_byte(name: str, folder_fd: int) -> bool:
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder_fd)
    except OSError:
        return False
    try:
        size = os.fstat(fd).st_size
        return size > 0 and len(os.pread(fd, 1, random.randrange(size))) == 1  # noqa: S311  # no secret
    except OSError:
        return False
    finally:
        os.close(fd)


def set_owned(fd: int, before: os.stat_result, *, mode: int, uid: int, gid: int) -> None:
    """Set owner and mode of an inode; a negative id leaves that one alone. Raises OSError.

    fchmod(2) refuses an O_PATH descriptor; its name in /proc leads to that very inode.
    """
    path = f"/proc/self/fd/{fd}"
    if (uid >= 0 and uid != before.st_uid) or (gid >= 0 and gid != before.st_gid):
        # Before the mode: chown(2) may take set-id bits away.
        os.chown(path, uid, gid)
    os.chmod(path, mode)


def _is_same(status: os.stat_result, finding: Finding) -> bool:
    """Tell whether an inode is the one that was found, in the state in which it was found."""
    if (status.st_dev, status.st_ino) != (finding.device, finding.inode) or stat.S_IMODE(status.st_mode) != finding.mode:
        return False
    if finding.is_folder:
        return stat.S_ISDIR(status.st_mode)
    # With the same ctime it has the very names that were found.
    has_its_names = status.st_nlink == finding.links and (finding.link is None or status.st_ctime_ns == finding.link.changed_ns)
    return stat.S_ISREG(status.st_mode) and has_its_names


def _cause(error: OSError) -> str:
    if error.errno == errno.EROFS:
        return "its file system is read-only here: mounted so, or not in the unit's ReadWritePaths= (plexguard-status check-config)"
    if error.errno == errno.EPERM:
        return "not permitted: an immutable file (lsattr), or it belongs to somebody else"
    return error.strerror or str(error)
