"""Carry out repairs, by descriptor: what is changed is the very inode that was found, below its root, through no symlink."""

import errno
import os
import stat
from collections.abc import Sequence
from enum import Enum

from plexguard.core.events import Mode
from plexguard.perms_audit.decide import Repair
from plexguard.perms_audit.walk import Finding, open_below, open_root


class Outcome(Enum):
    REPAIRED = "repaired"
    # No longer what was found: moved, deleted, replaced or repaired by somebody else. Not a failure.
    GONE = "gone"


class RepairFailed(Exception):
    """The mode could not be changed; the text is the cause, the same for all paths that share it."""


class Repairer:
    """Repairs paths below the roots. Opens each root once."""

    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = roots
        self._fds: dict[int, int] = {}

    def close(self) -> None:
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()

    def repair(self, step: Repair) -> Outcome:
        """Set a mode and read it back. Raises RepairFailed."""
        try:
            fd = self._open(step.finding)
        except FileNotFoundError:
            return Outcome.GONE
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP, errno.EXDEV):
                return Outcome.GONE
            raise RepairFailed(_cause(error)) from error
        try:
            return _change_mode(fd, step)
        finally:
            os.close(fd)

    def _open(self, finding: Finding) -> int:
        """Open the path itself, for nothing but its identity and its mode."""
        root_fd = self._root_fd(finding.root)
        if not finding.path:
            return os.dup(root_fd)
        folder, _, name = finding.path.rpartition("/")
        folder_fd = open_below(root_fd, folder)
        try:
            return os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder_fd)
        finally:
            os.close(folder_fd)

    def _root_fd(self, root: int) -> int:
        if root not in self._fds:
            self._fds[root] = open_root(self._roots[root], os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        return self._fds[root]


def _change_mode(fd: int, step: Repair) -> Outcome:
    if not _is_same(os.fstat(fd), step.finding):
        return Outcome.GONE
    try:
        # fchmod(2) refuses an O_PATH descriptor; its name in /proc leads to the same inode and to no other.
        os.chmod(f"/proc/self/fd/{fd}", step.new_mode)
    except OSError as error:
        raise RepairFailed(_cause(error)) from error
    if Mode(stat.S_IMODE(os.fstat(fd).st_mode)) != step.new_mode:
        raise RepairFailed("its file system took the change and did not make it")
    return Outcome.REPAIRED


def _is_same(status: os.stat_result, finding: Finding) -> bool:
    """Tell whether an inode is the one that was found, in the state in which it was found."""
    if (status.st_dev, status.st_ino) != (finding.device, finding.inode) or stat.S_IMODE(status.st_mode) != finding.mode:
        return False
    return stat.S_ISDIR(status.st_mode) if finding.is_folder else stat.S_ISREG(status.st_mode) and status.st_nlink == finding.links


def _cause(error: OSError) -> str:
    if error.errno == errno.EROFS:
        return "its file system is read-only here: mounted so, or not in the unit's ReadWritePaths= (plexguard-status check-config)"
    if error.errno == errno.EPERM:
        return "not permitted: an immutable file (lsattr), or it belongs to somebody else"
    return error.strerror or str(error)
