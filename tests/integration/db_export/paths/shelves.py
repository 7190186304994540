"""Libraries whose files lie, or do not, in a folder of the test's."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from plexguard.db_export.database.files import PlexData
from tests.fakes.libraries import NOW, make_plex
from tests.fakes.plex import database


def make_library(folder: Path, sections: Mapping[str, tuple[str, Mapping[str, int]]]) -> PlexData:
    """Make a database that knows these files. sections: by title the folder of the library, and sizes by path below it."""
    data = make_plex(folder / "Plex Media Server", films=0, episodes=0, tracks=0)
    with closing(database.connect(data.library)) as connection:
        connection.execute("DELETE FROM library_sections")
        connection.execute("DELETE FROM section_locations")
        for number, (title, (root, files)) in enumerate(sections.items(), 1):
            connection.execute("INSERT INTO library_sections (id, name, section_type) VALUES (?, ?, 2)", (number, title))
            connection.execute("INSERT INTO section_locations (library_section_id, root_path) VALUES (?, ?)", (number, root))
            for path, size in files.items():
                add_part(connection, number, f"{root}/{path}", size)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return data


def add_part(connection: sqlite3.Connection, section: int, path: str, size: int) -> None:
    media = connection.execute("INSERT INTO media_items (library_section_id) VALUES (?)", (section,)).lastrowid
    connection.execute(
        "INSERT INTO media_parts (media_item_id, file, size, created_at) VALUES (?, CAST(? AS TEXT), ?, ?)",
        (media, path.encode("utf-8", "surrogateescape"), size, NOW),
    )


def make_files(root: Path, files: Mapping[str, int]) -> None:
    """Make files of these sizes, of which the disk keeps nothing."""
    for path, size in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as made:
            made.truncate(size)
