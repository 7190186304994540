"""Folders of many files, such as Metadata: what is in them, and the one hash that proves all of it.

The hash of each file lies beside them, see lists.py: in the manifest those of half a million would be as large as a database.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from plexguard.db_export.archive.manifest import TreeFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file of a tree. name: below Plex's folder, as it is in an archive."""

    path: str
    name: str


def walk(folder: Path) -> Iterator[Found]:
    """Yield the ordinary files below a folder, in an order that stays. Links are not followed and not taken: Plex makes none, and
    where they lead is another machine's matter. What goes away meanwhile is left out."""
    pending = [str(folder)]
    above = len(str(folder.parent)) + 1
    while pending:
        try:
            with os.scandir(pending.pop()) as listing:
                entries = sorted(listing, key=lambda entry: entry.name, reverse=True)
        except FileNotFoundError:
            continue
        pending += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        yield from (Found(path=e.path, name=e.path[above:]) for e in reversed(entries) if e.is_file(follow_symlinks=False))


def measure(folder: Path) -> tuple[int, int]:
    """Return how many files a tree has, and how large they are together."""
    files = size = 0
    for found in walk(folder):
        try:
            seen = os.lstat(found.path)
        except FileNotFoundError:
            continue
        if stat.S_ISREG(seen.st_mode):
            files, size = files + 1, size + seen.st_size
    return files, size


class TreeSum:
    """Adds up the files of a tree, in the order of the archive."""

    def __init__(self) -> None:
        self.files = self.size = 0
        self._hash = hashlib.sha256()

    def add(self, size: int, line: bytes) -> None:
        """line: of lists.make_line()."""
        self.files += 1
        self.size += size
        self._hash.update(line)

    def facts(self, *, list_bytes: int) -> TreeFacts:
        return TreeFacts(files=self.files, size=self.size, sha256=self._hash.hexdigest(), list_bytes=list_bytes)
