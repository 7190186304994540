"""Write a new database from an old one: tables row by row, indexes made anew, what no page holds as it stood in the schema.

What is sound is copied by SQLite itself. Damaged tables are read page by page. Indexes in an order that only Plex's own SQLite
knows are left out: with another order they would be wrong, and Plex's searches with them.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, groupby, islice
from pathlib import Path
from urllib.parse import quote

from plexguard.core.errors import DataError
from plexguard.db_export.database.schema import quoted
from plexguard.db_export.database.sqlite import DatabaseDamaged, translate
from plexguard.db_export.repair.pages import Header
from plexguard.db_export.repair.records import RawText, Value
from plexguard.db_export.repair.salvage import Row, Salvage, salvaging
from plexguard.db_export.repair.shape import SEQUENCE, Made, Schema, Table
from plexguard.db_export.repair.survey import Survey, read_sequences

_ENCODINGS = {1: "UTF-8", 2: "UTF-16le", 3: "UTF-16be"}
_CHUNK = 1_000
# Sorting an index takes as much once more.
_CACHE_KIB = 16_000


@dataclass(slots=True)
class Reloaded:
    """read_by_page: tables that SQLite could not read. doubled: rows that had to go because a unique index takes only one of
    them, by table. left_out: statements of the indexes that only Plex's own SQLite can make."""

    read_by_page: list[str] = field(default_factory=list)
    doubled: dict[str, int] = field(default_factory=dict)
    left_out: list[Made] = field(default_factory=list)


@contextlib.contextmanager
def new_database(target: Path, header: Header) -> Iterator[sqlite3.Connection]:
    """Make an empty database that is like another. Who is stopped half way throws it away."""
    connection = sqlite3.connect(f"file:{quote(str(target), errors='surrogateescape')}", uri=True, isolation_level=None)
    try:
        with contextlib.closing(connection):
            connection.execute(f"PRAGMA page_size={header.page_size}")
            connection.execute(f"PRAGMA encoding='{_ENCODINGS[header.encoding]}'")
            for pragma in ("journal_mode=MEMORY", "synchronous=OFF", f"cache_size=-{_CACHE_KIB}", "temp_store=FILE"):
                connection.execute(f"PRAGMA {pragma}")
            # Sorting an index may need as much room as the index: where the room was counted, and not in /var/tmp.
            connection.execute(f"PRAGMA temp_store_directory={quoted(str(target.parent))}")
            try:
                yield connection
            finally:
                connection.execute("PRAGMA temp_store_directory=''")
    except sqlite3.Error as error:
        raise translate(error, target) from error


More = Callable[[Mapping[str, Table]], Iterable[tuple[Table, Row]]]


def reload(
    source: Path,
    target: Path,
    *,
    found: Survey,
    is_readable: bool = True,
    by_page: frozenset[str] = frozenset(),
    more: More = lambda _: (),
) -> Reloaded:
    """Write the new database. found: what was seen of the old one. is_readable: SQLite opens it; else every table is read page by
    page, as those of by_page are. more: rows of such tables that somebody else has found; taken is what the indexes know.

    Raises what translate() makes of SQLite's errors, and DataError where nothing is left to read."""
    if not found.seen:
        raise DataError(f"{source}: nothing is left of its schema")
    done = Reloaded()
    for name in by_page & found.seen.keys():
        found.seen[name].is_damaged = found.seen[name].is_doubted = True
    scratch = target.with_name(f"{target.name}.witnesses")
    with salvaging(source, found, scratch=scratch) as salvage:
        header = salvage.pages.header
        with new_database(target, header) as connection:
            _make_tables(connection, found.schema)
            _copy_all(connection, salvage, source if is_readable else None, done, more)
            _make_indexes(connection, found.schema, done)
            _enter_the_rest(connection, found.schema)
            _set_sequences(connection, salvage)
            _be_like(connection, header)
    return done


def _make_tables(connection: sqlite3.Connection, schema: Schema) -> None:
    # The names of SQLite's own tables are taken only so.
    connection.execute("PRAGMA writable_schema=ON")
    for table in schema.tables:
        if table.name != SEQUENCE:
            connection.execute(table.sql)


def _copy_all(connection: sqlite3.Connection, salvage: Salvage, source: Path | None, done: Reloaded, more: More) -> None:
    seen = [one for one in salvage.found.seen.values() if one.table.name != SEQUENCE]
    if source is not None:
        address = f"file:{quote(str(source), errors='surrogateescape')}?mode=ro&immutable=1"
        connection.execute("ATTACH ? AS old", (address,))
    connection.execute("BEGIN")
    by_page = [one for one in seen if source is None or one.is_damaged or not _copy(connection, one.table)]
    for one in by_page:
        done.read_by_page.append(one.table.name)
        _insert(connection, one.table, salvage.placed(one.table))
    wanted = {one.table.name: one.table for one in by_page}
    further = chain(salvage.displaced(by_page), salvage.confirmed(more(wanted)) if wanted else ())
    for table, rows in groupby(further, key=lambda found: found[0]):
        _insert(connection, table, (row for _, row in rows))
    connection.execute("COMMIT")
    if source is not None:
        connection.execute("DETACH old")


def _copy(connection: sqlite3.Connection, table: Table) -> bool:
    """Copy a table as it is; tell whether SQLite could read all of it."""
    columns = _columns(table, len(table.columns))
    name = quoted(table.name)
    connection.execute("SAVEPOINT copying")
    try:
        connection.execute(f"INSERT INTO main.{name} ({columns}) SELECT {columns} FROM old.{name} NOT INDEXED")
    except (sqlite3.DatabaseError, DatabaseDamaged) as error:
        if _is_of_the_disk(error):
            raise
        connection.execute("ROLLBACK TO copying")
        return False
    finally:
        connection.execute("RELEASE copying")
    return True


def _is_of_the_disk(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM)


def _columns(table: Table, count: int) -> str:
    own = () if table.has_rowid_column else ("rowid",)
    return ", ".join((*own, *(quoted(column.name) for column in table.columns[:count])))


def _insert(connection: sqlite3.Connection, table: Table, rows: Iterator[Row]) -> None:
    """Enter rows; of several of one number the first stays."""
    while chunk := list(islice(rows, _CHUNK)):
        for shape, alike in groupby(chunk, key=lambda row: tuple(isinstance(value, RawText) for value in row[1])):
            marks = ", ".join(("CAST(? AS TEXT)" if is_raw else "?") for is_raw in shape)
            own = "" if table.has_rowid_column else "?, "
            connection.executemany(
                f"INSERT OR IGNORE INTO main.{quoted(table.name)} ({_columns(table, len(shape))}) VALUES ({own}{marks})",
                (_bound(table, row) for row in alike),
            )


def _bound(table: Table, row: Row) -> tuple[Value, ...]:
    rowid, values = row
    plain = tuple(value.data if isinstance(value, RawText) else value for value in values)
    if not table.has_rowid_column:
        return (rowid, *plain)
    return tuple(rowid if column.is_rowid else value for column, value in zip(table.columns, plain, strict=False))


def _make_indexes(connection: sqlite3.Connection, schema: Schema, done: Reloaded) -> None:
    tables = {table.name: table for table in schema.tables}
    for made in schema.made:
        if made.kind != "index" or not made.sql or made.table not in tables or made.name in schema.unclear:
            continue
        if made.is_plex_only:
            done.left_out.append(made)
            continue
        try:
            connection.execute(made.sql)
        except sqlite3.IntegrityError:
            done.doubled[made.table] = done.doubled.get(made.table, 0) + _remove_doubles(connection, tables[made.table], made.name)
            connection.execute(made.sql)


def _remove_doubles(connection: sqlite3.Connection, table: Table, index: str) -> int:
    """Remove all rows but the first of those that a unique index takes only one of; return how many."""
    places = next(one.columns for one in table.indexes if one.name == index)
    columns = [quoted(table.columns[place].name) for place in places]
    are_set = " AND ".join(f"{column} IS NOT NULL" for column in columns)
    name = quoted(table.name)
    return connection.execute(
        f"DELETE FROM {name} WHERE {are_set} AND rowid NOT IN (SELECT min(rowid) FROM {name} GROUP BY {', '.join(columns)})"
    ).rowcount


def _enter_the_rest(connection: sqlite3.Connection, schema: Schema) -> None:
    """Enter virtual tables, triggers and views as they stood in the schema: no statement would make them without Plex's SQLite."""
    tables = {table.name for table in schema.tables}
    hanging = [one for one in schema.made if one.kind == "view" or (one.kind == "trigger" and one.table in tables)]
    entered = [one for one in schema.made if (one.is_virtual or one in hanging) and one.name not in schema.unclear]
    connection.execute("PRAGMA writable_schema=ON")
    connection.executemany(
        "INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) VALUES (?, ?, ?, 0, ?)",
        [(one.kind, one.name, one.table, one.sql) for one in entered],
    )
    connection.execute("PRAGMA writable_schema=RESET")


def _set_sequences(connection: sqlite3.Connection, salvage: Salvage) -> None:
    """Let no number be given out twice that had been given out before, also where its row is gone."""
    # Copying a table that is empty enters it, too.
    connection.execute("DELETE FROM sqlite_sequence WHERE seq = 0")
    for name, number in read_sequences(salvage.pages, salvage.found.seen).items():
        if name in salvage.found.seen:
            connection.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (number, name))
            connection.execute(
                "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, ?2 WHERE ?1 NOT IN (SELECT name FROM sqlite_sequence)",
                (name, number),
            )


def _be_like(connection: sqlite3.Connection, header: Header) -> None:
    connection.execute(f"PRAGMA user_version={header.user_version}")
    connection.execute(f"PRAGMA application_id={header.application_id}")
    if header.is_wal:
        connection.execute("PRAGMA journal_mode=WAL")
