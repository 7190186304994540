"""A database's file, page by page, without SQLite: for what SQLite stops at.

Source: https://www.sqlite.org/fileformat2.html
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from plexguard.core.errors import DataError
from plexguard.db_export.repair.records import read_varint

MAGIC = b"SQLite format 3\0"
HEADER_BYTES = 100
TABLE_LEAF, TABLE_INTERIOR, INDEX_LEAF, INDEX_INTERIOR = 0x0D, 0x05, 0x0A, 0x02
_INTERIOR = (TABLE_INTERIOR, INDEX_INTERIOR)
_PAGE_SIZES = tuple(1 << power for power in range(9, 17))
# The file is locked by bytes here; the page that holds them is never used.
LOCK_BYTE = 1 << 30
# Pages that are looked at to guess a page size.
_SAMPLED = 400
# The schema is near the beginning.
_SCHEMA_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the first 100 bytes say. is_guessed: they are destroyed, and this is what the pages look like."""

    page_size: int
    reserved: int = 0
    encoding: int = 1
    first_free: int = 0
    free_pages: int = 0
    user_version: int = 0
    application_id: int = 0
    auto_vacuum: int = 0
    is_wal: bool = True
    is_guessed: bool = False

    @property
    def usable(self) -> int:
        return self.page_size - self.reserved


class Cell(NamedTuple):
    """A cell of a leaf. rowid: of a table's only. local: the part of the payload that lies in the page."""

    rowid: int
    size: int
    local: bytes
    overflow: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """The cells of a leaf that could be read. is_flawed: one could not, or two lie over each other."""

    cells: tuple[Cell, ...]
    is_flawed: bool


@dataclass(frozen=True, slots=True)
class Interior:
    """A page above others. children: (page, key), the last one with None. A key is a row's number, or an index entry's cell."""

    children: tuple[tuple[int, int | Cell | None], ...]


def parse_header(data: bytes) -> Header | None:
    """Return the header of a database, or None when it is none or makes no sense."""
    if len(data) < HEADER_BYTES or data[:16] != MAGIC or tuple(data[21:24]) != (64, 32, 32):
        return None
    size = int.from_bytes(data[16:18], "big")
    words = struct.unpack(">15I", data[40:100])
    header = Header(
        page_size=65536 if size == 1 else size,
        reserved=data[20],
        first_free=int.from_bytes(data[32:36], "big"),
        free_pages=int.from_bytes(data[36:40], "big"),
        auto_vacuum=words[3],
        encoding=words[4] or 1,
        user_version=words[5],
        application_id=words[7],
        is_wal=data[18] == 2,
    )
    is_sane = header.page_size in _PAGE_SIZES and header.encoding in (1, 2, 3) and header.usable >= 480
    return header if is_sane else None


class PageFile:
    """An open database file."""

    def __init__(self, path: Path) -> None:
        """Raises DataError when not even the page size can be told."""
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = os.fstat(self._fd).st_size
        header = self._settle(parse_header(os.pread(self._fd, HEADER_BYTES, 0)))
        if header is None:
            self.close()
            raise DataError(f"{path}: nothing in it looks like a page of a database")
        self.header = header
        # The length of the file counts: the number in the header may be what is damaged.
        self.count = self.size // header.page_size
        self._lock_page = LOCK_BYTE // header.page_size + 1

    def close(self) -> None:
        os.close(self._fd)

    def __enter__(self) -> "PageFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def has(self, number: int) -> bool:
        """Tell whether there is a page of that number that may hold something."""
        return 1 <= number <= self.count and number != self._lock_page

    def read(self, number: int) -> bytes:
        """Return a page; b"" where there is none."""
        return os.pread(self._fd, self.header.page_size, (number - 1) * self.header.page_size) if self.has(number) else b""

    def kind(self, number: int) -> int:
        """Return the first byte of a page: its kind, if it is one of a tree. 0 where there is none."""
        found = os.pread(self._fd, 1, self._start(number)) if self.has(number) else b""
        return found[0] if found else 0

    def count_cells(self, number: int) -> int:
        """Return how many cells the head of a tree's page speaks of."""
        return int.from_bytes(os.pread(self._fd, 2, self._start(number) + 3), "big")

    def _start(self, number: int) -> int:
        return (number - 1) * self.header.page_size + (HEADER_BYTES if number == 1 else 0)

    def leaf(self, number: int) -> Leaf | None:
        """Return a leaf of a table or an index, None when the page is none."""
        return parse_leaf(self.read(number), number, self.header.usable)

    def interior(self, number: int) -> Interior | None:
        """Return a page above others, None when the page is none or is flawed."""
        return parse_interior(self.read(number), number, self.header.usable)

    def chain(self, cell: Cell) -> Iterator[int]:
        """Yield the pages that a payload goes on in; ends early where the chain is broken."""
        seen = set()
        left, page = cell.size - len(cell.local), cell.overflow
        while left > 0 and self.has(page) and page not in seen:
            seen.add(page)
            yield page
            left -= self.header.usable - 4
            page = int.from_bytes(os.pread(self._fd, 4, (page - 1) * self.header.page_size), "big")

    def is_whole(self, cell: Cell, chain: list[int]) -> bool:
        """Tell whether a chain has as many pages as the payload needs, and ends there."""
        left = cell.size - len(cell.local)
        if left <= 0:
            return not chain
        wanted = -(-left // (self.header.usable - 4))
        return len(chain) == wanted and os.pread(self._fd, 4, (chain[-1] - 1) * self.header.page_size) == bytes(4)

    def payload(self, cell: Cell) -> bytes | None:
        """Return the whole payload of a cell, None where its chain is broken."""
        if not cell.overflow:
            return cell.local
        chain = list(self.chain(cell))
        if not self.is_whole(cell, chain):
            return None
        rest = b"".join(self.read(page)[4 : self.header.usable] for page in chain)
        return cell.local + rest[: cell.size - len(cell.local)]

    def free_pages(self) -> tuple[set[int], bool]:
        """Return the pages on the list of free ones, and whether that list makes sense to its end."""
        found: set[int] = set()
        trunk = self.header.first_free
        while trunk:
            page = self.read(trunk)
            if len(page) < self.header.page_size or trunk in found:
                return found, False
            found.add(trunk)
            trunk, count = struct.unpack_from(">II", page)
            if count > self.header.usable // 4 - 2:
                return found, False
            leaves = struct.unpack_from(f">{count}I", page, 8)
            if any(not self.has(leaf) or leaf in found for leaf in leaves):
                return found, False
            found.update(leaves)
        return found, len(found) == self.header.free_pages and not self.header.is_guessed

    def _settle(self, header: Header | None) -> Header | None:
        """Return the header by what the pages look like, where they look otherwise than it says."""
        counts = {size: self._count_trees(size) for size in _PAGE_SIZES}
        best = max(counts, key=counts.__getitem__)
        if header is None:
            return Header(page_size=best, is_guessed=True) if counts[best] else None
        if 2 * counts[header.page_size] < counts[best]:
            header = replace(header, page_size=best, reserved=0, is_guessed=True)
        # Plex writes UTF-8.
        is_plain = header.encoding != 1 and b"CREATE TABLE " in os.pread(self._fd, _SCHEMA_BYTES, 0)
        return replace(header, encoding=1) if is_plain else header

    def _count_trees(self, size: int) -> int:
        """Return how many places of this page size look like leaves of a tree."""
        step = max(1, self.size // size // _SAMPLED)
        pages = (os.pread(self._fd, size, number * size) for number in range(1, self.size // size, step))
        return sum(_fills_page(parse_leaf(page, 2, size), size) for page in pages) * step


def _fills_page(leaf: Leaf | None, size: int) -> bool:
    """Tell whether a leaf is sound and its cells reach the very end of a page: then that is where the page ends."""
    return leaf is not None and not leaf.is_flawed and max((cell.end for cell in leaf.cells), default=0) == size


def parse_leaf(page: bytes, number: int, usable: int) -> Leaf | None:
    """Return the cells of a leaf; None when the page is none, or its head makes no sense."""
    at = HEADER_BYTES if number == 1 else 0
    if len(page) < usable or page[at] not in (TABLE_LEAF, INDEX_LEAF):
        return None
    told = int.from_bytes(page[at + 3 : at + 5], "big")
    # Where the cells begin there is no room for pointers to more of them.
    content = int.from_bytes(page[at + 5 : at + 7], "big")
    count = min(told, (content - at - 8) // 2) if at + 8 <= content <= usable else told
    first = at + 8 + 2 * count
    if first > usable:
        return None
    is_table = page[at] == TABLE_LEAF
    raw = struct.unpack_from(f">{count}H", page, at + 8)
    # What points beyond the page is wrong in its high bits at least; SQLite drops those, too.
    pointers = [pointer & (len(page) - 1) for pointer in raw]
    is_beyond = any(pointer >= len(page) for pointer in raw)
    cells = [_leaf_cell(page, pointer, usable, is_table=is_table) if pointer >= first else None for pointer in pointers]
    good = tuple(cell for cell in cells if cell is not None)
    holes = _free_blocks(page, at, usable)
    return Leaf(good, is_beyond or len(good) < told or holes is None or _lie_over_each_other(good, holes))


def _free_blocks(page: bytes, at: int, usable: int) -> list[tuple[int, int]] | None:
    """Return where the free blocks of a page lie, None when they make no sense."""
    found: list[tuple[int, int]] = []
    start = int.from_bytes(page[at + 1 : at + 3], "big")
    while start:
        if start + 4 > usable or (found and start < found[-1][1]):
            return None
        found.append((start, start + int.from_bytes(page[start + 2 : start + 4], "big")))
        start = int.from_bytes(page[start : start + 2], "big")
    return found


def _lie_over_each_other(cells: tuple[Cell, ...], holes: list[tuple[int, int]]) -> bool:
    ordered = sorted([*((cell.start, cell.end) for cell in cells), *holes])
    return any(before[1] > after[0] for before, after in pairwise(ordered))


def _leaf_cell(page: bytes, at: int, usable: int, *, is_table: bool) -> Cell | None:
    try:
        # Nearly all of them are short: millions are read.
        size, start = page[at], at + 1
        if size > 0x7F:
            size, start = read_varint(page, at)
        rowid = 0
        if is_table:
            rowid, start = read_varint(page, start)
    except IndexError:
        return None
    if 0 < size <= usable // 8 and start + size <= usable:
        return Cell(rowid, size, page[start : start + size], 0, at, max(start + size, at + 4))
    return _with_payload(page, rowid, size, start, usable, is_table=is_table, cell_start=at)


def _with_payload(page: bytes, rowid: int, size: int, start: int, usable: int, *, is_table: bool, cell_start: int) -> Cell | None:
    largest = usable - 35 if is_table else (usable - 12) * 64 // 255 - 23
    if not 0 < size < 1 << 31:
        return None
    if size <= largest:
        end = max(start + size, cell_start + 4)
        return Cell(rowid, size, page[start : start + size], 0, cell_start, end) if start + size <= usable else None
    smallest = (usable - 12) * 32 // 255 - 23
    local = smallest + (size - smallest) % (usable - 4)
    local = local if local <= largest else smallest
    end = start + local + 4
    if end > usable:
        return None
    return Cell(rowid, size, page[start : start + local], int.from_bytes(page[end - 4 : end], "big"), cell_start, end)


def parse_interior(page: bytes, number: int, usable: int) -> Interior | None:
    """Return a page above others; None when it is none or anything in it makes no sense."""
    at = HEADER_BYTES if number == 1 else 0
    if len(page) < usable or page[at] not in _INTERIOR:
        return None
    count = int.from_bytes(page[at + 3 : at + 5], "big")
    first = at + 12 + 2 * count
    if first > usable:
        return None
    children: list[tuple[int, int | Cell | None]] = []
    for pointer in struct.unpack_from(f">{count}H", page, at + 12):
        if not first <= pointer <= usable - 5:
            return None
        key = _key_of(page, pointer + 4, usable, is_table=page[at] == TABLE_INTERIOR)
        if key is None:
            return None
        children.append((int.from_bytes(page[pointer : pointer + 4], "big"), key))
    children.append((int.from_bytes(page[at + 8 : at + 12], "big"), None))
    return Interior(tuple(children))


def _key_of(page: bytes, at: int, usable: int, *, is_table: bool) -> int | Cell | None:
    try:
        number, start = read_varint(page, at)
    except IndexError:
        return None
    return number if is_table else _with_payload(page, 0, number, start, usable, is_table=False, cell_start=at - 4)
