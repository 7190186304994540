"""What a Plex database holds: its tables, the objects that only Plex's own SQLite understands, its rows and its version.

Facts: the collation icu_root and the tokenizer collating exist in Plex's SQLite alone, which is why no statement that needs them
is ever made here.
"""

import re
import sqlite3
from dataclasses import dataclass

# Of what belongs to a virtual table: https://www.sqlite.org/fts3.html#shadow_tables, rtree.html, spellfix1.html.
_SHADOWS = {
    "fts4": ("content", "segments", "segdir", "docsize", "stat"),
    "fts3": ("content", "segments", "segdir"),
    "rtree": ("node", "parent", "rowid"),
    "spellfix1": ("vocab",),
}
_MODULE = re.compile(r"USING\s+(\w+)", re.IGNORECASE)
_ICU = re.compile(r"COLLATE\s+[\"'`\[]?icu_", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The names of all tables, each kind in order. shadow: where virtual ones keep what they hold, which any SQLite can read."""

    ordinary: tuple[str, ...]
    virtual: tuple[str, ...]
    shadow: tuple[str, ...]

    @property
    def stored(self) -> tuple[str, ...]:
        """Those that have pages of their own."""
        return tuple(sorted((*self.ordinary, *self.shadow)))


def list_tables(connection: sqlite3.Connection) -> Tables:
    """Return the tables of a database, sqlite_sequence and its kin among the ordinary ones."""
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
    virtual = {name: sql for name, sql in rows if (sql or "").upper().startswith("CREATE VIRTUAL TABLE")}
    names = {name for name, _ in rows} - virtual.keys()
    shadow = {f"{name}_{part}" for name, sql in virtual.items() for part in _SHADOWS.get(_module(sql), ())} & names
    return Tables(ordinary=tuple(sorted(names - shadow)), virtual=tuple(sorted(virtual)), shadow=tuple(sorted(shadow)))


def _module(sql: str) -> str:
    found = _MODULE.search(sql)
    return found[1].lower() if found is not None else ""


def plex_only_indexes(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return the indexes that are ordered by a collation of Plex's own."""
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall()
    return tuple(sorted(name for name, sql in rows if _ICU.search(sql)))


def schema_version(connection: sqlite3.Connection) -> str:
    """Return the newest migration, "" where there is none.

    Raises sqlite3.Error where the table cannot be read.
    """
    versions = [str(version) for (version,) in connection.execute("SELECT version FROM schema_migrations")]
    return max(versions, key=version_key, default="")


def version_key(version: str) -> tuple[bool, tuple[int, ...]]:
    """Return what schema versions are ordered by: the older ones are dates, those that came after them have a dot."""
    return "." in version, tuple(int(part) for part in re.findall(r"\d+", version))


def count_rows(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the rows of every table that has pages of its own, counted in the table: an index can count what is gone.

    Raises sqlite3.Error where one cannot be read: a failed count is no zero.
    """
    return {name: count_table(connection, name) for name in list_tables(connection).stored}


def count_table(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {quoted(name)} NOT INDEXED").fetchone()[0])


def count_sections(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many items each library has, by its number; counted in the table, as the rows are."""
    rows = connection.execute(
        "SELECT +library_section_id, count(*) FROM metadata_items NOT INDEXED WHERE library_section_id > 0 GROUP BY 1 ORDER BY 1"
    )
    return {str(section): int(number) for section, number in rows}


def quoted(name: str) -> str:
    """Return a name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'
