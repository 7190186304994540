"""Open a copy with another schema than it has, for one connection and in memory alone: nothing of it is ever written.

SQLite's check goes through what the schema names. What only Plex's own SQLite understands stops it, so that is renamed for the
check: an index by icu_root becomes one by bytes that holds no row. Its pages are then still checked, which they would not be if it
was dropped. A virtual table becomes a trigger, and the tables behind it stay: as long as it is a table or a view, which begin at no
page, SQLite can take it for the mark of a check of one table, and leaves out the free pages and what belongs to nobody.
"""

import contextlib
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from plexguard.db_export.check.catalog import Entry
from plexguard.db_export.database.schema import quoted

# Of each connection: it is what keeps two of them below the limit of memory, and more was no faster.
_CACHE_KIB = 24_000
_ICU = re.compile(r"COLLATE\s+[\"'`\[]?icu_\w+[\"'`\]]?", re.IGNORECASE)
# No word of SQL has an underscore or is that long.
_PLAIN = re.compile(r"(?:[A-Za-z]\w*_\w+|tags|blobs|devices|plugins|accounts|activities|directories|preferences)$")
_WHERE = re.compile(r"\bWHERE\b", re.IGNORECASE)
_ONE_COLUMN = re.compile(r"\(\s*[\"'`\[]?(\w+)[\"'`\]]?\s+COLLATE\s+[\"'`\[]?icu_\w+[\"'`\]]?\s*\)\s*$", re.IGNORECASE)


@contextlib.contextmanager
def opened(copy: Path, changes: Mapping[str, str]) -> Iterator[sqlite3.Connection]:
    """Open a copy, without locks: several may do so. changes: by name, the statement that an object has instead.

    A statement that is no longer than the one that it replaces needs no page, which a damaged list of free pages might not have.

    A schema that cannot be read whole is used as far as it can. Raises sqlite3.Error where not even that is possible.
    """
    address = f"file:{quote(str(copy), errors='surrogateescape')}?mode=rw&vfs=unix-none"
    with contextlib.closing(sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)) as connection:
        connection.text_factory = _decode
        # First of all: the others read the schema.
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        # What is changed in memory stays there: it is never so much that it must make room.
        connection.execute("PRAGMA cache_spill=OFF")
        connection.execute("PRAGMA journal_mode=MEMORY")
        connection.execute("BEGIN")
        changed = ((sql, name) for name, sql in changes.items())
        connection.executemany("UPDATE sqlite_master SET sql = ? WHERE name = ?", changed)
        _reload(connection)
        try:
            yield connection
        finally:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")


def _reload(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("PRAGMA writable_schema=RESET")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        # With the schema writable, SQLite leaves out what it does not understand.
        connection.execute("PRAGMA writable_schema=ON")


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def is_icu(entry: Entry) -> bool:
    return entry.type == "index" and _ICU.search(entry.sql) is not None


def is_maskable(entry: Entry) -> bool:
    """Tell whether an index can be made one without rows: not what a table makes by itself, nor what has a condition."""
    return entry.type == "index" and bool(entry.sql) and _WHERE.search(entry.sql) is None


def stand_ins(entries: Sequence[Entry]) -> dict[str, str]:
    """Return the changes with which any SQLite checks a Plex database."""
    hidden = hide(entries, [entry for entry in entries if entry.is_virtual or entry.type == "view"])
    return hidden | {entry.name: mask(entry) for entry in entries if is_icu(entry)}


def hide(entries: Sequence[Entry], unseen: Sequence[Entry]) -> dict[str, str]:
    """Return what takes objects out of the check: SQLite goes by the statement, and not by what the row says that it is."""
    if not unseen:
        return {}
    # A trigger needs a table that is read before it.
    before = entries[: min(entries.index(entry) for entry in unseen)]
    anchors = [entry.name for entry in before if entry.type == "table" and entry.has_pages and _PLAIN.match(entry.name)]
    if not anchors:
        return {entry.name: f"CREATE VIEW {_plain(entry.name)} AS SELECT 1" for entry in unseen}
    anchor = min(anchors, key=len)
    return {entry.name: f"CREATE TRIGGER x{n} DELETE ON {anchor} BEGIN SELECT 1;END" for n, entry in enumerate(unseen)}


def mask(entry: Entry) -> str:
    """Return an index in the same pages that holds no row: its tree is checked, and no row looked up in it."""
    return f"CREATE INDEX {_plain(entry.name)} ON {_plain(entry.table)}(1)WHERE 0"


def as_table(entry: Entry) -> tuple[str, str] | None:
    """Return the column of an index by one column, and the index as a table of that "key" and the "row"'s number: the pages of the
    two are alike, and a table can be read in the order in which it lies."""
    column = _ONE_COLUMN.search(entry.sql)
    if column is None:
        return None
    return column[1], f'CREATE TABLE {_plain(entry.name)}("key","row",PRIMARY KEY("key","row"))WITHOUT ROWID'


def _plain(name: str) -> str:
    return name if _PLAIN.match(name) else quoted(name)
