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
from plexguard.db_export.remap.columns import FILE, Column, Kind, find_columns
from plexguard.db_export.remap.decide import Mover
from plexguard.db_export.swap.generations import STAGING, undo_folder

# More makes nothing faster: each table is gone through once, in the order in which it lies in the file.
_CACHE_KB = 16 * 1024


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
        columns[str(column)] += _rewrite_column(connection, column, mover, mappings)
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


def _rewrite_column(connection: sqlite3.Connection, column: Column, mover: Mover, mappings: Counter[str]) -> int:
    """Write what a mapping moves, in one statement, and return how many values. mappings: has them added, by their old path.

    Paths come and go as bytes that are called a text: some are no UTF-8. That one statement asks back for each value costs half of
    reading the values and writing them row by row.
    """
    move = mover.move if column.kind is Kind.PATH else mover.move_url
    # What was asked last: the statement asks twice for each value, whether it is moved and where to.
    asked: bytes | None = None
    answer: tuple[bytes, str] | None = None

    def ask(value: bytes | None) -> tuple[bytes, str] | None:
        nonlocal asked, answer
        if value != asked:
            moved = None if value is None else move(value.decode("utf-8", "surrogateescape"))
            asked, answer = value, None if moved is None else (moved[0].encode("utf-8", "surrogateescape"), moved[1])
        return answer

    def is_moved(value: bytes | None) -> bool:
        found = ask(value)
        if found is not None:
            mappings[found[1]] += 1
        return found is not None

    def new_of(value: bytes | None) -> bytes | None:
        found = ask(value)
        return found and found[0]

    connection.create_function("plexguard_is_moved", 1, is_moved)
    connection.create_function("plexguard_new", 1, new_of)
    return connection.execute(_update(column)).rowcount


def _update(column: Column) -> str:
    table, name = quoted(column.table), quoted(column.name)
    return (
        f"UPDATE {table} NOT INDEXED SET {name} = CAST(plexguard_new(CAST({name} AS BLOB)) AS TEXT) "
        f"WHERE {column.filter} AND plexguard_is_moved(CAST({name} AS BLOB))"
    )
