"""Carry an index over into a new database page by page, in the order it has: for those that only Plex's own SQLite can order.

It is right when the table has the same rows: each entry is a row's number and its values, wherever the row lies.
"""

import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from plexguard.db_export.database.schema import quoted
from plexguard.db_export.database.sqlite import writing
from plexguard.db_export.repair.pages import INDEX_LEAF, LOCK_BYTE, Cell, PageFile
from plexguard.db_export.repair.records import decode_record
from plexguard.db_export.repair.shape import Index, Made, Table
from plexguard.db_export.repair.trees import walk_index


def carry_over(pages: PageFile, made: Made, table: Table, target: Path) -> bool:
    """Copy an index into a database that is closed; tell whether it could be: all of it can be read, and it has exactly the entries
    of the rows there."""
    index = next((one for one in table.indexes if one.name == made.name and len(one.columns) == 1), None)
    # Behind this there is a page that nothing may be in.
    is_large = target.stat().st_size + pages.size > LOCK_BYTE > target.stat().st_size
    if index is None or is_large or pages.header.reserved or not _has_these_rows(pages, index, table, target):
        return False
    root = _append(pages, made.root, target)
    with writing(target) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        row = (made.kind, made.name, made.table, root, made.sql)
        connection.execute("INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) VALUES (?, ?, ?, ?, ?)", row)
    return True


def _has_these_rows(pages: PageFile, index: Index, table: Table, target: Path) -> bool:
    column = quoted(table.columns[index.columns[0]].name)
    with writing(target) as connection:
        connection.execute("PRAGMA temp_store=FILE")
        connection.execute("CREATE TEMP TABLE entries (number INTEGER PRIMARY KEY, key)")
        connection.execute("BEGIN")
        for entry in _entries(pages, index.root):
            if entry is None or connection.execute("INSERT OR IGNORE INTO entries VALUES (?, ?)", entry).rowcount == 0:
                return False
        name = quoted(table.name)
        found = connection.execute(
            f"SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM {name} NOT INDEXED), "
            f"(SELECT count(*) FROM entries JOIN {name} NOT INDEXED ON {name}.rowid = number AND {column} COLLATE BINARY IS key)"
        ).fetchone()
        connection.execute("ROLLBACK")
    return len(set(found)) == 1


def _entries(pages: PageFile, root: int) -> Iterator[tuple[int, str | None] | None]:
    for cell in walk_index(pages, root):
        payload = pages.payload(cell) if cell is not None else None
        values = decode_record(payload, pages.header.encoding) if payload is not None else None
        if values is None or len(values) != 2 or not isinstance(values[1], int) or not isinstance(values[0], str | None):
            yield None
        else:
            yield values[1], values[0]


def _append(pages: PageFile, root: int, target: Path) -> int:
    """Write the pages of an index behind the last page of a database, and return the first one's new number."""
    size = pages.header.page_size
    with open(target, "r+b", buffering=0) as file:
        first = os.fstat(file.fileno()).st_size // size + 1
        chains = dict(_pages_of(pages, root))
        numbers = {old: first + place for place, old in enumerate(chains)}
        for old, new in numbers.items():
            os.pwrite(file.fileno(), _renumbered(pages, old, numbers, is_chain=chains[old]), (new - 1) * size)
        # The length that the header speaks of: https://www.sqlite.org/fileformat2.html#in_header_database_size
        os.pwrite(file.fileno(), struct.pack(">I", first + len(numbers) - 1), 28)
    return numbers[root]


def _pages_of(pages: PageFile, root: int) -> Iterator[tuple[int, bool]]:
    """Yield the pages of an index, the root first, with those that its entries go on in, and whether it is one of these."""
    waiting = [root]
    while waiting:
        number = waiting.pop()
        yield number, False
        cells, children = _content(pages, number)
        for cell in cells:
            yield from ((page, True) for page in pages.chain(cell))
        waiting.extend(children)


def _content(pages: PageFile, number: int) -> tuple[tuple[Cell, ...], tuple[int, ...]]:
    """Return the entries of a page, and the pages below it."""
    if pages.kind(number) == INDEX_LEAF:
        leaf = pages.leaf(number)
        return (leaf.cells if leaf is not None else ()), ()
    interior = pages.interior(number)
    found = interior.children if interior is not None else ()
    return tuple(key for _, key in found if isinstance(key, Cell)), tuple(child for child, _ in found)


def _renumbered(pages: PageFile, number: int, numbers: Mapping[int, int], *, is_chain: bool) -> bytes:
    """Return a page with the new numbers of those that it points to. is_chain: an entry goes on in it."""
    page = bytearray(pages.read(number))
    if is_chain:
        places = [0]
    else:
        cells, children = _content(pages, number)
        places = [cell.end - 4 for cell in cells if cell.overflow]
        places += [8, *(cell.start for cell in cells)] if children else []
    for place in places:
        old = int.from_bytes(page[place : place + 4], "big")
        # The last page of a chain points to none.
        page[place : place + 4] = (numbers[old] if old else 0).to_bytes(4, "big")
    return bytes(page)
