"""Sections and items in the library database: what the API reads and what a scan writes."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from . import database

# By the name the API uses: the number the database uses, the agent and the scanner.
SECTION_TYPES = {
    "movie": (1, "tv.plex.agents.movie", "Plex Movie"),
    "show": (2, "tv.plex.agents.series", "Plex TV Series"),
    "artist": (8, "tv.plex.agents.music", "Plex Music"),
    "photo": (13, "com.plexapp.agents.none", "Plex Photo Scanner"),
}
# The metadata types from the top of a section down to what has a file.
LEVELS = {"movie": (1,), "show": (2, 3, 4), "artist": (8, 9, 10), "photo": (13,)}
TYPE_NAMES = {1: "movie", 2: "show", 3: "season", 4: "episode", 8: "artist", 9: "album", 10: "track", 13: "photo"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """One folder of a section."""

    id: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A library. type is movie, show, artist or photo."""

    key: int
    type: str
    title: str
    agent: str
    scanner: str
    language: str
    uuid: str
    created_at: int
    updated_at: int
    scanned_at: int
    content_changed_at: int
    locations: tuple[Location, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFile:
    """A media file a scan found and could open. content tells one file's contents from another's."""

    path: str
    size: int
    content: str
    titles: tuple[str, ...]


class Library:
    """The main database. Each call has a connection of its own; one more stays open so that the locks of a server are held."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / database.MAIN_NAME
        self._anchor = database.open_library(folder)
        self._stale: dict[tuple[int, int], int] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Give up the database; the last connection folds the -wal into the file."""
        self._anchor.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection."""
        connection = database.connect(self.file)
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection inside one transaction."""
        with self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def sections(self) -> list[Section]:
        """Return all sections."""
        with self.reading() as connection:
            rows = connection.execute("SELECT * FROM library_sections ORDER BY id").fetchall()
            return [self._section(connection, row) for row in rows]

    def section(self, key: int) -> Section | None:
        """Return one section."""
        with self.reading() as connection:
            row = connection.execute("SELECT * FROM library_sections WHERE id = ?", (key,)).fetchone()
            return self._section(connection, row) if row else None

    def _section(self, connection: sqlite3.Connection, row: sqlite3.Row) -> Section:
        locations = connection.execute("SELECT * FROM section_locations WHERE library_section_id = ?", (row["id"],))
        return Section(
            key=row["id"],
            type=TYPE_NAMES[row["section_type"]],
            title=row["name"],
            agent=row["agent"],
            scanner=row["scanner"],
            language=row["language"],
            uuid=row["uuid"],
            created_at=row["created_at"] or 0,
            updated_at=row["updated_at"] or 0,
            scanned_at=row["scanned_at"] or 0,
            content_changed_at=row["content_changed_at"] or 0,
            locations=tuple(Location(id=location["id"], path=location["root_path"]) for location in locations),
        )

    def add_section(
        self, name: str, type: str, folders: Sequence[str], *, agent: str = "", scanner: str = "", language: str = "en-US"
    ) -> int:
        """Create a section and return its key. Raises KeyError for an unknown type."""
        number, default_agent, default_scanner = SECTION_TYPES[type]
        now = int(time.time())
        with self.writing() as connection:
            key = connection.execute(
                "INSERT INTO library_sections (library_id, name, name_sort, section_type, language, agent, scanner,"
                " created_at, updated_at, uuid) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (name, name, number, language, agent or default_agent, scanner or default_scanner, now, now, str(uuid.uuid4())),
            ).lastrowid
            connection.executemany(
                "INSERT INTO section_locations (library_section_id, root_path, created_at, updated_at) VALUES (?, ?, ?, ?)",
                [(key, folder, now, now) for folder in folders],
            )
        assert key is not None
        return key

    def count(self, section: int, metadata_type: int) -> int:
        """Return how many items of a type a section has; while it is scanned, how many it had before."""
        with self._lock:
            if (section, metadata_type) in self._stale:
                return self._stale[section, metadata_type]
        return self._count(section).get(metadata_type, 0)

    def _count(self, section: int) -> dict[int, int]:
        with self.reading() as connection:
            rows = connection.execute(
                "SELECT metadata_type, count(*) FROM metadata_items WHERE library_section_id = ? GROUP BY 1", (section,)
            )
            return {row[0]: row[1] for row in rows}

    def freeze_counts(self, section: int) -> None:
        """Let count() answer for a section from now on what is true now."""
        counts = self._count(section)
        with self._lock:
            self._stale |= {(section, number): counts.get(number, 0) for number in TYPE_NAMES}

    def thaw_counts(self, section: int) -> None:
        """End freeze_counts()."""
        with self._lock:
            self._stale = {key: count for key, count in self._stale.items() if key[0] != section}

    def items(self, section: int, metadata_type: int, *, start: int, size: int, trashed_only: bool = False) -> list[sqlite3.Row]:
        """Return a page of a section's items, in title order."""
        condition = "AND deleted_at IS NOT NULL" if trashed_only else ""
        with self.reading() as connection:
            return connection.execute(
                f"SELECT * FROM metadata_items WHERE library_section_id = ? AND metadata_type = ? {condition}"
                " ORDER BY title_sort, id LIMIT ? OFFSET ?",
                (section, metadata_type, size, start),
            ).fetchall()

    def item(self, key: int) -> sqlite3.Row | None:
        """Return one item."""
        with self.reading() as connection:
            row: sqlite3.Row | None = connection.execute("SELECT * FROM metadata_items WHERE id = ?", (key,)).fetchone()
            return row

    def parts(self, item: int) -> list[sqlite3.Row]:
        """Return the files of an item."""
        with self.reading() as connection:
            return connection.execute(
                "SELECT media_parts.*, media_items.id AS media_id FROM media_parts"
                " JOIN media_items ON media_items.id = media_item_id WHERE metadata_item_id = ? ORDER BY media_parts.id",
                (item,),
            ).fetchall()

    def part_file(self, part: int) -> str | None:
        """Return the path of a part."""
        with self.reading() as connection:
            row = connection.execute("SELECT file FROM media_parts WHERE id = ?", (part,)).fetchone()
            return row["file"] if row else None

    def empty_trash(self, section: int) -> int:
        """Remove the rows that are marked as deleted for good; return how many items went."""
        with self.writing() as connection:
            return empty_trash(connection, section)


def empty_trash(connection: sqlite3.Connection, section: int) -> int:
    """Remove what is marked as deleted in one section."""
    trashed = "SELECT id FROM media_items WHERE library_section_id = ? AND deleted_at IS NOT NULL"
    connection.execute(f"DELETE FROM media_parts WHERE media_item_id IN ({trashed})", (section,))
    connection.execute("DELETE FROM media_items WHERE library_section_id = ? AND deleted_at IS NOT NULL", (section,))
    return connection.execute(
        "DELETE FROM metadata_items WHERE library_section_id = ? AND deleted_at IS NOT NULL", (section,)
    ).rowcount


def add_file(connection: sqlite3.Connection, section: Section, location: Location, found: MediaFile) -> None:
    """Enter a new file: its item, the levels above it where they are missing, its folder, its media and its part."""
    now = int(time.time())
    item = find_or_add_item(connection, section, found)
    relative = str(Path(found.path).parent.relative_to(location.path))
    directory = find_or_add_directory(connection, section.key, "" if relative == "." else relative)
    container = Path(found.path).suffix.lstrip(".").lower()
    media = connection.execute(
        "INSERT INTO media_items (library_section_id, section_location_id, metadata_item_id, size, container, created_at,"
        " updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (section.key, location.id, item, found.size, container, now, now),
    ).lastrowid
    connection.execute(
        "INSERT INTO media_parts (media_item_id, directory_id, hash, file, size, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (media, directory, found.content, found.path, found.size, now, now),
    )
    connection.execute("UPDATE metadata_items SET media_item_count = media_item_count + 1 WHERE id = ?", (item,))


def find_or_add_item(connection: sqlite3.Connection, section: Section, found: MediaFile) -> int:
    """Return the id of the item a file belongs to."""
    levels = LEVELS[section.type]
    parent: int | None = None
    for depth, number in enumerate(levels):
        title, is_leaf = found.titles[depth], depth == len(levels) - 1
        row = connection.execute(
            "SELECT id FROM metadata_items WHERE library_section_id = ? AND metadata_type = ? AND title = ? AND parent_id IS ?",
            (section.key, number, title, parent),
        ).fetchone()
        parent = row["id"] if row else add_item(connection, section, number, found, title=title, parent=parent, is_leaf=is_leaf)
    assert parent is not None
    return parent


def add_item(
    connection: sqlite3.Connection,
    section: Section,
    number: int,
    found: MediaFile,
    *,
    title: str,
    parent: int | None,
    is_leaf: bool,
) -> int:
    """Enter one row of metadata_items and return its id."""
    now = int(time.time())
    identity = hashlib.sha1("/".join((section.type, str(number), *found.titles[: found.titles.index(title) + 1])).encode())
    is_matched = not section.agent.endswith(".none")
    guid = f"plex://{TYPE_NAMES[number]}/{identity.hexdigest()[:24]}" if is_matched else f"file://{quote(found.path)}"
    key = connection.execute(
        "INSERT INTO metadata_items (library_section_id, parent_id, metadata_type, guid, media_item_count, title, title_sort,"
        " hash, added_at, created_at, updated_at, refreshed_at) VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?)",
        (section.key, parent, number, guid, title, title, identity.hexdigest(), now, now, now, now if is_leaf else None),
    ).lastrowid
    assert key is not None
    return key


def find_or_add_directory(connection: sqlite3.Connection, section: int, relative: str) -> int:
    """Return the id of a folder's row; paths are relative to the location, the location itself is ''."""
    row = connection.execute("SELECT id FROM directories WHERE library_section_id = ? AND path = ?", (section, relative)).fetchone()
    if row:
        return int(row["id"])
    parent = None
    if relative:
        above = str(Path(relative).parent)
        parent = find_or_add_directory(connection, section, "" if above == "." else above)
    now = int(time.time())
    key = connection.execute(
        "INSERT INTO directories (library_section_id, parent_directory_id, path, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
        (section, parent, relative, now, now),
    ).lastrowid
    assert key is not None
    return key
