"""Where titles are kept a second time: the index in the order of Plex's own collation, and the documents of the search.

In which order that index must be, only Plex's own SQLite knows; that it holds each row once and with its title, any can tell.
"""

import sqlite3
from collections.abc import Iterator, Sequence

from plexguard.db_export.check.catalog import Entry
from plexguard.db_export.check.findings import Finding, Kind, damage, warning
from plexguard.db_export.database.schema import quoted

# The sums of the rows' numbers and of their squares tell which rows they are; by a prime, so that they stay whole numbers.
_PRIME = 1_000_003
_SUMS = f"count(*), sum(%s %% {_PRIME}), sum((%s %% {_PRIME}) * (%s %% {_PRIME}))"
# The documents, the table whose titles they are, their columns, and which of its rows have one.
_DOCUMENTS = (
    ("fts4_metadata_titles_icu", "metadata_items", ("title", "title_sort", "original_title"), "1"),
    ("fts4_tag_titles_icu", "tags", ("tag",), "p.tag_type IN (0, 1, 2, 4, 6, 207, 400)"),
)


def check_order_index(index: str, table: str, column: str, connection: sqlite3.Connection) -> tuple[Finding, ...]:
    """Return what is wrong with an index that is opened as a table of "key" and "row"."""
    name, parent = quoted(index), quoted(table)
    wrong, *held = connection.execute(
        f"SELECT count(CASE WHEN p.rowid IS NULL OR p.{quoted(column)} COLLATE BINARY IS NOT i.key THEN 1 END), "
        + _SUMS.replace("%s", "i.row").replace("%%", "%")
        + f" FROM {name} AS i LEFT JOIN {parent} AS p ON p.rowid = i.row"
    ).fetchone()
    there = connection.execute(f"SELECT {_SUMS.replace('%s', 'rowid').replace('%%', '%')} FROM {parent} NOT INDEXED").fetchone()
    if wrong:
        return (damage(Kind.INDEX, f"{index}: {wrong} of its {held[0]} entries are not those of their rows", table=table),)
    if tuple(held) != tuple(there):
        return (damage(Kind.INDEX, f"{index}: it has {held[0]} entries, the table {there[0]} rows, or not the same", table=table),)
    return ()


def find_drift(entries: Sequence[Entry], connection: sqlite3.Connection) -> Iterator[Finding]:
    """Yield where the documents of the search, kept by Plex's triggers, are not the titles of the library."""
    names = {entry.name for entry in entries}
    kept = "".join(entry.sql for entry in entries if entry.type == "trigger")
    for index, table, columns, holds in _DOCUMENTS:
        content = f"{index}_content"
        if content not in names or table not in names or f"INTO {index}(" not in kept:
            continue
        differs = " OR ".join(f"c.c{n}{name} IS NOT p.{name} COLLATE BINARY" for n, name in enumerate(columns))
        (wrong,) = connection.execute(
            f"SELECT count(*) FROM {quoted(content)} AS c LEFT JOIN {table} AS p ON p.id = c.docid WHERE p.id IS NULL OR {differs}"
        ).fetchone()
        (absent,) = connection.execute(
            f"SELECT count(*) FROM {table} AS p WHERE {holds} "
            f"AND NOT EXISTS (SELECT 1 FROM {quoted(content)} AS c WHERE c.docid = p.id)"
        ).fetchone()
        if wrong or absent:
            detail = f"the search has {wrong} titles that are not the library's, and lacks {absent}"
            yield warning(Kind.FULL_TEXT, detail, table=index)
