"""Copy a database that somebody writes to, or that lies at rest, also as a kill has left it. Nothing is made beside it."""

import contextlib
import errno
import shutil
import sqlite3
from pathlib import Path

from plexguard.core.errors import IoFailed
from plexguard.db_export.database.files import SIDES
from plexguard.db_export.database.sqlite import DiskFull, reading, writing

_JOURNAL = "-journal"
# Somebody opens it just now; then there is a -shm the next time.
_ATTEMPTS = 3
Mark = tuple[tuple[int, int, int], ...]


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
    if not _copy_left_open(source, target):
        _copy(source, target, immutable=False)


def mark_at_rest(database: Path) -> Mark | None:
    """Return what changes when somebody writes to a database that has nothing beside it; None for one that may be in use."""
    return _mark(database, beside=())


def _mark(database: Path, *, beside: tuple[str, ...]) -> Mark | None:
    """Return the marks of a database and of what lies beside it, None where that is anything else."""
    sides = tuple(side for side in (*SIDES, _JOURNAL) if Path(f"{database}{side}").exists())
    if sides != beside:
        return None
    try:
        seen = [Path(f"{database}{side}").stat() for side in ("", *beside)]
    except OSError:
        return None  # opening it says what is wrong
    return tuple((one.st_ino, one.st_size, one.st_mtime_ns) for one in seen)


def _copy_left_open(source: Path, target: Path) -> bool:
    """Copy a database that has a -wal and no -shm, as a kill or a copy of the files leaves it; tell whether it was one.

    Whoever opens it makes the -shm first: nobody has it open, and it stays so as long as none appears. SQLite could not read it
    without making one, so both files are copied as they are, and the copy takes up its -wal.
    """
    wal = Path(f"{target}-wal")
    for _ in range(_ATTEMPTS):
        before = _mark(source, beside=("-wal",))
        if before is None:
            return False
        with contextlib.ExitStack() as undo:
            for path in (target, wal, Path(f"{target}-shm")):
                undo.callback(path.unlink, missing_ok=True)
            _take(source, target)
            _take(Path(f"{source}-wal"), wal)
            if _mark(source, beside=("-wal",)) == before:
                with writing(target) as connection:
                    connection.execute("PRAGMA synchronous=OFF")
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                undo.pop_all()
                return True
    return False


def _take(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        # It is gone just now, which the marks tell.
        return
    except OSError as error:
        kind = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else IoFailed
        raise kind(f"Failed to copy {source}: {error.strerror}") from error


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
