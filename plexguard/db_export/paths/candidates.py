"""Files on the disk that the database does not know: listed in children, a share of the tree at a time."""

import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from plexguard.core.mounts import MountPoint, mount_of
from plexguard.db_export.paths.match import Candidate
from plexguard.db_export.paths.names import fold
from plexguard.db_export.paths.pool import STALL_S, Alive, Pool

# What file systems and devices put beside media.
_FOREIGN = frozenset({"@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"})
# What a film or a track may have become, when it was made anew.
_GROUPS = (
    frozenset(
        ("avi", "mkv", "mp4", "m4v", "mov", "mpg", "mpeg", "ts", "m2ts", "mts", "wmv", "flv", "webm", "ogm", "divx", "iso", "vob")
    ),
    frozenset(("mp3", "flac", "m4a", "aac", "ogg", "opus", "wav", "wma", "alac", "ape", "aif", "aiff", "dsf", "m4b", "mka")),
    frozenset(("jpg", "jpeg", "png", "heic", "tif", "tiff", "gif", "bmp", "webp", "dng", "cr2", "nef", "arw")),
)
# A child walks for so long, and then gives back what it has not seen.
_SHARE_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A folder to look in. here: its path on this machine. sections: the libraries that it is of, None for any."""

    here: str
    sections: frozenset[int] | None


@dataclass(frozen=True, slots=True)
class _Walked:
    """files: folder, name, bytes. left: folders that were not walked. faults: what could not be listed."""

    files: tuple[tuple[str, str, int], ...]
    left: tuple[str, ...]
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Task:
    root: int
    folders: tuple[str, ...]


def find_candidates(
    roots: Iterable[Root],
    known: Mapping[str, Collection[str]],
    kinds: Collection[str],
    mounts: tuple[MountPoint, ...],
    *,
    find_there: Callable[[str], str | None],
    stall_s: float = STALL_S,
) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    """Return the files below some folders that nobody knows, and what could not be listed.

    known: names by folder here. kinds: endings of names, folded, of which files are wanted. find_there: the path in the database of
    one here.
    """
    every = sorted(roots, key=lambda root: root.here)
    found: dict[str, Candidate] = {}
    faults: list[str] = []

    def work(task: _Task, tell_alive: Alive) -> _Walked:
        return walk(task.folders, known, kinds, tell_alive)

    def mount_path(task: _Task) -> str:
        return mount_of(task.folders[0], mounts).path

    def is_same_mount(task: _Task, other: _Task) -> bool:
        return mount_path(task) == mount_path(other)

    with Pool[_Task, _Walked](work, stall_s=stall_s) as pool:
        for number, root in enumerate(every):
            pool.add(_Task(number, (root.here,)))
        for task, walked in pool:
            if walked is None:
                faults.append(f"{mount_path(task)}: its file system hangs")
                pool.drop(partial(is_same_mount, task))
                continue
            faults += walked.faults
            half = (len(walked.left) + 1) // 2
            for some in (walked.left[:half], walked.left[half:]):
                if some:
                    pool.add(_Task(task.root, some))
            for folder, name, size in walked.files:
                _add(found, every[task.root], folder, name, size, find_there)
    return tuple(found.values()), tuple(dict.fromkeys(faults))


def _add(
    found: dict[str, Candidate], root: Root, folder: str, name: str, size: int, find_there: Callable[[str], str | None]
) -> None:
    here = f"{folder.rstrip('/')}/{name}"
    path = find_there(here)
    if path is None:
        return
    sections, before = root.sections, found.get(path)
    if before is not None:
        sections = None if sections is None or before.sections is None else sections | before.sections
    found[path] = Candidate(path, here[len(root.here.rstrip("/")) + 1 :], size, sections)


def walk(folders: Iterable[str], known: Mapping[str, Collection[str]], kinds: Collection[str], tell_alive: Alive) -> _Walked:
    """Walk some trees, but not longer than a share of time."""
    files: list[tuple[str, str, int]] = []
    faults: list[str] = []
    left = list(folders)
    until_s = time.monotonic() + _SHARE_S
    while left and time.monotonic() < until_s:
        tell_alive()
        folder = left.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if is_looked_into(entry.name):
                            left.append(entry.path)
                    elif is_wanted(entry.name, kinds) and entry.name not in known.get(folder, ()):
                        files.append((folder, entry.name, entry.stat().st_size))
        except FileNotFoundError:
            continue
        except OSError as error:
            faults.append(f"{folder}: {error.strerror}")
    return _Walked(tuple(files), tuple(left), tuple(faults))


def is_looked_into(folder: str) -> bool:
    """Tell by its name whether a folder may hold media."""
    return not folder.startswith(".") and folder not in _FOREIGN


def is_wanted(name: str, kinds: Collection[str]) -> bool:
    return not name.startswith(".") and find_kind(name) in kinds


def widen(kinds: Iterable[str]) -> frozenset[str]:
    """Return endings, and those that stand for the same kind of media."""
    wanted = frozenset(kinds)
    return wanted.union(*(group for group in _GROUPS if group & wanted))


def find_kind(name: str) -> str:
    """Return the ending of a name."""
    return fold(name.rpartition("/")[2]).rpartition(".")[2]
