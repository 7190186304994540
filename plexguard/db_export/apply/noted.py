"""Which Plex is stopped for an archive, or runs on one and is not known to be well yet: noted where a boot finds it.

Who applies holds a lock meanwhile. A note whose lock is free is of one that was cut off.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.errors import IoFailed, NoPermission
from plexguard.core.found import Server
from plexguard.core.journal import Journal
from plexguard.core.state import StateFile, exclusive_lock, make_folder, state_directory
from plexguard.db_export.apply.server import Runner
from plexguard.db_export.database.files import PlexData
from plexguard.db_export.swap.generations import undo_folder

_FOLDER = "applies"
_SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """folder: Plex's data folder. kind, name: what runs it, "unit" or "container". generation: which holds what was there before,
    by the number of `undo`; 0 while nothing is replaced."""

    folder: str
    kind: str
    name: str
    generation: int = 0

    @property
    def data(self) -> PlexData:
        return PlexData(folder=Path(self.folder))

    @property
    def runner(self) -> Runner:
        return Runner(kind=Server(self.kind), name=self.name)


@contextlib.contextmanager
def hold(data: PlexData, journal: Journal) -> Iterator[StateFile[Note]]:
    """Yield the file of the note of a data folder, which nobody else writes meanwhile. Raises LockHeld (another one is at work),
    NoPermission, IoFailed."""
    path = _path_of(data)
    make_folder(path.parent)
    with exclusive_lock(path.with_suffix(".lock")):
        yield StateFile(path, Note, schema=_SCHEMA, journal=journal)


def forget(file: StateFile[Note]) -> None:
    with contextlib.suppress(OSError):
        file.path.unlink(missing_ok=True)


def list_noted(journal: Journal) -> tuple[Note, ...]:
    """Return what is noted. Raises NoPermission and IoFailed."""
    folder = _folder()
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
    except FileNotFoundError:
        return ()
    except PermissionError as error:
        raise NoPermission(f"Failed to list {folder}: {error.strerror}", hint="run it as root") from error
    except OSError as error:
        raise IoFailed(f"Failed to list {folder}: {error.strerror}") from error
    notes = (StateFile(folder / name, Note, schema=_SCHEMA, journal=journal).load() for name in names)
    return tuple(note for note in notes if note is not None)


def _folder() -> Path:
    return state_directory("db-export") / _FOLDER


def _path_of(data: PlexData) -> Path:
    folder = _folder()
    if not folder.parent.parent.is_dir():
        # Where plexguard is not installed, and its code was only carried, there is no boot of ours either.
        return undo_folder(data) / "apply.json"
    return folder / f"{hashlib.sha256(os.fsencode(data.folder)).hexdigest()[:16]}.json"
