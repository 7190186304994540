"""Open roots, and what lies below them: name by name and through no symlink. And say why a root cannot be walked.

Whoever can write in a root can put a symlink where a folder was; every way to an inode that is judged or changed leads through
here, so that none leads out of its root.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from plexguard.core.folders import is_system_folder
from plexguard.core.guarded import COVER_TYPE
from plexguard.core.mounts import find_numbered, is_below
from plexguard.perms_audit.access import LIST, Guise, Ownership, allows, explain, has_acl
from plexguard.perms_audit.roots import Root, RootFault, is_private

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
# To pass through a folder on the way to a root, which needs no right to list it.
_PASS_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# To know an inode, whatever it is, without opening what is in it.
_INODE_FLAGS = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_FAULTS = {
    errno.ENOENT: RootFault.MISSING,
    errno.ENOTDIR: RootFault.NOT_A_FOLDER,
    errno.EACCES: RootFault.UNREADABLE,
    errno.EPERM: RootFault.UNREADABLE,
}


def open_root(path: str, flags: int = FOLDER_FLAGS, *, guarded: str = "") -> int:
    """Open a root name by name from /, through no symlink: those that may be followed were resolved before. Raises OSError.

    guarded: of the root. A mount may go between the look at the table and now, and what then has its name is the folder below it,
    or its cover: ENOTCONN.
    """
    fd = _open_by_names(path, flags)
    if guarded and not _lies_on(fd, guarded):
        os.close(fd)
        raise OSError(errno.ENOTCONN, "its mount is not there", path)
    return fd


def _lies_on(fd: int, mount_point: str) -> bool:
    """Tell whether a folder that is open lies on a mount, or on one below it: by what the kernel keeps of the descriptor
    (proc_pid_fdinfo(5)), which asks no file system."""
    lines = Path(f"/proc/self/fdinfo/{fd}").read_text(encoding="ascii").splitlines()
    number = next(line.removeprefix("mnt_id:").strip() for line in lines if line.startswith("mnt_id:"))
    table = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    mount = find_numbered(table, number)
    return mount is not None and is_below(mount.path, mount_point) and mount.type != COVER_TYPE


def _open_by_names(path: str, flags: int) -> int:
    names = [name for name in path.split("/") if name]
    fd = os.open("/", flags if not names else _PASS_FLAGS)
    try:
        for number, name in enumerate(names, 1):
            inner = os.open(name, flags if number == len(names) else _PASS_FLAGS, dir_fd=fd)
            os.close(fd)
            fd = inner
        return fd
    except OSError as error:
        error.filename2 = _name_link(fd, name)
        os.close(fd)
        raise


@contextlib.contextmanager
def opened_root(path: str, *, guarded: str = "") -> Iterator[int]:
    """Open a root for a moment: nobody's disk is kept busy by who only looks at a path. Raises OSError."""
    fd = open_root(path, guarded=guarded)
    try:
        yield fd
    finally:
        os.close(fd)


def _name_link(fd: int, name: str) -> str:
    """Return the name if it is a symlink in that folder, else ""."""
    try:
        return name if stat.S_ISLNK(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode) else ""
    except OSError:
        return ""


def open_below(root_fd: int, path: str) -> int:
    """Open a folder below a folder, name by name and through no symlink. Raises OSError."""
    fd = os.dup(root_fd)
    try:
        for name in path.split("/") if path else ():
            if name in ("", ".", ".."):
                raise OSError(errno.EXDEV, "leads out of its root", path)
            parent, fd = fd, os.open(name, FOLDER_FLAGS, dir_fd=fd)
            os.close(parent)
        return fd
    except OSError:
        os.close(fd)
        raise


@contextlib.contextmanager
def opened_above(root_fd: int, path: str) -> Iterator[tuple[int, str]]:
    """Open the folder that a path lies in, through no symlink; give it with the name in it, "." for the root. Raises OSError."""
    above, _, name = path.rpartition("/")
    if name in (".", ".."):
        raise OSError(errno.EXDEV, "leads out of its root", path)
    folder_fd = open_below(root_fd, above)
    try:
        yield folder_fd, name or "."
    finally:
        os.close(folder_fd)


@contextlib.contextmanager
def opened_inode(root_fd: int, path: str) -> Iterator[tuple[int, str, int]]:
    """Open what a path is, for its identity and mode alone; give its folder, its name in it, and its descriptor. Raises OSError."""
    with opened_above(root_fd, path) as (folder_fd, name):
        fd = os.open(name, _INODE_FLAGS, dir_fd=folder_fd)
        try:
            yield folder_fd, name, fd
        finally:
            os.close(fd)


# -- whether a root can be walked -------------------------------------------------------------------------------------


def open_or_fault(root: Root, guise: Guise) -> int | RootFault:
    """Open a root to walk it, or say why it must not or cannot be."""
    try:
        fd = open_root(root.path, guarded=root.guarded)
    except OSError as error:
        if root.guarded and error.errno == errno.ENOTCONN:
            return RootFault.NOT_MOUNTED
        if error.filename2:
            return RootFault.FOREIGN_LINK
        if error.errno == errno.EACCES and root.remote.startswith("fuse"):
            return RootFault.NO_ALLOW_OTHER
        return _FAULTS.get(error.errno or 0, RootFault.FAILED)
    # The descriptor's own name: bind mounts have more than one.
    if is_system_folder(os.readlink(f"/proc/self/fd/{fd}")):
        os.close(fd)
        return RootFault.SYSTEM_FOLDER
    status = os.fstat(fd)
    if is_private(root, stat.S_IMODE(status.st_mode), status.st_uid) and not _may_list(fd, status, guise):
        os.close(fd)
        return RootFault.PRIVATE
    return fd


def _may_list(fd: int, status: os.stat_result, guise: Guise) -> bool:
    if not guise.asks_kernel:
        return allows(Ownership(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid), guise.identity, LIST)
    with guise.worn():
        return os.access(".", os.R_OK, dir_fd=fd, effective_ids=True) and os.access(".", os.X_OK, dir_fd=fd, effective_ids=True)


def find_blocked(root: Root, guise: Guise) -> tuple[str, str] | None:
    """Return the first folder above a root through which Plex cannot pass, with the reason, or None."""
    if not guise.asks_kernel:
        return None
    names = root.path.strip("/").split("/")
    above = ["/" + "/".join(names[:number]) for number in range(len(names))]
    for path in above:
        if len(path) < len(root.seen_from):
            continue
        # By descriptor: what lies above a container's bind mount is in our way to it, and not in Plex's.
        try:
            fd = open_root(path, _PASS_FLAGS)
        except OSError:
            # Moved just now: who opens the root tells.
            return None
        try:
            with guise.worn():
                if os.access(".", os.X_OK, dir_fd=fd, effective_ids=True):
                    continue
            status = os.fstat(fd)
            owned = Ownership(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, has_acl(".", fd))
            return path, explain(owned, guise.identity, os.X_OK)
        finally:
            os.close(fd)
    return None
