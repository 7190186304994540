"""What is checked when, and what can be watched: pure, given the time and the tables."""

import heapq
import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plexguard.core.events import show_path
from plexguard.core.mounts import MountPoint, find_unmounted, is_below
from plexguard.perms_audit.guard.fanotify import CREATE, MOVED_TO, ONDIR, Handle
from plexguard.perms_audit.guard.observe import Mounts, Target, find_remote
from plexguard.perms_audit.prove import Place

# Programs close a file, then change its mode, then rename it: what counts is how they leave it.
SETTLE_S = 0.015
# Who never leaves it alone does not keep it from being looked at.
LIMIT_S = 0.1
# A file that was only made is still being written, by a program that often gives it its mode at the end. For a hard link
# or a socket nothing else will come.
MADE_S = 0.5
_MOST_WAITING = 8192
_MOST_TREES = 16_384
_MOST_SHOWN = 3
NOT_MOUNTED = "not mounted"


@dataclass(frozen=True, slots=True)
class Due:
    """An entry of a folder that is to be checked now. has_tree: it is a folder that came with all that is in it."""

    folder: Handle
    name: str
    has_tree: bool


@dataclass(slots=True)
class _Entry:
    """due_s: when it is checked if nothing more happens. limit_s: when at the latest. ticket: its valid one in the queue."""

    due_s: float
    limit_s: float
    has_tree: bool
    ticket: int
    ticket_s: float


class Waiting:
    """What has happened and is not checked yet, each entry of a folder once. Bounded: when it is full, no event is to be
    read, and `take` gives out what is not due yet."""

    def __init__(self, most: int = _MOST_WAITING) -> None:
        self._most = most
        self._entries: dict[tuple[Handle, str], _Entry] = {}
        # A ticket that is not its entry's any more is passed over; so none has to be searched for.
        self._queue: list[tuple[float, int, tuple[Handle, str]]] = []
        self._tickets = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def is_full(self) -> bool:
        return len(self._queue) >= self._most

    @property
    def next_due_s(self) -> float:
        return self._queue[0][0] if self._queue else math.inf

    def note(self, folder: Handle, name: str, mask: int, now_s: float) -> None:
        """Note that something happened to an entry of a folder. mask: of the event."""
        key = (folder, name)
        has_tree = mask & (MOVED_TO | ONDIR) == MOVED_TO | ONDIR
        was_made = mask == CREATE
        entry = self._entries.get(key)
        if entry is None:
            due_s, limit_s = (now_s + MADE_S, math.inf) if was_made else (now_s + SETTLE_S, now_s + LIMIT_S)
            self._entries[key] = entry = _Entry(due_s, limit_s, has_tree, 0, 0.0)
            self._queue_up(key, entry)
            return
        entry.has_tree |= has_tree
        if was_made:
            return
        entry.limit_s = min(entry.limit_s, now_s + LIMIT_S)
        entry.due_s = min(now_s + SETTLE_S, entry.limit_s)
        if entry.due_s < entry.ticket_s:
            self._queue_up(key, entry)

    def take(self, now_s: float, count: int) -> list[Due]:
        """Take out what is due, the longest due first, at most so many."""
        due: list[Due] = []
        while self._queue and len(due) < count:
            forced = self.is_full
            if self._queue[0][0] > now_s and not forced:
                break
            _, ticket, key = heapq.heappop(self._queue)
            entry = self._entries.get(key)
            if entry is None or entry.ticket != ticket:
                continue
            if entry.due_s > now_s and not forced:
                self._queue_up(key, entry)
                continue
            del self._entries[key]
            due.append(Due(*key, entry.has_tree))
        return due

    def _queue_up(self, key: tuple[Handle, str], entry: _Entry) -> None:
        self._tickets += 1
        entry.ticket, entry.ticket_s = self._tickets, entry.due_s
        heapq.heappush(self._queue, (entry.due_s, self._tickets, key))


class Trees:
    """Folders whose content is to be checked, the one that came last first, so that few wait however wide the tree is."""

    def __init__(self, most: int = _MOST_TREES) -> None:
        self._most = most
        self._places: deque[Place] = deque()

    def __len__(self) -> int:
        return len(self._places)

    def add(self, place: Place) -> bool:
        """Add a folder; tell whether there was room for it."""
        if len(self._places) >= self._most:
            return False
        self._places.append(place)
        return True

    def take(self) -> Place | None:
        return self._places.pop() if self._places else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is to be watched, and by path why something is not."""

    targets: tuple[Target, ...]
    unwatched: Mapping[str, str]


def choose_targets(
    roots: Sequence[str], mounts: tuple[MountPoint, ...], fstab: tuple[MountPoint, ...], last_mounts: Mapping[str, str]
) -> Outlook:
    """Return the folders of which to watch the file systems: each root, and what is mounted below it.

    last_mounts: by root, the mount that it was on when it was well. By the table alone, so that nothing can hang.
    """
    targets: list[Target] = []
    unwatched: dict[str, str] = {}
    for number, root in enumerate(roots):
        missing = find_unmounted(root, mounts, fstab, last_mounts.get(root, ""))
        remote = find_remote(root, mounts)
        if missing and is_below(root, missing):
            unwatched[root] = NOT_MOUNTED
            continue
        if remote is not None:
            unwatched[root] = remote.type
            continue
        if missing:
            unwatched[missing] = NOT_MOUNTED
        targets.append(Target(place=Place(number, ""), full_path=root))
        for mount in _mounts_in(number, roots, mounts):
            remote = find_remote(mount.path, mounts)
            if remote is None:
                path = mount.path[len(root.rstrip("/")) + 1 :]
                targets.append(Target(place=Place(number, path), full_path=mount.path))
            else:
                unwatched[remote.path] = remote.type
    return Outlook(targets=tuple(targets), unwatched=unwatched)


def _mounts_in(number: int, roots: Sequence[str], mounts: Sequence[MountPoint]) -> list[MountPoint]:
    """Return the mounts below a root that lie in no root further in, nor are one."""
    root = roots[number]
    inner = [other for other in roots if other != root and is_below(other, root)]
    return [
        mount
        for mount in mounts
        if mount.path != root and is_below(mount.path, root) and not any(is_below(mount.path, other) for other in inner)
    ]


def find_stale(roots: Sequence[str], before: Mounts, now: Mounts) -> str:
    """Return a mount at, above or below a root that was unmounted outside and lives on here alone, or "".

    A folder of a file system that ReadWritePaths= names is mounted onto itself in the unit's namespace, and what holds a
    mount is not taken away with the one outside (tried with 252 on Linux 6.18): the disk would stay in use by this unit
    alone, and what is mounted there next would not be seen. Such a mount has lost its master.
    """
    lost = (path for number, path in before.followers.items() if number in now.orphans)
    return next((path for path in lost if any(is_below(root, path) or is_below(path, root) for root in roots)), "")


def describe(roots: Sequence[str], unwatched: Mapping[str, str], checked: int) -> str:
    """Return the state in one line, for `systemctl status`."""
    if not roots:
        return "No root to watch yet"
    watched = sum(root not in unwatched for root in roots)
    line = f"Watching {watched} of {len(roots)} roots, {checked} paths checked"
    if not unwatched:
        return line
    shown = [f"{show_path(path)} ({reason})" for path, reason in sorted(unwatched.items())]
    more = f" and {len(shown) - _MOST_SHOWN} more" if len(shown) > _MOST_SHOWN else ""
    return f"{line}; not {', '.join(shown[:_MOST_SHOWN])}{more}, left to the timer"
