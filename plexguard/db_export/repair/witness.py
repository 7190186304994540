"""Ask a table's indexes whether a row is there: they know its number and some of its values.

A page that nothing leads to may hold rows that were deleted long ago. Their entries in the indexes were deleted with them.
"""

import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from plexguard.db_export.repair.pages import PageFile
from plexguard.db_export.repair.records import Value, decode_record
from plexguard.db_export.repair.shape import Index, Table
from plexguard.db_export.repair.trees import walk_index

# More of them say no more, and each costs as long as reading its part of the table.
MAX_INDEXES = 6
_CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class Testimony:
    """What indexes say of a row. asked: how many there are that can be read; known: those that have a row of this number;
    agreeing: those that have it with these values."""

    asked: int
    known: int = 0
    agreeing: int = 0

    @property
    def is_silent(self) -> bool:
        return self.asked == 0

    @property
    def is_there(self) -> bool:
        """Whether it is there for certain: known to most, and otherwise to none."""
        return not self.is_silent and 2 * self.known >= self.asked and self.agreeing == self.known

    @property
    def is_denied(self) -> bool:
        """Whether several speak against it, and most do: then not an index is wrong but the row."""
        return self.asked - self.agreeing >= 2 and 2 * self.agreeing < self.asked


class Witnesses:
    """The entries of indexes that can be read wholly, kept in a file: there may be millions."""

    def __init__(self, pages: PageFile, connection: sqlite3.Connection) -> None:
        """connection: to a database of our own that is thrown away."""
        self._pages = pages
        self._kept = connection
        self._kept.execute(
            "CREATE TABLE entries (source TEXT, rowid_ INTEGER, hash INTEGER, PRIMARY KEY (source, rowid_)) WITHOUT ROWID"
        )
        self._called: dict[str, list[Index]] = {}

    def ask(self, table: Table, rowid: int, values: tuple[Value, ...]) -> Testimony:
        """Return what the indexes say of a row of these values."""
        indexes = self._call(table)
        said = [(index, self._find(index, rowid)) for index in indexes]
        known = [(index, found) for index, found in said if found is not None]
        agreeing = sum(found == _hash(_key(values, table, index, rowid)) for index, found in known)
        return Testimony(len(said), len(known), agreeing)

    def _find(self, index: Index, rowid: int) -> int | None:
        row = self._kept.execute("SELECT hash FROM entries WHERE source = ? AND rowid_ = ?", (index.name, rowid)).fetchone()
        return None if row is None else int(row[0])

    def _call(self, table: Table) -> list[Index]:
        if table.name not in self._called:
            said = [(self._says_much(index), index) for index in table.indexes if index.columns]
            # One that is all NULL agrees with every row.
            usable = [index for much, index in sorted(said, key=lambda one: -one[0]) if much]
            self._called[table.name] = list(islice((index for index in usable if self._read(index)), MAX_INDEXES))
        return self._called[table.name]

    def _says_much(self, index: Index) -> int:
        """Return how many different keys the index has in the first of its entries: one that is all NULL says little."""
        some = islice(_entries(self._pages, index), 100)
        return len({key for entry in some if entry is not None for _, key in [entry] if any(part is not None for part in key)})

    def _read(self, index: Index) -> bool:
        """Read an index; tell whether all of it could be."""
        entries = _entries(self._pages, index)
        self._kept.execute("SAVEPOINT reading")
        try:
            while chunk := list(islice(entries, _CHUNK)):
                if None in chunk:
                    self._kept.execute("ROLLBACK TO reading")
                    return False
                rows = ((index.name, entry[0], _hash(entry[1])) for entry in chunk if entry is not None)
                self._kept.executemany("INSERT OR IGNORE INTO entries VALUES (?, ?, ?)", rows)
        finally:
            self._kept.execute("RELEASE reading")
        return True


def _entries(pages: PageFile, index: Index) -> Iterator[tuple[int, tuple[Value, ...]] | None]:
    """Yield the row numbers and keys of an index, and None for what cannot be read."""
    for cell in walk_index(pages, index.root):
        payload = pages.payload(cell) if cell is not None else None
        values = decode_record(payload, pages.header.encoding) if payload is not None else None
        if values is None or len(values) != len(index.columns) + 1 or not isinstance(values[-1], int):
            yield None
        else:
            yield values[-1], values[:-1]


def _key(values: tuple[Value, ...], table: Table, index: Index, rowid: int) -> Iterator[Value]:
    for place in index.columns:
        if table.columns[place].is_rowid:
            yield rowid
        else:
            # A row from before a column was added has its default there, which is not read here.
            yield values[place] if place < len(values) else None


def _hash(key: Iterable[Value]) -> int:
    # A whole number is the same as itself with a point: a column of floats stores it either way.
    return zlib.crc32(repr([float(part) if isinstance(part, int) else part for part in key]).encode("utf-8", "replace"))
