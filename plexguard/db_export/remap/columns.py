"""Where Plex's database holds paths of files. Facts, and a look whether they can be changed; no value is read here.

Paths below a library's folder are relative in `directories`, and stay as they are; an absolute one there is moved like the others.

The blobs database has the same schema, and rows in `blobs` alone. These belong to rows of the library by number, some by guid,
which is an address where Plex has not recognised the file; their payloads (fingerprints, timelines, subtitles) hold no paths. A
remap leaves that database as it is and tells how many guids it has: Plex makes what belongs to them anew.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from plexguard.db_export.database.schema import list_tables, quoted


class Kind(Enum):
    """How a path is written. The values are where texts of that kind begin and end, in the order of their bytes."""

    PATH = ("/", "0")
    # An address, file:///srv/media/Some%20Film.srt.
    URL = ("file:///", "file://0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    table: str
    name: str
    kind: Kind
    # By this the rows of several tables find each other: all of them are changed, or none.
    is_guid: bool = False

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"

    @property
    def filter(self) -> str:
        """The condition for values of its kind. Comparisons, and no function: they are asked of every row."""
        first, last = self.kind.value
        name = quoted(self.name)
        return f"({name} COLLATE BINARY >= '{first}' AND {name} COLLATE BINARY < '{last}')"


def _urls(table: str, *names: str) -> tuple[Column, ...]:
    return tuple(Column(table=table, name=name, kind=Kind.URL) for name in names)


FILE = Column(table="media_parts", name="file", kind=Kind.PATH)
ROOT = Column(table="section_locations", name="root_path", kind=Kind.PATH)
LINKED = Column(table="blobs", name="linked_guid", kind=Kind.URL, is_guid=True)
_COLUMNS = (
    ROOT,
    FILE,
    Column(table="directories", name="path", kind=Kind.PATH),
    # Subtitles that lie beside their films.
    *_urls("media_streams", "url"),
    *_urls("library_sections", "user_thumb_url", "user_art_url", "user_theme_music_url"),
    *_urls("metadata_items", "user_thumb_url", "user_art_url", "user_banner_url", "user_music_url"),
    *_urls("tags", "user_thumb_url", "user_art_url", "user_music_url"),
    # What Plex has not recognised is known by its path, and so is what people did with it.
    Column(table="metadata_items", name="guid", kind=Kind.URL, is_guid=True),
    Column(table="metadata_item_settings", name="guid", kind=Kind.URL, is_guid=True),
    Column(table="metadata_item_views", name="guid", kind=Kind.URL, is_guid=True),
    Column(table="metadata_item_views", name="grandparent_guid", kind=Kind.URL, is_guid=True),
    LINKED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The columns of one database. changeable: those that any SQLite can write. closed: those that only Plex's own can, since
    triggers fire into full-text tables. unknown: all other columns that hold texts, of which nothing is known."""

    changeable: tuple[Column, ...]
    closed: tuple[Column, ...]
    unknown: tuple[Column, ...]


def find_columns(connection: sqlite3.Connection) -> Found:
    """Sort the columns of a database, of whatever age. Raises sqlite3.Error where its schema cannot be read."""
    there = {(table, name) for table, name in _list_texts(connection)}
    known = [column for column in _COLUMNS if (column.table, column.name) in there]
    closed = {column for column in known if not _can_update(connection, column)}
    if any(column.is_guid for column in closed):
        closed |= {column for column in known if column.is_guid}
    named = {(column.table, column.name) for column in known}
    unknown = [Column(table=table, name=name, kind=kind) for table, name in sorted(there - named) for kind in Kind]
    # A path where an address is expected, and the other way round, is no less of a leftover.
    unknown += [Column(table=c.table, name=c.name, kind=kind) for c in known for kind in Kind if kind is not c.kind]
    return Found(
        changeable=tuple(c for c in known if c not in closed),
        closed=tuple(c for c in known if c in closed),
        unknown=tuple(unknown),
    )


def _list_texts(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Yield the columns that may hold a text: by their types numbers do not (https://www.sqlite.org/datatype3.html, 3.1)."""
    for table in list_tables(connection).ordinary:
        if table.startswith("sqlite_"):
            continue
        for _, name, kind, *_ in connection.execute(f"PRAGMA table_info({quoted(table)})"):
            if any(word in kind.lower() for word in ("char", "text", "string", "clob")) or not kind:
                yield table, name


def _can_update(connection: sqlite3.Connection, column: Column) -> bool:
    """Tell whether a column can be changed: what triggers need is looked for when a statement is prepared, and nothing is done."""
    name = quoted(column.name)
    try:
        connection.execute(f"EXPLAIN UPDATE {quoted(column.table)} SET {name} = {name} WHERE 0")
    except sqlite3.OperationalError:
        return False
    return True
