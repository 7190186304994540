"""What is watched, and where something happened: marks on file systems, and from the kernel's handles to places below roots.

A handle says which folder, whatever it is called; the name that /proc gives it is only a hint. It becomes a place when the
same folder is found by that name below the root, through no symlink. Between events no file of a root is held open, so that
every mount can be unmounted; network and FUSE mounts are never touched at all.
"""

import errno
import os
import select
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from plexguard.core.mounts import MountPoint, is_below, mount_of, parse_mountinfo, unescape
from plexguard.core.recent import Recent
from plexguard.perms_audit.guard.fanotify import (
    ATTRIB,
    CLOSE_WRITE,
    CREATE,
    MOVED_TO,
    ONDIR,
    Event,
    FanotifyError,
    Group,
    Handle,
    fsid_of,
    open_handle,
)
from plexguard.perms_audit.open import open_below, open_root, opened_root
from plexguard.perms_audit.prove import Place
from plexguard.perms_audit.roots import RootFault

_EVENTS = ATTRIB | CLOSE_WRITE | CREATE | MOVED_TO | ONDIR
_MOUNTINFO = "/proc/self/mountinfo"
# Folders whose place is remembered. A library has some thousand; a hundred bytes each, or two.
_MOST_INSIDE = 2048
_MOST_OUTSIDE = 4096
_UNWATCHABLE = (errno.EOPNOTSUPP, errno.ENODEV)
_FAULTS = {
    errno.ENOENT: RootFault.MISSING.value,
    errno.ENOTDIR: RootFault.NOT_A_FOLDER.value,
    errno.ELOOP: RootFault.FOREIGN_LINK.value,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A folder whose whole file system is to be watched: a root, or where something is mounted below one."""

    place: Place
    full_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounts:
    """The mount table. followers: mounts by number, with path, that come and go with one outside of this mount namespace;
    orphans: those that don't, or don't any more."""

    points: tuple[MountPoint, ...] = ()
    followers: Mapping[int, str] = field(default_factory=dict)
    orphans: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wakeup:
    has_events: bool
    mounts_changed: bool


def parse_mounts(text: str) -> Mounts:
    """Parse /proc/self/mountinfo (proc_pid_mountinfo(5))."""
    followers, orphans = {}, set()
    for line in text.split("\n"):
        fields = line.partition(" - ")[0].split(" ")
        if len(fields) < 6:
            continue
        if any(word.startswith("master:") for word in fields[6:]):
            followers[int(fields[0])] = unescape(fields[4])
        else:
            orphans.add(int(fields[0]))
    return Mounts(points=parse_mountinfo(text), followers=followers, orphans=frozenset(orphans))


def read_mounts() -> Mounts:
    return parse_mounts(Path(_MOUNTINFO).read_text(encoding="utf-8", errors="surrogateescape"))


def find_remote(path: str, mounts: Sequence[MountPoint]) -> MountPoint | None:
    """Return the network or FUSE mount that lies on the way to a path, however local what is mounted further in."""
    return next((mount for mount in mounts if mount.is_remote and is_below(path, mount.path)), None)


class Watcher(Protocol):
    """What the loop sees of the kernel, so that a test can script it."""

    def wait(self, timeout_s: float) -> Wakeup: ...

    def mark(self, targets: Sequence[Target], mounts: Mounts) -> dict[str, str]: ...

    def read(self) -> tuple[Event, ...]: ...

    def is_outside(self, folder: Handle) -> bool: ...

    def forget_places(self) -> None: ...

    def find_places(self, entries: Sequence[tuple[Handle, str]]) -> list[Place | None]: ...

    def list_folder(self, place: Place) -> Iterator[tuple[Place, bool]]: ...


class KernelWatcher:
    """The real one. `close` ends it."""

    def __init__(self, roots: Sequence[str]) -> None:
        """Raises FanotifyError."""
        self._roots = tuple(roots)
        self._group = Group()
        self._table = os.open(_MOUNTINFO, os.O_RDONLY | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._group.fd, select.POLLIN)
        self._poll.register(self._table, select.POLLPRI | select.POLLERR)
        self._mounts: tuple[MountPoint, ...] = ()
        self._remote: tuple[MountPoint, ...] = ()
        self._targets: dict[int, tuple[Target, ...]] = {}
        self._inside: Recent[Handle, Place] = Recent(_MOST_INSIDE)
        self._outside: Recent[Handle, None] = Recent(_MOST_OUTSIDE)

    def close(self) -> None:
        self._group.close()
        os.close(self._table)

    def wait(self, timeout_s: float) -> Wakeup:
        """Wait for events, or for a change of the mount table (proc_pid_mounts(5) tells that it can be waited for)."""
        ready = {fd for fd, _ in self._poll.poll(timeout_s * 1000)}
        return Wakeup(has_events=self._group.fd in ready, mounts_changed=self._table in ready)

    def mark(self, targets: Sequence[Target], mounts: Mounts) -> dict[str, str]:
        """Watch the file systems of these folders; return those that can't be, by path, with the reason.

        What is watched already stays so without a gap. What was unmounted has lost its mark.
        """
        self._mounts = mounts.points
        self._remote = tuple(mount for mount in mounts.points if mount.is_remote)
        self._targets = {}
        self.forget_places()
        return {target.full_path: reason for target in targets if (reason := self._mark(target))}

    def _mark(self, target: Target) -> str:
        try:
            with opened_root(self._roots[target.place.root]) as root_fd:
                fd = open_below(root_fd, target.place.path)
                try:
                    self._group.mark(fd, _EVENTS)
                    fsid = fsid_of(fd)
                finally:
                    os.close(fd)
        except FanotifyError as error:
            return self._explain(target, error)
        except OSError as error:
            return _FAULTS.get(error.errno or 0, error.strerror or str(error))
        # The innermost first: what lies in a root that lies in another root belongs to the inner one.
        found = [*self._targets.get(fsid, ()), target]
        self._targets[fsid] = tuple(sorted(found, key=lambda t: -len(t.full_path)))
        return ""

    def _explain(self, target: Target, error: FanotifyError) -> str:
        kind = mount_of(target.full_path, self._mounts).type
        if error.code in _UNWATCHABLE:
            return kind
        return f"a subvolume of {kind}" if error.code == errno.EXDEV else f"{kind}, {os.strerror(error.code)}"

    def read(self) -> tuple[Event, ...]:
        return self._group.read()

    def is_outside(self, folder: Handle) -> bool:
        """Tell whether a folder is known to lie in no root: a log that is written elsewhere costs no more than this."""
        return folder in self._outside

    def forget_places(self) -> None:
        """Forget where folders are. To be called when any folder was renamed, since those in it are elsewhere now too."""
        self._inside.clear()
        self._outside.clear()

    def find_places(self, entries: Sequence[tuple[Handle, str]]) -> list[Place | None]:
        """Return where each entry of a folder, by its name there, lies; None for what is in no root, is gone, or has something
        remote mounted on it."""
        with _Locator(self._roots, self._targets, self._remote) as locator:
            places = [_entry_of(self._find_folder(folder, locator), name) for folder, name in entries]
        return [place if place is not None and not self._is_remote(place) else None for place in places]

    def _find_folder(self, folder: Handle, locator: "_Locator") -> Place | None:
        place = self._inside.find(folder)
        if place is not None or folder in self._outside:
            return place
        try:
            place = locator.find(folder)
        except OSError:
            # Gone meanwhile, most often (ESTALE); nothing that would hold for the next time.
            return None
        if place is None:
            self._outside.remember(folder, None)
        else:
            self._inside.remember(folder, place)
        return place

    def list_folder(self, place: Place) -> Iterator[tuple[Place, bool]]:
        """Yield what is in a folder, and whether it is a folder. Raises OSError; where something remote is mounted, it is
        left out."""
        with opened_root(self._roots[place.root]) as root_fd:
            fd = open_below(root_fd, place.path)
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    inner = _entry_of(place, entry.name)
                    is_folder = entry.is_dir(follow_symlinks=False)
                    if inner is not None and not (is_folder and self._is_remote(inner)):
                        yield inner, is_folder
        finally:
            os.close(fd)

    def _is_remote(self, place: Place) -> bool:
        if not self._remote:
            return False
        return find_remote(f"{self._roots[place.root].rstrip('/')}/{place.path}", self._remote) is not None


class _Locator:
    """Finds where folders are; holds the roots open for as long as the context lasts."""

    def __init__(self, roots: Sequence[str], targets: Mapping[int, tuple[Target, ...]], remote: Sequence[MountPoint]) -> None:
        self._roots = roots
        self._targets = targets
        self._remote = remote
        self._fds: dict[Place, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for fd in self._fds.values():
            os.close(fd)

    def find(self, folder: Handle) -> Place | None:
        """Return where a folder is, None if it is in no root. Raises OSError when that could not be found out."""
        failure = None
        for target in self._targets.get(folder.fsid, ()):
            try:
                place = self._find_below(target, folder)
            except OSError as error:
                failure = error
                continue
            if place is not None:
                return place
        if failure is not None:
            raise failure
        return None

    def _find_below(self, target: Target, folder: Handle) -> Place | None:
        fd = open_handle(self._open(target.place), folder)
        try:
            # Through a bind mount, which ReadWritePaths= makes of every root, what is outside of it has no path: "/".
            hint = os.readlink(f"/proc/self/fd/{fd}")
            if not is_below(hint, target.full_path) or find_remote(hint, self._remote) is not None:
                return None
            inner = hint[len(target.full_path.rstrip("/")) + 1 :]
            place = Place(target.place.root, "/".join(filter(None, (target.place.path, inner))))
            return place if self._is_same(fd, place) else None
        finally:
            os.close(fd)

    def _is_same(self, fd: int, place: Place) -> bool:
        found_fd = open_below(self._open(Place(place.root, "")), place.path)
        try:
            return os.path.samestat(os.fstat(fd), os.fstat(found_fd))
        finally:
            os.close(found_fd)

    def _open(self, place: Place) -> int:
        if place not in self._fds:
            root = Place(place.root, "")
            self._fds[place] = open_below(self._open(root), place.path) if place.path else open_root(self._roots[place.root])
        return self._fds[place]


def _entry_of(folder: Place | None, name: str) -> Place | None:
    if folder is None or name == ".":
        return folder
    return Place(folder.root, f"{folder.path}/{name}" if folder.path else name)
