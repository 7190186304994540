"""What is about to change, on the disk before anything does. Its folder is Plex's: what is read there is believed only as far as it
names what a swap can change."""

import json
from pathlib import PurePath

from plexguard.core.errors import DataError, IoFailed
from plexguard.core.records import decode, encode
from plexguard.core.state import sync_folder, write_atomic
from plexguard.db_export.database.files import PlexData
from plexguard.db_export.swap.generations import FOLDER, undo_folder
from plexguard.db_export.swap.pieces import DATABASES, is_place
from plexguard.db_export.swap.plan import Swap

JOURNAL = "plexguard-swap.json"
_SCHEMA = 1
_MODE = 0o644


def write_journal(data: PlexData, swap: Swap) -> None:
    text = json.dumps({"schema": _SCHEMA, **encode(swap)}, indent=1) + "\n"
    # What is staged is on the disk before the word that it is to be put in place.
    sync_folder(undo_folder(data))
    write_atomic(data.databases / JOURNAL, text.encode("ascii"), mode=_MODE)


def read_journal(data: PlexData) -> Swap | None:
    path = data.databases / JOURNAL
    try:
        found = json.loads(path.read_bytes())
        if not isinstance(found, dict) or found.pop("schema", None) != _SCHEMA:
            raise DataError("from another version of plexguard")
        swap = decode(Swap, found)
        if not _is_ours(swap):
            raise DataError("names files that no swap changes")
        return swap
    except FileNotFoundError:
        return None
    except OSError as error:
        raise IoFailed(f"Failed to read {path}: {error.strerror}") from error
    except (ValueError, DataError) as error:
        raise DataError(f"{path}: {error}", hint="the files it names are in plexguard-undo; put them back by hand") from error


def _is_ours(swap: Swap) -> bool:
    folders = (swap.generation, swap.staging)
    inside = [path for piece in swap.pieces for path in (piece.kept, piece.staged) if path]
    return (
        all(is_place(piece.place) for piece in swap.pieces)
        and bool(swap.databases)
        and all(_is_below(folder, f"{DATABASES}/{FOLDER}") for folder in folders)
        and all(any(_is_below(path, folder) for folder in folders) for path in inside)
    )


def _is_below(path: str, folder: str) -> bool:
    """Tell whether a path is that of something right in a folder."""
    return PurePath(path).parent == PurePath(folder) and PurePath(path).name not in ("", "..") and ".." not in PurePath(path).parts


def forget_journal(data: PlexData) -> None:
    try:
        (data.databases / JOURNAL).unlink(missing_ok=True)
        sync_folder(data.databases)
    except OSError as error:
        raise IoFailed(f"Failed to remove {data.databases / JOURNAL}: {error.strerror}") from error
