"""What a database says of its libraries and their files. It may be live: no read lasts long."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from plexguard.core.mounts import is_below
from plexguard.db_export.remap.decide import Mover

BATCH = 20_000
_PARTS = """
    SELECT p.rowid, p.file, p.size, i.library_section_id
    FROM media_parts AS p NOT INDEXED LEFT JOIN media_items AS i ON i.id = p.media_item_id
    WHERE p.rowid > ? AND p.file >= '/' AND p.file < '0' ORDER BY p.rowid LIMIT ?
"""
# Of a library that holds no folder of its file, or of no library.
OUTSIDE = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder of a library, as the database has it. root: OUTSIDE for files that lie in none of its library's folders."""

    section: int
    title: str
    root: str


@dataclass(slots=True, kw_only=True)
class Library:
    """The places of a database, and the files that it knows in each: names by folder."""

    files: dict[Place, dict[str, set[str]]] = field(default_factory=dict)

    @property
    def places(self) -> tuple[Place, ...]:
        return tuple(self.files)

    def all_paths(self) -> Iterator[str]:
        return (f"{folder}/{name}" for folders in self.files.values() for folder, names in folders.items() for name in names)


def move_library(library: Library, mover: Mover) -> Library:
    """Return a library as it would be with other paths."""
    moved = Library()
    for place, folders in library.files.items():
        found = mover.move(place.root)
        here = moved.files.setdefault(replace(place, root=found[0] if found else place.root), {})
        for folder, names in folders.items():
            for name in names:
                to = mover.move(f"{folder}/{name}")
                new, _, last = (to[0] if to else f"{folder}/{name}").rpartition("/")
                here.setdefault(new, set()).add(last)
    return moved


def read_library(connection: sqlite3.Connection) -> Library:
    """Read all that a database knows of files. Raises sqlite3.Error."""
    library, titles = Library(), dict[int, str]()
    roots: dict[int, list[str]] = {}
    for section, title in connection.execute("SELECT id, name FROM library_sections ORDER BY id").fetchall():
        titles[section] = title or f"library {section}"
    for section, root in connection.execute("SELECT library_section_id, root_path FROM section_locations ORDER BY id").fetchall():
        if root and section in titles:
            roots.setdefault(section, []).append(root.rstrip("/") or "/")
            library.files[Place(section=section, title=titles[section], root=roots[section][-1])] = {}
    places: dict[tuple[int, str], Place] = {}
    for path, _, section in read_parts(connection):
        folder, _, name = path.rpartition("/")
        if name == "":
            continue
        if (section, folder) not in places:
            within = [root for root in roots.get(section, ()) if is_below(folder or "/", root)]
            root = max(within, key=len, default=OUTSIDE)
            places[section, folder] = Place(section=section, title=titles.get(section, "no library"), root=root)
        library.files.setdefault(places[section, folder], {}).setdefault(folder, set()).add(name)
    return library


def read_parts(connection: sqlite3.Connection) -> Iterator[tuple[str, int, int]]:
    """Yield the path, the size (0 when it is not known) and the library (0 for none) of each file."""
    last = -(2**63)
    while rows := connection.execute(_PARTS, (last, BATCH)).fetchall():
        for _, path, size, section in rows:
            yield path, size or 0, section or 0
        last = rows[-1][0]
