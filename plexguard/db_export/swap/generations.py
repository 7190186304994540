"""The generations: what was there before each swap, newest last, in a folder beside the databases."""

import json
import os
import re
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from plexguard.core.errors import DataError, IoFailed, MissingInput
from plexguard.core.records import decode, encode
from plexguard.core.state import sync_folder, write_atomic
from plexguard.db_export.database.files import PlexData

FOLDER = "plexguard-undo"
_RECORD = "generation.json"
_SCHEMA = 1
_REASON = re.compile(r"[a-z][a-z-]*")
_NAME = re.compile(rf"(\d{{4,9}})-{_REASON.pattern}")
STAGING = ".new"
_DOOMED = ".old"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is written down. places: all that was swapped then, by the name in the data folder, also what was not there."""

    made: datetime
    reason: str
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """What was there before a swap. reason: what was done then."""

    number: int
    made: datetime
    reason: str
    folder: Path
    places: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """How much its databases hold."""
        return sum(path.stat().st_size for path in self.folder.iterdir() if path.is_file())


def undo_folder(data: PlexData) -> Path:
    return data.databases / FOLDER


def list_generations(data: PlexData) -> tuple[Generation, ...]:
    """Return the generations, oldest first. A folder that says nothing of itself is left out. Raises IoFailed."""
    found = (_read(folder) for folder in _folders(data))
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.number))


def find_generation(data: PlexData, number: int | None) -> Generation:
    """Return one, or the newest. Raises MissingInput."""
    every = list_generations(data)
    chosen = [one for one in every if number in (None, one.number)]
    if not chosen:
        which = "no generation" if number is None else f"no generation {number}"
        raise MissingInput(f"{undo_folder(data)}: {which}", hint="plexguard-db-export undo --list")
    return chosen[-1]


def begin_generation(data: PlexData, record: Record) -> Generation:
    """Make the folder of a new one, with nothing in it yet. Raises IoFailed."""
    number = max((number for folder in _folders(data) if (number := _number(folder.name)) is not None), default=0) + 1
    folder = undo_folder(data) / f"{number:04d}-{record.reason}"
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise IoFailed(f"Failed to make {folder}: {error.strerror}") from error
    text = json.dumps({"schema": _SCHEMA, **encode(record)}, indent=1) + "\n"
    write_atomic(folder / _RECORD, text.encode("ascii"), mode=0o600)
    return Generation(number=number, made=record.made, reason=record.reason, folder=folder, places=record.places)


def prune(data: PlexData, *, keep: int) -> tuple[Generation, ...]:
    """Remove the oldest but so many, and return those. Raises IoFailed."""
    every = list_generations(data)
    old = every[: max(0, len(every) - max(1, keep))]
    for generation in old:
        remove_folder(generation.folder)
    return old


def sweep(data: PlexData) -> None:
    """Remove what a run left that was cut off before or after its swap: no swap is under way. Raises IoFailed."""
    for folder in _folders(data):
        is_left = folder.name.endswith((STAGING, _DOOMED))
        if is_left or (_number(folder.name) is not None and not _holds_something(folder)):
            remove_folder(folder)


def remove_folder(folder: Path) -> None:
    """Remove a folder; one that is half removed is no generation any more. Raises IoFailed."""
    doomed = folder if folder.name.endswith((STAGING, _DOOMED)) else folder.with_name(folder.name + _DOOMED)
    try:
        if doomed != folder:
            folder.rename(doomed)
            sync_folder(folder.parent)
        shutil.rmtree(doomed)
    except FileNotFoundError:
        return
    except OSError as error:
        raise IoFailed(f"Failed to remove {folder}: {error.strerror}") from error


def _folders(data: PlexData) -> tuple[Path, ...]:
    try:
        return tuple(Path(entry.path) for entry in os.scandir(undo_folder(data)) if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise IoFailed(f"Failed to list {undo_folder(data)}: {error.strerror}") from error


def _number(name: str) -> int | None:
    found = _NAME.fullmatch(name.removesuffix(_DOOMED).removesuffix(STAGING))
    return int(found[1]) if found is not None else None


def _holds_something(folder: Path) -> bool:
    # Its record, or half of one, is nothing.
    return any(not entry.name.lstrip(".").startswith(_RECORD) for entry in os.scandir(folder))


def _read(folder: Path) -> Generation | None:
    number = _number(folder.name) if not folder.name.endswith((STAGING, _DOOMED)) else None
    if number is None or not _holds_something(folder):
        return None
    try:
        data = json.loads((folder / _RECORD).read_bytes())
        if not isinstance(data, dict) or data.pop("schema", None) != _SCHEMA:
            return None
        record = decode(Record, data)
    except (OSError, ValueError, DataError):
        return None
    if _REASON.fullmatch(record.reason) is None:
        return None
    return Generation(number=number, made=record.made, reason=record.reason, folder=folder, places=record.places)
