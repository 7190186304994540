"""Look at everything below the roots by folder descriptors, and yield what is wrong batch by batch. Runs inside a worker.

Every folder is opened by its own name below its parent's descriptor and never through a symlink, so nobody who can write in
a root can lead the walk out of it. It is walked as the user Plex runs as: what that user cannot open is found by not being
able to open it. Batches keep memory flat however large the tree is.
"""

import contextlib
import errno
import os
import resource
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from plexguard.perms_audit.access import LIST, READ, Guise, Ownership, allows, has_acl
from plexguard.perms_audit.decide import Finding, Link
from plexguard.perms_audit.open import FOLDER_FLAGS, open_below
from plexguard.perms_audit.policy import Excludes, Policy, Want
from plexguard.perms_audit.roots import RootFault

# Where nobody knows as whom to look, only these bits decide; write bits are nobody's fault.
_FILE_NEED = 0o444
_FOLDER_NEED = 0o555
# A batch ends after this long, so that work can be shared; a worker that says nothing for much longer is stuck.
_BATCH_S = 0.15
# How deep one batch goes: each level holds a descriptor open.
_BATCH_DEPTH = 48
# Inside a folder the clock is looked at after so many files; a worker says at least this often that it lives.
_CLOCK_FILES = 64
_ALIVE_S = 1.0
# A huge folder on a slow file system is shared: so many of its files are left over, in portions.
_MOST_SHARED = 16_384
_PORTION = 64
_FEW_WAITS = 10
_SPECIAL_KINDS = {
    stat.S_IFIFO: "a pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
}


@dataclass(frozen=True, slots=True)
class Share:
    """A folder to walk; with files: only these of it, to look at. path: below the root. whole: files of any age count."""

    path: str
    files: tuple[str, ...] = ()
    whole: bool = False


@dataclass(slots=True)
class Batch:
    """What one worker found in one go.

    faults: paths below the root that could not be walked, with the reason. specials: what is neither file, folder nor link,
    with its kind. left_over: what is still to be walked. closed: it was walked with the rights of root, below a
    folder that Plex cannot open. blocked: a folder above the root that keeps Plex out, with the reason. waited: most of the
    time went into waiting for the file system.
    """

    root: int
    closed: bool = False
    files: int = 0
    folders: int = 0
    seen_files: int = 0
    findings: list[Finding] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)
    specials: list[tuple[str, str]] = field(default_factory=list)
    root_fault: RootFault | None = None
    blocked: tuple[str, str] | None = None
    is_read_only: bool = False
    left_over: list[Share] = field(default_factory=list)
    waited: bool = False


class Walker:
    """Walks one batch. Worn is the guise all the while, unless the batch is closed."""

    def __init__(
        self, policy: Policy, guise: Guise, *, root: int, closed: bool, changed_since: float | None, tell_alive: Callable[[], None]
    ) -> None:
        self._policy = policy
        self._excludes = Excludes(policy.excludes)
        self._guise = guise
        self._root = policy.roots[root]
        self._since = changed_since
        self._tell_alive = tell_alive
        self._asks_kernel = guise.asks_kernel and not closed
        self._began_s = time.monotonic()
        self._deadline_s = self._began_s + _BATCH_S
        self._told_s = self._began_s
        self._began_waits = _count_waits()
        self.batch = Batch(root, closed=closed)

    def walk(self, root_fd: int, shares: Sequence[Share]) -> Batch:
        with contextlib.nullcontext() if self.batch.closed else self._guise.worn():
            self._walk_all(root_fd, shares)
        self.batch.waited = self._has_waited()
        return self.batch

    def _has_waited(self) -> bool:
        """A processor that is taken by others makes a batch slow too, but then nobody has gone to sleep of his own accord."""
        waits, (busy_s, switches) = self._began_waits, _count_waits()
        taken_s = time.monotonic() - self._began_s
        return switches - waits[1] > _FEW_WAITS and busy_s - waits[0] < taken_s / 2

    def _walk_all(self, root_fd: int, shares: Sequence[Share]) -> None:
        for number, share in enumerate(shares):
            if time.monotonic() > self._deadline_s:
                self.batch.left_over += shares[number:]
                return
            try:
                fd = open_below(root_fd, share.path)
            except OSError as error:
                self._note_unopened(root_fd, share.path, error)
                continue
            if share.files:
                self._walk_files(fd, share)
            else:
                self._walk_folder(fd, share.path, depth=0, whole=share.whole)

    def _walk_files(self, fd: int, share: Share) -> None:
        """Look at some files of a folder. Closes fd."""
        try:
            want = self._want_of(share.path)
            prefix = share.path + "/" if share.path else ""
            since = None if share.whole else self._since
            unsure = [name for name in share.files if not (self._counts_access_alone(want, since) and self._may_read(name, fd))]
            passed_over = sum(not self._check_file(name, fd, prefix, want, since) for name in unsure)
            self.batch.files += len(share.files) - passed_over
        except OSError as error:
            self._fault(share.path, error)
        finally:
            os.close(fd)

    def _counts_access_alone(self, want: Want, since: float | None) -> bool:
        """Whether a file that can be read is well and needs no further look."""
        return self._asks_kernel and want.is_by_access and since is None

    def _may_read(self, name: str, fd: int) -> bool:
        return os.access(name, READ, dir_fd=fd, effective_ids=True, follow_symlinks=False)

    def _want_of(self, path: str) -> Want:
        return self._policy.want_of(self._root.full_path(path)) if self._policy.overrides else self._policy.want

    def _note_unopened(self, root_fd: int, path: str, error: OSError) -> None:
        above, _, name = path.rpartition("/")
        if not isinstance(error, PermissionError) or not name:
            self._fault(path, error)
            return
        try:
            parent_fd = open_below(root_fd, above)
        except OSError:
            self._fault(path, error)
            return
        try:
            self._note_closed(name, parent_fd, path, error)
        finally:
            os.close(parent_fd)

    def _walk_folder(self, fd: int, path: str, depth: int, *, whole: bool) -> None:
        """Look at a folder's entries, then at its folders. Closes fd."""
        try:
            want = self._want_of(path)
            if not self._check_folder(fd, path, want):
                return
            since, whole = self._choose_age(fd, whole=whole)
            names = self._check_entries(fd, path, want, since)
            prefix = path + "/" if path else ""
            late = depth >= _BATCH_DEPTH or time.monotonic() > self._deadline_s
            for number, name in enumerate(names):
                if late or time.monotonic() > self._deadline_s:
                    self.batch.left_over += [Share(prefix + left, whole=whole) for left in names[number:]]
                    return
                self._descend(fd, name, prefix + name, depth, whole=whole)
        except OSError as error:
            self._fault(path, error)
        finally:
            os.close(fd)

    def _choose_age(self, fd: int, *, whole: bool) -> tuple[float | None, bool]:
        """Return since when files of a folder count, and whether all that is below it counts.

        mv(1) changes the ctime of the folder that it moves, and nothing in it. A newer mtime says that entries came or went,
        which is the usual reason for a newer ctime; then only the folder's own files are looked at.
        """
        if self._since is None or whole:
            return None, whole
        status = os.fstat(fd)
        if status.st_ctime < self._since:
            return self._since, False
        return None, status.st_mtime < self._since

    def _descend(self, parent_fd: int, name: str, path: str, depth: int, *, whole: bool) -> None:
        try:
            fd = os.open(name, FOLDER_FLAGS, dir_fd=parent_fd)
        except PermissionError as error:
            self._note_closed(name, parent_fd, path, error)
        except OSError as error:
            # ENOTDIR and ELOOP: it was a folder a moment ago and is something else now.
            self._fault(path, error)
        else:
            self._walk_folder(fd, path, depth + 1, whole=whole)

    def _note_closed(self, name: str, parent_fd: int, path: str, error: OSError) -> None:
        """Note a folder that cannot be looked into: a finding if that user's rights are why, for then it can be repaired."""
        try:
            status = os.stat(name, dir_fd=parent_fd, follow_symlinks=False)
        except FileNotFoundError:
            return
        self.batch.folders += 1
        denied = self._asks_kernel or self._lacks_bits(status, self._policy.want_of(self._root.full_path(path)))
        if denied:
            self._find(name, parent_fd, status, path, denied=True, opened=False)
        else:
            self._fault(path, error)

    def _check_folder(self, fd: int, path: str, want: Want) -> bool:
        """Check a folder itself; tell whether to look at what is in it."""
        # Folders are checked at any age: one that lost its search bit hides everything new in it.
        # One that can be opened may still be closed: listed, and not searched.
        # Whoever comes to "." can search. Not asked for both at once: with an ACL each right may come from another group.
        is_open = os.access(".", READ, dir_fd=fd, effective_ids=True)
        self.batch.folders += 1
        if is_open and self._asks_kernel and want.is_by_access:
            return True
        status = os.fstat(fd)
        denied = not is_open if self._asks_kernel else self._lacks_bits(status, want)
        if denied or not want.fits(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, is_folder=True):
            self._find(".", fd, status, path, denied=denied, opened=is_open)
        elif not is_open:
            self.batch.faults.append((path, os.strerror(errno.EACCES)))
        return is_open

    def _check_entries(self, fd: int, path: str, want: Want, since: float | None) -> list[str]:
        """Check a folder's files, those that changed since a time; return the names of its folders. The tight loop."""
        names: list[str] = []
        shared: list[str] = []
        seen = passed_over = 0
        is_slow = False
        prefix = path + "/" if path else ""
        # Inlined, since it is done for every file there is.
        access = os.access
        by_access_alone = self._counts_access_alone(want, since)
        # Asking the kernel beside reading the mode takes half as long again: with the one mode that is wanted, and that lets
        # everybody in, a file is well. What an ACL of a single file may still forbid is left to the policy that asks for it.
        exact_mode = stat.S_IFREG | want.file_mode if want.is_by_public_mode and since is None else -1
        with os.scandir(fd) as entries:
            for entry in entries:
                # Both ask the disk only where its folders do not tell kinds; then one bad entry must not hide the others.
                try:
                    if not entry.is_file(follow_symlinks=False):
                        if entry.is_dir(follow_symlinks=False):
                            names.append(entry.name)
                        else:
                            self._check_special(entry, prefix)
                        continue
                except OSError as error:
                    self._fault(prefix + entry.name, error)
                    continue
                seen += 1
                if not seen % _CLOCK_FILES:
                    is_slow = self._look_at_clock()
                if is_slow and len(shared) < _MOST_SHARED:
                    shared.append(entry.name)
                    continue
                if by_access_alone and access(entry.name, READ, dir_fd=fd, effective_ids=True, follow_symlinks=False):
                    continue
                if exact_mode >= 0:
                    try:
                        if entry.stat(follow_symlinks=False).st_mode == exact_mode:
                            continue
                    except OSError as error:
                        self._fault(prefix + entry.name, error)
                        continue
                passed_over += not self._check_file(entry.name, fd, prefix, want, since)
        self.batch.files += seen - passed_over - len(shared)
        self.batch.seen_files += seen
        portions = [tuple(shared[start : start + _PORTION]) for start in range(0, len(shared), _PORTION)]
        self.batch.left_over += [Share(path, portion, whole=since is None) for portion in portions]
        return [name for name in names if self._is_wanted(name, prefix + name)]

    def _is_wanted(self, name: str, path: str) -> bool:
        """Tell whether a folder is to be walked: not left out, and no root of its own."""
        return path not in self._root.apart and not self._excludes.excludes(name, self._root.full_path(path))

    def _look_at_clock(self) -> bool:
        """Say now and then that this worker lives; tell whether the folder at hand is slow enough to be shared with others."""
        now_s = time.monotonic()
        if now_s - self._told_s > _ALIVE_S:
            self._told_s = now_s
            self._tell_alive()
        return now_s > self._deadline_s and self._has_waited()

    def _check_file(self, name: str, fd: int, prefix: str, want: Want, since: float | None) -> bool:
        """Check a file; tell whether it counts, which one that is too old for this walk does not."""
        try:
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except OSError as error:
            self._fault(prefix + name, error)
            return True
        if since is not None and status.st_ctime < since and status.st_mtime < since:
            return False
        if stat.S_ISREG(status.st_mode):
            denied = self._is_denied(name, fd, status, want)
            if denied or not want.fits(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, is_folder=False):
                self._find(name, fd, status, prefix + name, denied=denied, opened=False)
        return True

    def _check_special(self, entry: os.DirEntry[str], prefix: str) -> None:
        if entry.is_symlink():
            return
        with contextlib.suppress(FileNotFoundError):
            kind = _SPECIAL_KINDS.get(stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode))
            if kind and not self._excludes.excludes(entry.name, self._root.full_path(prefix + entry.name)):
                self.batch.specials.append((prefix + entry.name, kind))

    def _is_denied(self, name: str, fd: int, status: os.stat_result, want: Want) -> bool:
        if self._asks_kernel:
            return not self._may_read(name, fd)
        return self._lacks_bits(status, want)

    def _lacks_bits(self, status: os.stat_result, want: Want) -> bool:
        is_folder = stat.S_ISDIR(status.st_mode)
        if self._policy.identity is None:
            need = want.dir_mode & _FOLDER_NEED if is_folder else want.file_mode & _FILE_NEED
            return status.st_mode & need != need
        owned = Ownership(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
        return not allows(owned, self._policy.identity, LIST if is_folder else READ)

    def _find(self, name: str, folder_fd: int, status: os.stat_result, path: str, *, denied: bool, opened: bool) -> None:
        if name != "." and self._excludes.excludes(name, self._root.full_path(path)):
            return
        with contextlib.nullcontext() if self.batch.closed else self._guise.doffed():
            self.batch.findings.append(make_finding(self.batch.root, path, name, folder_fd, status, denied=denied, opened=opened))

    def _fault(self, path: str, error: OSError) -> None:
        if error.errno != errno.ENOENT:
            self.batch.faults.append((path, error.strerror or str(error)))


def _count_waits() -> tuple[float, int]:
    """Return the processor time of this process, and how often it gave up the processor to wait for something."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime, usage.ru_nvcsw


def make_finding(root: int, path: str, name: str, folder_fd: int, status: os.stat_result, *, denied: bool, opened: bool) -> Finding:
    """Return what identifies an entry of a folder. Not to be called in a guise: ACLs are read through /proc."""
    owned = Ownership(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, has_acl(name, folder_fd))
    is_folder = stat.S_ISDIR(status.st_mode)
    many = not is_folder and status.st_nlink > 1
    link = Link(os.fstat(folder_fd).st_ino, name, status.st_ctime_ns) if many else None
    return Finding(root, path, is_folder, owned, denied, status.st_dev, status.st_ino, status.st_nlink, opened, link)
