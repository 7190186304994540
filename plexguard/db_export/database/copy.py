"""Copy a database that somebody writes to."""

import contextlib
import sqlite3
from pathlib import Path

from plexguard.core.errors import NoPermission
from plexguard.db_export.database.sqlite import DatabaseBusy, reading

_TRIES = 3


def snapshot(source: Path, target: Path) -> None:
    """Copy a database as it is at one moment into a file that does not exist yet, by SQLite's online backup in one step.

    One step and not many: with a limited number of pages, each write of Plex's begins the copy anew. The source is only read
    meanwhile: who writes goes on in the -wal. The target has neither journal nor sync until it is whole: who needs it after a
    power cut syncs it. Raises DatabaseDamaged, NotADatabase, DatabaseBusy, DiskFull, IoFailed, NoPermission; then there is no
    target.
    """
    for _ in range(_TRIES):
        try:
            return _copy(source, target)
        except NoPermission:
            # Nobody has it open, so that it has no -shm, and who may not write in its folder can make none.
            if (before := _mark(source)) is None:
                raise
        _copy(source, target, immutable=True)
        if _mark(source) == before:
            return None
        # Somebody has opened it meanwhile: what was copied may be of two moments, and it can be read as a live one now.
        target.unlink()
    raise DatabaseBusy(f"{source}: is opened and closed again and again")


def _mark(path: Path) -> tuple[int, int, int] | None:
    """Return by what a database that nobody has open is known to be the same, None for one that has a -wal."""
    if Path(f"{path}-wal").exists():
        return None
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _copy(source: Path, target: Path, *, immutable: bool = False) -> None:
    with contextlib.ExitStack() as undo:
        undo.callback(target.unlink, missing_ok=True)
        with (
            reading(source, immutable=immutable) as here,
            contextlib.closing(sqlite3.connect(target, isolation_level=None)) as there,
        ):
            there.execute("PRAGMA journal_mode=OFF")
            there.execute("PRAGMA synchronous=OFF")
            here.backup(there, pages=-1)
        undo.pop_all()
