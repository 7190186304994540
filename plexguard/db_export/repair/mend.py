"""Mend in a copy what needs no new file: indexes, sequences, and the full-text tables as far as they can be."""

import re
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.errors import DataError
from plexguard.core.host import CommandError, Host
from plexguard.db_export.database.schema import plex_only_indexes, quoted
from plexguard.db_export.database.sqlite import writing
from plexguard.db_export.repair.shape import Made

PLEX_SQLITE = Path("/usr/lib/plexmediaserver/Plex SQLite")
# Half a million titles take it some seconds.
_TIMEOUT_S = 1800.0
_FULL_TEXT = re.compile(r"\bUSING\s+fts[34]\b", re.IGNORECASE)
_TOKENIZER = re.compile(r"\btokenize\s*=\s*[\"']?(\w+)", re.IGNORECASE)
# Those that every SQLite has: https://www.sqlite.org/fts3.html#tokenizer
_COMMON = ("simple", "porter", "unicode61")
# Where a full-text table keeps what it has made of the texts; the texts themselves are in _content, or in the table it is about.
_MADE_OF_TEXTS = ("segments", "segdir", "docsize", "stat")


# Which rows they hold the texts of: those of the triggers that keep them so.
_TEXTS = {
    "fts4_metadata_titles": ("metadata_items", ("title", "title_sort", "original_title"), ""),
    "fts4_tag_titles": ("tags", ("tag",), "tag_type IN (0, 1, 2, 4, 6, 207, 400) AND "),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlexSqlite:
    """Plex's own SQLite, where this machine has it."""

    host: Host
    command: Path = PLEX_SQLITE

    def run(self, database: Path, sql: str) -> bool:
        """Run a statement; tell whether it was done."""
        if not self.command.exists():
            return False
        try:
            done = self.host.run([str(self.command), "-bail", str(database), sql], timeout_s=_TIMEOUT_S)
        except CommandError:
            return False
        # Some of its errors go to stdout with code 0.
        return not (done.stdout + done.stderr).strip()


def reindex(copy: Path) -> None:
    """Make every index anew but those that only Plex's SQLite can order, and bring the sequences up to their tables.

    Raises DataError where rows are twice in a unique index."""
    with writing(copy) as connection:
        left = set(plex_only_indexes(connection))
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")]
        connection.execute("BEGIN IMMEDIATE")
        try:
            for name in names:
                if name not in left:
                    connection.execute(f"REINDEX {quoted(name)}")
        except sqlite3.IntegrityError as error:
            raise DataError(str(error)) from error
        raise_sequences(connection)
        connection.execute("COMMIT")


def raise_sequences(connection: sqlite3.Connection) -> None:
    """See that no table gives a number out again that one of its rows has."""
    counting = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'"
    for (name,) in connection.execute(counting).fetchall():
        last = connection.execute(f"SELECT max(rowid) FROM {quoted(name)}").fetchone()[0]
        if last is not None:
            connection.execute("UPDATE sqlite_sequence SET seq = ?1 WHERE name = ?2 AND seq < ?1", (last, name))
            connection.execute(
                "INSERT INTO sqlite_sequence (name, seq) SELECT ?2, ?1 WHERE ?2 NOT IN (SELECT name FROM sqlite_sequence)",
                (last, name),
            )


def drop_indexes(copy: Path, names: tuple[str, ...]) -> None:
    with writing(copy) as connection:
        for name in names:
            connection.execute(f"DROP INDEX {quoted(name)}")


def make_plex_indexes(copy: Path, left_out: list[Made], plex: PlexSqlite) -> tuple[str, ...]:
    """Have Plex's SQLite make the indexes that no other can; return what is left to do where it could not."""
    return tuple(_to_do(made.sql) for made in left_out if not plex.run(copy, made.sql))


def rebuild_full_text(copy: Path, damaged: Collection[str], plex: PlexSqlite) -> tuple[str, ...]:
    """Make what full-text tables hold anew from their texts; return what is left to do. damaged: them, or tables that are theirs.

    One whose words only Plex's SQLite can tell apart is emptied where that is missing: then searching finds nothing by it, until it
    is rebuilt, but nothing fails on it either.
    """
    left = []
    for name, is_common in _full_text_tables(copy):
        if not {name, *(f"{name}_{part}" for part in (*_MADE_OF_TEXTS, "content"))} & set(damaged):
            continue
        if f"{name}_content" in damaged:
            refill_texts(copy, name)
        statement = f"INSERT INTO {quoted(name)} ({quoted(name)}) VALUES ('rebuild');"
        if is_common:
            with writing(copy) as connection:
                connection.execute(statement)
        elif not plex.run(copy, statement):
            _empty(copy, name)
            left.append(_to_do(statement))
    return tuple(left)


def refill_texts(copy: Path, name: str) -> None:
    """Enter the texts of rows that a full-text table's own copy of them has lost."""
    table, columns, which = _TEXTS.get(name.removesuffix("_icu"), ("", (), ""))
    content = f"{name}_content"
    with writing(copy) as connection:
        there = {column for _, column, *_ in connection.execute(f"PRAGMA table_info({quoted(content)})")}
        own = [f"c{place}{column}" for place, column in enumerate(columns)]
        if not table or not {"docid", *own} <= there:
            # It keeps no copy, or is none that is known.
            return
        connection.execute(
            f"INSERT INTO {quoted(content)} (docid, {', '.join(map(quoted, own))}) "
            f"SELECT id, {', '.join(columns)} FROM {table} WHERE {which}id NOT IN (SELECT docid FROM {quoted(content)})"
        )


def _full_text_tables(copy: Path) -> tuple[tuple[str, bool], ...]:
    with writing(copy) as connection:
        rows = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL%'"
        ).fetchall()
    found = [(name, _TOKENIZER.search(sql)) for name, sql in rows if _FULL_TEXT.search(sql)]
    return tuple((name, tokenizer is None or tokenizer[1].lower() in _COMMON) for name, tokenizer in found)


def _empty(copy: Path, name: str) -> None:
    with writing(copy) as connection:
        there = {table for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        connection.execute("BEGIN IMMEDIATE")
        for part in _MADE_OF_TEXTS:
            if f"{name}_{part}" in there:
                connection.execute(f"DELETE FROM {quoted(f'{name}_{part}')}")
        connection.execute("COMMIT")


def _to_do(sql: str) -> str:
    return sql.rstrip(";") + ";"
