"""Copy a database that somebody writes to."""

import contextlib
import sqlite3
from pathlib import Path

from plexguard.db_export.database.sqlite import reading


def snapshot(source: Path, target: Path) -> None:
    """Copy a database as it is at one moment into a file that does not exist yet, by SQLite's online backup in one step.

    One step and not many: with a limited number of pages, each write of Plex's begins the copy anew. The source is only read
    meanwhile: who writes goes on in the -wal. The target has neither journal nor sync until it is whole: who needs it after a
    power cut syncs it. Raises DatabaseDamaged, NotADatabase, DatabaseBusy, DiskFull, IoFailed; then there is no target.
    """
    with contextlib.ExitStack() as undo:
        undo.callback(target.unlink, missing_ok=True)
        with reading(source) as here, contextlib.closing(sqlite3.connect(target, isolation_level=None)) as there:
            there.execute("PRAGMA journal_mode=OFF")
            there.execute("PRAGMA synchronous=OFF")
            here.backup(there, pages=-1)
        undo.pop_all()
