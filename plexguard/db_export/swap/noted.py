"""Which data folders have a swap under way: noted where a boot finds it, without a look at the folder of any Plex.

One file for each data folder, there from before the first change of place until all is over. What runs before Plex at boot asks no
more than whether there is any (plexguard-db-export-finish.service). A note without a swap does no harm, and so a note that cannot
be written stops no swap: what is cut off is then ended by the next command that writes.
"""

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.errors import IoFailed, NoPermission
from plexguard.core.journal import Journal
from plexguard.core.records import encode
from plexguard.core.state import PUBLISHED, StateFile, make_folder, state_directory, write_atomic
from plexguard.db_export.database.files import PlexData

_FOLDER = "swaps"
_SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """folder: Plex's data folder."""

    folder: str


def note_swap(data: PlexData) -> None:
    """Note that a swap is under way, on the disk."""
    path = _path_of(data)
    # Where plexguard is not installed, and its code was only carried, there is no boot of ours either.
    if not path.parent.parent.parent.is_dir():
        return
    text = json.dumps({"schema": _SCHEMA, **encode(Note(folder=str(data.folder)))}) + "\n"
    with suppress(IoFailed, NoPermission):
        write_atomic(make_folder(path.parent) / path.name, text.encode("ascii"), mode=PUBLISHED)


def forget_swap(data: PlexData) -> None:
    """Take the note away: no swap is under way."""
    with suppress(OSError):
        _path_of(data).unlink(missing_ok=True)


def list_noted(journal: Journal) -> tuple[PlexData, ...]:
    """Return the data folders that are noted. A note that makes no sense is set aside, with an event, and removed the next time.

    Raises NoPermission and IoFailed.
    """
    try:
        names = sorted(os.listdir(_folder()))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise IoFailed(f"Failed to list {_folder()}: {error.strerror}") from error
    for name in names:
        if not name.endswith(".json"):
            with suppress(OSError):
                (_folder() / name).unlink()
    notes = (StateFile(_folder() / name, Note, schema=_SCHEMA, journal=journal).load() for name in names if name.endswith(".json"))
    return tuple(PlexData(folder=Path(note.folder)) for note in notes if note is not None)


def _folder() -> Path:
    return state_directory("db-export") / _FOLDER


def _path_of(data: PlexData) -> Path:
    return _folder() / f"{hashlib.sha256(os.fsencode(data.folder)).hexdigest()[:16]}.json"
