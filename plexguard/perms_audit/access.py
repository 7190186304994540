"""As whom the audit looks: the user Plex runs as, how a worker takes that identity, and which bit is in the way.

What counts is whether that very user can open a path, with all its groups and with ACLs. Only the kernel knows, so it is
asked, by a process that has become that user for the moment. Where that cannot be (an ordinary user's run), the mode alone
is reckoned with; where nobody knows whom Plex runs as, everybody must be able to read.
"""

import contextlib
import errno
import grp
import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from plexguard.core.errors import SystemRefused
from plexguard.core.events import Mode

READ = os.R_OK
# A folder must be listed and searched.
LIST = os.R_OK | os.X_OK
_ACL = "system.posix_acl_access"
_WORDS = {os.R_OK: "r", os.X_OK: "x", LIST: "r and x"}


@dataclass(frozen=True, slots=True)
class Identity:
    """A user. gids: all groups, the primary one first."""

    uid: int
    gids: tuple[int, ...]

    def __str__(self) -> str:
        return f"{name_user(self.uid)} (uid {self.uid})"


@dataclass(frozen=True, slots=True)
class Ownership:
    """What of an inode decides about access. mode: permission bits. acl: it has an access control list beside them."""

    mode: int
    uid: int
    gid: int
    acl: bool = False


@cache
def name_user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@cache
def name_group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def allows(owned: Ownership, identity: Identity | None, need: int) -> bool:
    """Tell whether a mode, without regard to ACLs, gives a user what is needed; nobody in particular: everybody.

    Source: path_resolution(7): the first class that fits decides, even where a later one would give more.
    """
    if identity is None:
        return all(owned.mode >> shift & need == need for shift in (6, 3, 0))
    if identity.uid == 0:
        return True
    return owned.mode >> _class_shift(owned, identity) & need == need


def _class_shift(owned: Ownership, identity: Identity) -> int:
    if identity.uid == owned.uid:
        return 6
    return 3 if owned.gid in identity.gids else 0


def explain(owned: Ownership, identity: Identity | None, need: int) -> str:
    """Return which bit keeps a user out: "no r for others (it is anna:media, 0640)"."""
    whose = f"it is {name_user(owned.uid)}:{name_group(owned.gid)}, {Mode(owned.mode)}"
    if identity is None:
        return f"not everybody may read it ({whose})"
    if allows(owned, identity, need):
        return (
            f"its ACL (getfacl) keeps {identity} out"
            if owned.acl
            else f"its mode lets {identity} in, and the system does not ({whose})"
        )
    shift = _class_shift(owned, identity)
    lacking = need & ~(owned.mode >> shift)
    group = {6: "its owner", 3: f"group {name_group(owned.gid)}", 0: "others"}[shift]
    return f"no {_WORDS[lacking]} for {group} ({whose})"


class Guise:
    """This process, as the user that is looked for. Only within `worn()` it is; outside it has its own rights.

    asks_kernel: whether the kernel can be asked at all; else the mode is all there is to go by.
    """

    def __init__(self, identity: Identity | None) -> None:
        self.identity = identity
        self._own_uid = os.geteuid()
        self._changes = identity is not None and self._own_uid == 0
        self.asks_kernel = self._changes or (identity is not None and identity.uid == self._own_uid)

    def prepare(self) -> None:
        """Take the groups, for good: root's own rights come from its capabilities. Raises SystemRefused."""
        if not self._changes or self.identity is None:
            return
        try:
            os.setgroups(self.identity.gids)
            os.setegid(self.identity.gids[0])
            with self.worn():
                pass
        except OSError as error:
            raise SystemRefused(
                f"Failed to become {self.identity}: {error.strerror}", hint="the unit needs CAP_SETUID and CAP_SETGID"
            ) from error

    @contextlib.contextmanager
    def worn(self) -> Iterator[None]:
        """Be that user. Never nested."""
        if not self._changes or self.identity is None:
            yield
            return
        os.seteuid(self.identity.uid)
        try:
            yield
        finally:
            os.seteuid(self._own_uid)

    @contextlib.contextmanager
    def doffed(self) -> Iterator[None]:
        """Within `worn()`, be oneself again for a moment."""
        if not self._changes or self.identity is None:
            yield
            return
        os.seteuid(self._own_uid)
        try:
            yield
        finally:
            os.seteuid(self.identity.uid)

    def may_read(self, name: str, folder_fd: int, *, is_folder: bool) -> bool:
        """Tell, worn, whether the user can really read a file or list a folder: by opening it, and reading of a file.

        Raises OSError for anything but a refusal: a dead mount says something else than "no".
        """
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | (os.O_DIRECTORY if is_folder else 0)
        try:
            fd = os.open(name, flags, dir_fd=folder_fd)
            try:
                if is_folder:
                    return os.access(".", os.X_OK, dir_fd=fd, effective_ids=True)
                os.read(fd, 1)
                return True
            finally:
                os.close(fd)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM):
                return False
            raise


def has_acl(name: str, folder_fd: int) -> bool:
    """Tell whether an entry of a folder has an access control list. Needs /proc, and to be no other user just now."""
    try:
        os.getxattr(f"/proc/self/fd/{folder_fd}/{name}", _ACL, follow_symlinks=False)
    except OSError:
        return False
    return True
