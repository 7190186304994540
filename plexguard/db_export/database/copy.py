"""Copy a database that somebody writes to."""

import contextlib
import sqlite3
from pathlib import Path

from plexguard.db_export.database.files import SIDES
from plexguard.db_export.database.sqlite import reading


def snapshot(source: Path, target: Path) -> None:
    """Copy a database as it is at one moment into a file that does not exist yet, by SQLite's online backup in one step.

    One step and not many: with a limited number of pages, each write of Plex's begins the copy anew. The source is only read
    meanwhile: who writes goes on in the -wal. The target has neither journal nor sync until it is whole: who needs it after a
    power cut syncs it. Raises DatabaseDamaged, NotADatabase, DatabaseBusy, DiskFull, IoFailed; then there is no target.
    """
    # One that nobody uses is read as it lies there: to open it in any other way makes a -wal and a -shm beside it, for which a
    # sandbox has no right, and which stay.
    before = mark_at_rest(source)
    if before is not None:
        _copy(source, target, immutable=True)
        if mark_at_rest(source) == before:
            return
        target.unlink()
    _copy(source, target, immutable=False)


def mark_at_rest(database: Path) -> tuple[int, int, int] | None:
    """Return what changes when somebody writes to a database that has nothing beside it; None for one that may be in use."""
    if any(Path(f"{database}{side}").exists() for side in (*SIDES, "-journal")):
        return None
    try:
        seen = database.stat()
    except OSError:
        return None  # opening it says what is wrong
    return seen.st_ino, seen.st_size, seen.st_mtime_ns


def _copy(source: Path, target: Path, *, immutable: bool) -> None:
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
