"""Whether Plex can read one path: proven by opening it as Plex's user on Plex's way to it; and if not, what is in the way."""

import errno
import os
import stat
from dataclasses import dataclass

from plexguard.core.errors import MissingInput
from plexguard.core.events import show_path
from plexguard.core.mounts import is_below
from plexguard.perms_audit.access import LIST, READ, Guise, allows, explain
from plexguard.perms_audit.decide import Finding
from plexguard.perms_audit.open import find_blocked, opened_above, opened_root
from plexguard.perms_audit.policy import Policy
from plexguard.perms_audit.walk import make_finding


@dataclass(frozen=True, slots=True)
class Place:
    """A path below a root. root: its number. path: below it, "" for the root itself."""

    root: int
    path: str


def find_place(path: str, policy: Policy) -> Place | None:
    """Return where a path lies, below the innermost root, or None: as text alone, by whole names, without "." and "..".

    path: absolute; whoever wrote it may be no friend.
    """
    names = path.split("/")
    if names[0] or "\0" in path or any(name in ("", ".", "..") for name in names[1:]):
        return None
    fitting = [
        (len(root.path), number)
        for number, root in enumerate(policy.roots)
        if is_below(path, root.path) and not policy.is_apart(root, path)
    ]
    if not fitting:
        return None
    length, number = max(fitting)
    return Place(number, path[length:].lstrip("/"))


class Prover:
    """Tries single paths as Plex's user. Nothing is held open between two calls."""

    def __init__(self, policy: Policy, guise: Guise) -> None:
        self._policy = policy
        self._guise = guise

    def why_unreadable(self, place: Place) -> str:
        """Return why Plex cannot read a file or list a folder, "" when it can: proven by opening it, on the way that Plex takes.

        Raises OSError when that cannot be told: a file that is not there, a dead mount.
        """
        root = self._policy.roots[place.root]
        blocked = find_blocked(root, self._guise)
        if blocked is not None:
            return f"{blocked[0]}: {blocked[1]}"
        names = place.path.split("/") if place.path else []
        with opened_root(root.path, guarded=root.guarded) as root_fd:
            for number in range(len(names) + 1):
                reason = self._why_closed(root_fd, "/".join(names[:number]), is_last=number == len(names))
                if reason:
                    return f"{root.full_path('/'.join(names[:number]))}: {reason}"
        return ""

    def _why_closed(self, root_fd: int, path: str, *, is_last: bool) -> str:
        with opened_above(root_fd, path) as (folder_fd, name):
            status = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
            is_folder = stat.S_ISDIR(status.st_mode)
            if not is_folder and not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "is neither a file nor a folder", path)
            found = make_finding(0, path, name, folder_fd, status, denied=True, opened=False)
            if self._is_open(name, folder_fd, found, is_last=is_last):
                return ""
            return explain(found.owned, self._guise.identity, LIST if is_folder else READ)

    def _is_open(self, name: str, folder_fd: int, found: Finding, *, is_last: bool) -> bool:
        if not self._guise.asks_kernel:
            return allows(found.owned, self._guise.identity, LIST if found.is_folder else READ)
        with self._guise.worn():
            if is_last:
                return self._guise.may_read(name, folder_fd, is_folder=found.is_folder)
            return os.access(name, os.X_OK, dir_fd=folder_fd, effective_ids=True, follow_symlinks=False)


def prove(policy: Policy, path: str) -> str:
    """Return why Plex cannot read a path below the roots, "" when it can. For a process that does nothing else: its groups
    become Plex's. Raises OSError when that cannot be told, MissingInput for a path outside."""
    place = find_place(path, policy)
    if place is None:
        raise MissingInput(f"{show_path(path)}: lies below no root that can be walked")
    guise = Guise(policy.identity)
    guise.prepare()
    return Prover(policy, guise).why_unreadable(place)
