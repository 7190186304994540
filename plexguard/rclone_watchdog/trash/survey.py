"""Whether folders hold something, and whether files are gone, asked of the file systems themselves.

Any of these questions may hang: they are asked in a child with a deadline, and only below mounts that are proven.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from functools import partial

from plexguard.core.child import in_child
from plexguard.core.errors import PlexguardError
from plexguard.core.events import show_path
from plexguard.core.links import resolve
from plexguard.core.mounts import is_below
from plexguard.rclone_watchdog.trash.limits import Reason, Why

# A folder that has to be listed by a slow storage first takes a second or two.
_BASE_S, _EACH_S, _MOST_S = 30.0, 1.0, 600.0
_NAMED = 3
# What is on a disk that is otherwise empty.
_NO_CONTENT = frozenset({"lost+found", "System Volume Information", "$RECYCLE.BIN"})
Judge = Callable[[str], tuple[Reason, ...]]


def survey(
    folders: tuple[str, ...],
    files: tuple[str, ...],
    *,
    judge: Judge,
    judge_whole: Judge,
    is_remembered: Callable[[str], bool] = lambda _folder: False,
) -> tuple[Reason, ...]:
    """Return what speaks against that all these files are gone for good. judge: what is known of a path by its name alone;
    judge_whole: with what is mounted below it. is_remembered: whether the kernel may say of what was once in a folder that it is
    there, without asking. What cannot be told is a reason."""
    timeout_s = min(_BASE_S + _EACH_S * len(files), _MOST_S)
    work = partial(_survey, folders, files, judge, judge_whole, is_remembered)
    try:
        return in_child(work, timeout_s=timeout_s)
    except (OSError, PlexguardError) as error:
        return (Reason(why=Why.FOLDER, text=f"its folders cannot be looked at: {error}"),)


def _survey(
    folders: tuple[str, ...], files: tuple[str, ...], judge: Judge, judge_whole: Judge, is_remembered: Callable[[str], bool]
) -> tuple[Reason, ...]:
    found: list[Reason] = []
    tops = []
    for folder in folders:
        real = resolve(folder, is_apart=lambda place: bool(judge(place)))
        tops.append(real)
        reasons = judge_whole(real)
        if not reasons and (fault := find_folder_fault(real)):
            reasons = (Reason(why=Why.FOLDER, text=fault),)
        found += reasons
    # Where a folder is in doubt its files are, too.
    return tuple(dict.fromkeys(found or _survey_files(files, tuple(tops), judge, is_remembered)))


def _survey_files(
    files: tuple[str, ...], tops: tuple[str, ...], judge: Judge, is_remembered: Callable[[str], bool]
) -> Iterator[Reason]:
    there: list[str] = []
    for file in files:
        parent = resolve(os.path.dirname(file), is_apart=lambda place: bool(judge(place)))
        if reasons := judge(parent):
            yield from reasons
            continue
        try:
            # A folder is listed by who mounts it.
            (_find_listed if is_remembered(parent) else os.lstat)(os.path.join(parent, os.path.basename(file)))
            there.append(file)
        except (FileNotFoundError, NotADirectoryError):
            yield from _doubt_absence(parent, tops)
        except OSError as error:
            yield Reason(why=Why.BACK, text=f"whether {show_path(file)} is gone cannot be told: {error.strerror}")
    if there:
        named = ", ".join(map(show_path, there[:_NAMED])) + (" …" if len(there) > _NAMED else "")
        yield Reason(why=Why.BACK, text=f"{len(there)} of the missing files are there: {named}; have Plex scan it")


def _find_listed(path: str) -> None:
    """Raises FileNotFoundError where a path is not in the list of its folder, and OSError."""
    if os.path.basename(path) not in os.listdir(os.path.dirname(path)):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def _doubt_absence(parent: str, tops: tuple[str, ...]) -> Iterator[Reason]:
    """A file is away that a link led to: what the link leads to may be the empty place of a disk."""
    while not os.path.lexists(parent) and parent != "/":
        parent = os.path.dirname(parent)
    if not any(is_below(parent, top) for top in tops) and (fault := find_folder_fault(parent)):
        yield Reason(why=Why.FOLDER, text=fault)


def find_folder_fault(folder: str) -> str:
    """Return why a folder is not one that holds media, "" when it may be. An empty one is the place of a disk that is away."""
    try:
        if not stat.S_ISDIR(os.stat(folder).st_mode):
            return f"{show_path(folder)} is no folder"
        with os.scandir(folder) as entries:
            if any(not entry.name.startswith(".") and entry.name not in _NO_CONTENT for entry in entries):
                return ""
        return f"{show_path(folder)} is empty: is its disk mounted?"
    except OSError as error:
        return f"{show_path(folder)} cannot be looked at: {error.strerror}"
