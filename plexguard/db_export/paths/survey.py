"""Look whether files are there: a folder at a time, in children, as many as can be looked at within the time.

A file is missing when its file system says so. Where that hangs, refuses or fails, it cannot be told, which is not the same.
"""

import errno
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from plexguard.core.mounts import MountPoint, find_unmounted, mount_of
from plexguard.db_export.paths.observe import Place
from plexguard.db_export.paths.pool import STALL_S, Alive, Pool

_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})
# So many files of a folder are asked for one by one; of more, the folder's list is read.
_FEW = 2
_TASK_FOLDERS = 64
# In so many rounds a place is looked at, each over all of it: what time was left for is a fair sample.
_ROUNDS = (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Where things lie on this machine. find_here: the path here of one in the database, None where there is none."""

    find_here: Callable[[str], str | None]
    mounts: tuple[MountPoint, ...]
    fstab: tuple[MountPoint, ...]


@dataclass(slots=True, kw_only=True)
class Seen:
    """What was found of a place. here: its path on this machine. total: files that the database knows; checked: those that were
    looked for. missing: names by folder. untold: how many could not be told, by the reason. root: what is wrong
    with the folder itself."""

    place: Place
    here: str
    total: int
    checked: int = 0
    missing: dict[str, tuple[str, ...]] = field(default_factory=dict)
    untold: Counter[str] = field(default_factory=Counter)
    root: str = ""

    @property
    def missing_count(self) -> int:
        return sum(map(len, self.missing.values()))

    @property
    def untold_count(self) -> int:
        return self.untold.total()

    @property
    def is_sample(self) -> bool:
        return self.checked + self.untold_count < self.total


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to look at. place: a number of Seen. path: as the database has it."""

    place: int
    path: str
    here: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Task:
    mount: str
    folders: tuple[int, ...]


def survey(
    files: Mapping[Place, Mapping[str, Iterable[str]]], world: World, *, within_s: float | None, stall_s: float = STALL_S
) -> tuple[Seen, ...]:
    """Look for files: of each place names by folder. within_s: after so long what is left is left, None for all."""
    found, folders = [], []
    for place, by_folder in files.items():
        seen = Seen(place=place, here=world.find_here(place.root) or "", total=sum(len(tuple(n)) for n in by_folder.values()))
        found.append(seen)
        away = find_unmounted(seen.here, world.mounts, world.fstab, "") if seen.here else ""
        for path, names in sorted(by_folder.items()):
            here = world.find_here(path or "/")
            if here is None:
                seen.untold["no mount of Plex's container leads there"] += len(tuple(names))
            elif away:
                seen.untold[f"{away} is not mounted"] += len(tuple(names))
            else:
                folders.append(_Folder(len(found) - 1, path, here, tuple(names)))
        seen.root = f"{away} is not mounted" if away else ""
    _look_at_roots(found, stall_s=stall_s)
    _look_at_folders(found, folders, world, within_s=within_s, stall_s=stall_s)
    return tuple(found)


def _look_at_roots(found: Sequence[Seen], *, stall_s: float) -> None:
    with Pool[int, str](lambda n, _: find_root_fault(found[n].here), stall_s=stall_s) as pool:
        for number, seen in enumerate(found):
            if seen.here and seen.place.root and not seen.root:
                pool.add(number)
        for number, fault in pool:
            found[number].root = "does not answer: its file system hangs" if fault is None else fault


def find_root_fault(path: str) -> str:
    """Return what is wrong with the folder of a library, "" for nothing."""
    try:
        with os.scandir(path) as entries:
            return "" if any(True for _ in entries) else "is empty: is its disk mounted?"
    except FileNotFoundError:
        return "is not there"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except ValueError:
        return "is not there"


def _is_same_mount(task: _Task, other: _Task) -> bool:
    return task.mount == other.mount


def _look_at_folders(
    found: Sequence[Seen], folders: Sequence[_Folder], world: World, *, within_s: float | None, stall_s: float
) -> None:
    deadline_s = None if within_s is None else time.monotonic() + within_s

    def work(task: _Task, tell_alive: Alive) -> list[tuple[tuple[int, ...], str]]:
        return [look(folders[number], tell_alive) for number in task.folders]

    with Pool[_Task, list[tuple[tuple[int, ...], str]]](work, stall_s=stall_s) as pool:
        for task in _plan(folders, world.mounts):
            pool.add(task)
        for task, answers in pool:
            if answers is None:
                for lost in (task, *pool.drop(partial(_is_same_mount, task))):
                    for number in lost.folders:
                        _note(found, folders[number], (), "its file system hangs")
                continue
            for number, (gone, fault) in zip(task.folders, answers, strict=True):
                _note(found, folders[number], gone, fault)
            if deadline_s is not None and time.monotonic() > deadline_s:
                pool.drop(lambda _: True)


def _note(found: Sequence[Seen], folder: _Folder, gone: tuple[int, ...], fault: str) -> None:
    seen = found[folder.place]
    if fault:
        seen.untold[fault] += len(folder.names)
        return
    seen.checked += len(folder.names)
    if gone:
        seen.missing[folder.path] = tuple(folder.names[n] for n in gone)


def _plan(folders: Sequence[_Folder], mounts: tuple[MountPoint, ...]) -> Iterator[_Task]:
    """Yield all folders in rounds: each task of one mount."""
    on: dict[str, list[int]] = {}
    known: dict[tuple[int, str], str] = {}
    for number, folder in enumerate(folders):
        above = (folder.place, folder.here.rpartition("/")[0])
        if above not in known:
            known[above] = mount_of(above[1] or "/", mounts).path
        # A folder that is a mount itself.
        on.setdefault(folder.here if any(m.path == folder.here for m in mounts) else known[above], []).append(number)
    for first in _ROUNDS:
        for mount, numbers in on.items():
            round_ = numbers[first :: len(_ROUNDS)]
            for n in range(0, len(round_), _TASK_FOLDERS):
                yield _Task(mount, tuple(round_[n : n + _TASK_FOLDERS]))


def look(folder: _Folder, tell_alive: Alive) -> tuple[tuple[int, ...], str]:
    """Return which of the names of a folder are gone (their numbers), or why that cannot be told."""
    tell_alive()
    try:
        if len(folder.names) <= _FEW:
            return tuple(n for n, name in enumerate(folder.names) if not _exists(f"{folder.here}/{name}")), ""
        listed = _list(folder.here)
        return tuple(n for n, name in enumerate(folder.names) if not _is_listed(folder.here, name, listed)), ""
    except OSError as error:
        return (), error.strerror or str(error)


def _list(path: str) -> dict[str, bool]:
    """Return the names of a folder, and of each whether it is a link. One that is gone has none. Raises OSError."""
    try:
        with os.scandir(path) as entries:
            return {entry.name: entry.is_symlink() for entry in entries}
    except ValueError:
        return {}
    except OSError as error:
        if error.errno in _GONE:
            return {}
        raise


def _is_listed(folder: str, name: str, listed: Mapping[str, bool]) -> bool:
    is_link = listed.get(name)
    return is_link is False or (is_link is True and _exists(f"{folder}/{name}"))


def _exists(path: str) -> bool:
    """Raises OSError where that cannot be told."""
    try:
        os.stat(path)
    except ValueError:
        # No file system takes such a name.
        return False
    except OSError as error:
        if error.errno in _GONE:
            return False
        raise
    return True
