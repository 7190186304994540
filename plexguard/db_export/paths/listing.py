"""What a storage holds by its own word, in place of a look at files: a listing of rclone's, `rclone lsjson --recursive`.

It is complete or of no use: one that was cut off is refused, since what it lacks would count as missing.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from plexguard.core.errors import DataError, IoFailed, MissingInput
from plexguard.core.mounts import is_below
from plexguard.db_export.paths.candidates import Root, is_looked_into, is_wanted
from plexguard.db_export.paths.match import Candidate
from plexguard.db_export.paths.observe import Place
from plexguard.db_export.paths.survey import Seen

# Longer than any name that a storage takes, and what is said of it.
_MOST_LINE = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """root: where the storage's own root is in the database's paths. folders: of each folder as the database would have it the
    names of its files, and their sizes in bytes."""

    root: str
    folders: Mapping[str, Mapping[str, int]]

    def has_below(self, folder: str) -> bool:
        """Tell whether any file lies below a folder."""
        return any(is_below(one, folder) for one in self.folders)


def read_listing(path: Path, root: str) -> Listing:
    """Return what a file of `rclone lsjson` says. Raises MissingInput, IoFailed, DataError for one that is not whole."""
    try:
        with path.open("rb") as file:
            return Listing(root=root, folders=_collect(_read_entries(file, str(path)), root.rstrip("/")))
    except FileNotFoundError as error:
        raise MissingInput(f"{path}: no such file") from error
    except OSError as error:
        raise IoFailed(f"Failed to read {path}: {error.strerror}") from error


def _read_entries(file: BinaryIO, name: str) -> Iterator[Mapping[str, Any]]:
    """Yield the entries of a JSON array that has one in each line, as rclone writes it: all of it at once would be hundreds of
    megabytes."""
    if file.readline(_MOST_LINE).strip() != b"[":
        raise DataError(f"{name}: is no listing of rclone's", hint="rclone lsjson --recursive --files-only REMOTE: > FILE")
    while line := file.readline(_MOST_LINE):
        text = line.strip().removesuffix(b",")
        if text == b"]":
            return
        if text:
            yield _parse_entry(text, name)
    raise DataError(f"{name}: the listing breaks off, and what it lacks would count as missing", hint="make it again")


def _parse_entry(text: bytes, name: str) -> Mapping[str, Any]:
    try:
        entry = json.loads(text)
        path, size, is_folder = entry["Path"], entry["Size"], entry.get("IsDir", False)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{name}: not as rclone writes it: {text[:80]!r}") from error
    if not isinstance(path, str) or not isinstance(size, int):
        raise DataError(f"{name}: not as rclone writes it: {text[:80]!r}")
    return {"path": path, "size": size, "is_folder": is_folder}


def _collect(entries: Iterable[Mapping[str, Any]], root: str) -> dict[str, dict[str, int]]:
    folders: dict[str, dict[str, int]] = {}
    for entry in entries:
        if not entry["is_folder"]:
            folder, _, name = f"{root}/{entry['path']}".rpartition("/")
            folders.setdefault(folder, {})[name] = max(0, entry["size"])
    return folders


def survey_listing(files: Mapping[Place, Mapping[str, Iterable[str]]], listing: Listing) -> tuple[Seen, ...]:
    """Look for files in a listing: of each place names by folder. What lies outside of the storage cannot be told."""
    found = []
    for place, by_folder in files.items():
        is_in = is_below(place.root, listing.root) if place.root else False
        seen = Seen(place=place, here=place.root if is_in else "", total=0)
        for folder, some in by_folder.items():
            names = tuple(some)
            seen.total += len(names)
            if not is_below(folder or "/", listing.root):
                seen.untold[f"it is not below {listing.root}, which was listed"] += len(names)
                continue
            seen.checked += len(names)
            there = listing.folders.get(folder, {})
            if gone := tuple(name for name in names if name not in there):
                seen.missing[folder] = gone
        seen.root = "is not there, or holds no file" if is_in and not listing.has_below(place.root) else ""
        found.append(seen)
    return tuple(found)


def find_listed(
    listing: Listing, roots: Iterable[Root], known: Mapping[str, Collection[str]], kinds: Collection[str]
) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    """Return the files of a listing that nobody knows, as find_candidates() does those of a disk."""
    every = tuple(roots)
    found: list[Candidate] = []
    for folder, names in listing.folders.items():
        above = [root for root in every if is_below(folder, root.here)]
        if not above or not all(map(is_looked_into, folder[len(listing.root) :].split("/"))):
            continue
        sections = [root.sections for root in above if root.sections is not None]
        libraries = frozenset[int]().union(*sections) if len(sections) == len(above) else None
        nearest = max((root.here.rstrip("/") for root in above), key=len)
        unknown = (name for name in names if is_wanted(name, kinds) and name not in known.get(folder, ()))
        found += (Candidate(f"{folder}/{n}", f"{folder}/{n}"[len(nearest) + 1 :], names[n], libraries) for n in unknown)
    return tuple(found), ()
