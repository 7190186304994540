"""What each library holds, counted in a database that may be live: fast, and in nobody's way.

Counted are leaves: films, episodes, tracks and photos. What takes a pass over the table is done in threads, a range of rows each:
SQLite works without the interpreter's lock. A database that cannot be read raises, and never counts as empty.
"""

import os
import sqlite3
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from plexguard.db_export.database.look import look

# More of them gain nothing.
_MOST_THREADS = 8
# Answered from indexes alone. A plus keeps SQLite from going through the table in the order of the group.
_ALL = "SELECT library_section_id, metadata_type, COUNT(*) FROM metadata_items GROUP BY library_section_id, metadata_type"
_TRASHED = """
    SELECT library_section_id, metadata_type, COUNT(*) FROM metadata_items WHERE deleted_at > 0
    GROUP BY +library_section_id, +metadata_type
"""
_WITH_PICTURE = """
    SELECT library_section_id, metadata_type, COUNT(*) FROM metadata_items
    WHERE metadata_type IN (1, 4, 13) AND user_thumb_url <> '' AND deleted_at IS NULL
    GROUP BY +library_section_id, +metadata_type
"""
# Of tracks that sonic analysis is done with: in JSON, and as older servers write it (ms%3AmusicAnalysisVersion=1). No index has it.
_WITH_SONIC = """
    SELECT library_section_id, metadata_type, COUNT(*) FROM metadata_items NOT INDEXED
    WHERE id >= ? AND id < ? AND metadata_type = 10 AND instr(extra_data, 'musicAnalysisVersion') > 0 AND deleted_at IS NULL
    GROUP BY library_section_id, metadata_type
"""
_FILES = """
    SELECT media_parts.file FROM media_items JOIN media_parts ON media_parts.media_item_id = media_items.id
    WHERE media_items.library_section_id = ? AND media_items.deleted_at IS NULL AND media_parts.deleted_at IS NULL
        AND media_parts.file <> ''
    ORDER BY media_parts.file
"""
# What is read of a large table is not copied first: a third of the time. Whoever reads keeps others from cutting the file short.
_MAPPED_BYTES = 1 << 40
Counts = Counter[tuple[int, int]]


class Kind(Enum):
    """What a library holds. The value: of library_sections.section_type, and of its leaves in metadata_items.metadata_type."""

    MOVIE = 1, 1
    SHOW = 2, 4
    ARTIST = 8, 10
    PHOTO = 13, 13

    @property
    def leaf(self) -> int:
        return self.value[1]


_KINDS = {kind.value[0]: kind for kind in Kind}


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryCount:
    """kind: None for one that Plex has and we don't know. items: that are there; trashed: that are marked as deleted; analysed: of
    items."""

    section: int
    title: str
    kind: Kind | None
    items: int = 0
    trashed: int = 0
    analysed: int = 0


def count_libraries(path: Path, *, threads: int = 0) -> tuple[LibraryCount, ...]:
    """Return what each library of a database holds, by their numbers. threads: 0 for as many as there are processors.

    Raises what look() raises.
    """
    sections, last = look(path, _read_sections)
    step = last // (threads or min(os.cpu_count() or 1, _MOST_THREADS)) + 1
    ranges = [(first, first + step) for first in range(0, last + 1, step)]
    with ThreadPoolExecutor(len(ranges) + 1) as pool:
        sonic = [pool.submit(_count, path, _WITH_SONIC, some) for some in ranges]
        every, trashed, pictured = (_count(path, query) for query in (_ALL, _TRASHED, _WITH_PICTURE))
        analysed = sum((one.result() for one in sonic), start=pictured)
    found = []
    for section, title, number in sections:
        kind = _KINDS.get(number)
        key = section, kind.leaf if kind is not None else 0
        items = every[key] - trashed[key]
        found.append(
            LibraryCount(section=section, title=title, kind=kind, items=items, trashed=trashed[key], analysed=analysed[key])
        )
    return tuple(found)


def list_files(path: Path, section: int) -> tuple[str, ...]:
    """Return the files that a library has, in the order of their paths, without those in the trash. Raises what look() raises."""

    def read(connection: sqlite3.Connection) -> tuple[str, ...]:
        return tuple(file for (file,) in connection.execute(_FILES, (section,)))

    return look(path, read)


def _read_sections(connection: sqlite3.Connection) -> tuple[list[tuple[int, str, int]], int]:
    sections = connection.execute("SELECT id, name, section_type FROM library_sections ORDER BY id").fetchall()
    (last,) = connection.execute("SELECT COALESCE(MAX(id), 0) FROM metadata_items").fetchone()
    return [(section, title or f"library {section}", kind) for section, title, kind in sections], last


def _count(path: Path, query: str, parameters: Sequence[int] = ()) -> Counts:
    def read(connection: sqlite3.Connection) -> Counts:
        connection.execute(f"PRAGMA mmap_size={_MAPPED_BYTES}")
        return Counter({(section or 0, kind or 0): count for section, kind, count in connection.execute(query, parameters)})

    return look(path, read)
