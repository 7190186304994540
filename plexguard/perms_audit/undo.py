"""Take back what a run changed, where nobody has changed it since: by descriptor, below the run's roots, through no symlink."""

import errno
import os
import stat
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from plexguard.core.clock import Clock
from plexguard.core.guarded import NONE_GUARDED, Guarded
from plexguard.perms_audit.act import set_owned
from plexguard.perms_audit.inode import birth_time
from plexguard.perms_audit.open import opened_inode, opened_root
from plexguard.perms_audit.runs import Change, Owned, RunLog


class Undone(Enum):
    """What became of a change."""

    RESTORED = "restored"
    # The run was cut off before it, or it was taken back already.
    AS_BEFORE = "as before"
    CHANGED = "changed since, left alone"
    GONE = "no longer there"
    FAILED = "could not be restored"


@dataclass(slots=True)
class Summary:
    """How many changes became what; failed: (path, reason) of those that could not be restored."""

    counts: Counter[Undone] = field(default_factory=Counter)
    failed: list[tuple[str, str]] = field(default_factory=list)


def undo(changes: Iterable[Change], runs: RunLog, clock: Clock, *, dry_run: bool, guarded: Guarded = NONE_GUARDED) -> Summary:
    """Restore mode and owner of what was changed, the last change first. The undoing is written down like any run. guarded: what
    lies on one of these mounts that is not proven is left: it could hang."""
    summary = Summary()
    for change in reversed(tuple(changes)):
        mount = guarded.find_unproven(change.full_path)
        if mount is not None:
            summary.failed.append((change.full_path, f"its mount {mount.mount_point} is not proven to be alive"))
            summary.counts[Undone.FAILED] += 1
            continue
        try:
            became = _undo(change, runs, clock, dry_run=dry_run)
        except FileNotFoundError:
            became = Undone.GONE
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP, errno.EXDEV):
                # Something else has its name now.
                became = Undone.GONE
            else:
                became = Undone.FAILED
                summary.failed.append((change.full_path, error.strerror or str(error)))
        summary.counts[became] += 1
    return summary


def _undo(change: Change, runs: RunLog, clock: Clock, *, dry_run: bool) -> Undone:
    with opened_root(change.root) as root_fd, opened_inode(root_fd, change.path) as (_, _, fd):
        return _restore(fd, change, runs, clock, dry_run=dry_run)


def _restore(fd: int, change: Change, runs: RunLog, clock: Clock, *, dry_run: bool) -> Undone:
    status = os.fstat(fd)
    now = Owned(mode=stat.S_IMODE(status.st_mode), uid=status.st_uid, gid=status.st_gid)
    if (status.st_dev, status.st_ino) != (change.device, change.inode) or not _is_media(status) or _is_younger(fd, change):
        return Undone.GONE
    if now == change.old:
        return Undone.AS_BEFORE
    if now != change.new:
        return Undone.CHANGED
    if not dry_run:
        back = Change(
            root=change.root,
            path=change.path,
            device=change.device,
            inode=change.inode,
            old=now,
            new=change.old,
            at=clock.now(),
        )
        runs.note([back])
        set_owned(fd, status, mode=change.old.mode, uid=change.old.uid, gid=change.old.gid)
    return Undone.RESTORED


def _is_younger(fd: int, change: Change) -> bool:
    """Tell whether an inode was made after the change: a file that was deleted leaves its number to the next one."""
    born = birth_time(fd)
    return born is not None and born > change.at


def _is_media(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
