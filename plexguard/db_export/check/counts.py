"""Rows as numbers: how many there are, whether that is fewer than before, and what they take. Reads a copy."""

import sqlite3
from collections.abc import Iterator, Mapping

from plexguard.core.spans import show_bytes
from plexguard.db_export.check.findings import Finding, Kind, note, warning
from plexguard.db_export.database.schema import quoted

# Libraries that are smaller lose as much by a single deletion.
_FEW = 20
# One row a minute and device is normal; Plex deletes them late or never, and holds its lock for many seconds when it does.
_MANY_STATISTICS = 2_000_000
_FREE_SHARE, _FREE_BYTES = 0.25, 64_000_000
_STATISTICS = ("statistics_bandwidth", "statistics_media", "statistics_resources")
# Tables of which Plex itself deletes rows as it goes.
_LIBRARY = ("metadata_items", "media_items", "media_parts", "library_sections", "section_locations", "metadata_item_settings")


def judge_rows(rows: Mapping[str, int], previous: Mapping[str, int], shrink_share: float) -> Iterator[Finding]:
    """Yield which libraries, and which of their tables, have lost more than a share of their rows. Pure."""
    for name, before in previous.items():
        now = rows.get(name, 0 if name.startswith("section ") else before)
        if not (name.startswith("section ") or name in _LIBRARY) or before < _FEW or now >= before * (1 - shrink_share):
            continue
        lost = f"{now} rows, {before} in the last archive: {100 * (before - now) / before:.0f} % fewer"
        yield warning(Kind.SHRUNK, f"library {name.removeprefix('section ')}: {lost}" if name not in _LIBRARY else lost, table=name)


def judge_size(rows: Mapping[str, int], *, pages: int, free_pages: int, page_bytes: int) -> Iterator[Finding]:
    """Yield what takes room for nothing. Pure."""
    for table in _STATISTICS:
        if rows.get(table, 0) > _MANY_STATISTICS:
            yield warning(Kind.BLOATED, f"{rows[table]} rows of statistics", table=table)
    if free_pages * page_bytes > _FREE_BYTES and free_pages > _FREE_SHARE * pages:
        yield note(Kind.BLOATED, f"{show_bytes(free_pages * page_bytes)} of {show_bytes(pages * page_bytes)} are free pages")


def find_low_sequences(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Yield the tables whose next row would take the number of an old one."""
    rows = connection.execute(
        "SELECT m.name, s.seq FROM sqlite_master AS m LEFT JOIN sqlite_sequence AS s ON s.name = m.name "
        "WHERE m.type = 'table' AND m.sql LIKE '%AUTOINCREMENT%'"
    ).fetchall()
    for name, seq in rows:
        (highest,) = connection.execute(f"SELECT max(rowid) FROM {quoted(name)}").fetchone()
        if highest is not None and (not isinstance(seq, int) or seq < highest):
            yield warning(Kind.SEQUENCE, f"sqlite_sequence is at {seq}, the table at {highest}", table=name)
