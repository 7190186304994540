"""Write the new paths into a copy of a database. Whoever is cut off here leaves a copy that nobody uses."""

import contextlib
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.errors import IoFailed
from plexguard.db_export.database.files import PlexData
from plexguard.db_export.database.schema import quoted
from plexguard.db_export.database.sqlite import writing
from plexguard.db_export.remap.columns import FILE, Column, find_columns
from plexguard.db_export.remap.decide import Mover
from plexguard.db_export.remap.observe import moves
from plexguard.db_export.swap.generations import STAGING, undo_folder

_CACHE_KB = 64 * 1024


@contextlib.contextmanager
def work_folder(data: PlexData) -> Iterator[Path]:
    """Give a folder beside the generations, which is gone afterwards; of one who is killed the next run that writes removes it."""
    folder = undo_folder(data) / f"remap{STAGING}"
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise IoFailed(f"Failed to make {folder}: {error.strerror}") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """What was written: values by mapping (its old path), and by column."""

    mappings: Counter[str]
    columns: Counter[str]

    @property
    def values(self) -> int:
        return self.columns.total()


def rewrite_copy(copy: Path, mover: Mover) -> Rewritten:
    """Write the new paths into a database that nobody else uses, in one transaction.

    It has no journal and is not synced: after an error the copy is worth nothing. Raises DatabaseDamaged, DiskFull, IoFailed.
    """
    with writing(copy) as connection:
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_CACHE_KB}"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.execute("BEGIN EXCLUSIVE")
        rewritten = _rewrite(connection, mover)
        connection.execute("COMMIT")
        if mode == "wal":
            # As Plex left it. With EXCLUSIVE there would be a -wal without a -shm.
            connection.execute("PRAGMA locking_mode=NORMAL").fetchall()
            connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
            connection.execute("PRAGMA journal_mode=WAL").fetchall()
    return rewritten


def _rewrite(connection: sqlite3.Connection, mover: Mover) -> Rewritten:
    mappings: Counter[str] = Counter()
    columns: Counter[str] = Counter()
    # Made anew in the end, an index costs half of what it does when each of its entries moves.
    indexes = _drop_indexes(connection)
    for column in find_columns(connection).changeable:
        for batch in moves(connection, column, mover):
            connection.executemany(_update(column), ((_encode(new), row) for row, new, _ in batch))
            mappings.update(old for _, _, old in batch)
            columns[str(column)] += len(batch)
    for sql in indexes:
        connection.execute(sql)
    return Rewritten(mappings=mappings, columns=+columns)


def _drop_indexes(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Drop the indexes on the paths of files alone, and return how they are made."""
    found: list[str] = []
    for _, index, *_ in connection.execute(f"PRAGMA index_list({quoted(FILE.table)})").fetchall():
        names = [row[2] for row in connection.execute(f"PRAGMA index_info({quoted(index)})")]
        made = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?", (index,)).fetchone()
        if names == [FILE.name] and made is not None and made[0]:
            connection.execute(f"DROP INDEX {quoted(index)}")
            found.append(made[0])
    return tuple(found)


def _update(column: Column) -> str:
    return f"UPDATE {quoted(column.table)} SET {quoted(column.name)} = CAST(? AS TEXT) WHERE rowid = ?"  # noqa: S608


def _encode(path: str) -> bytes:
    """Return a path as the database keeps it: bytes that are called a text, also where they are no UTF-8."""
    return path.encode("utf-8", "surrogateescape")
