"""Count the rows of tables in a database that streams by, page after page, without a place to put it.

A table is a tree of pages. Of a page that holds rows only their number is needed; one that leads on names the pages below it. So
a few bytes of each page are enough to count every table whose first page is known.
Source: https://www.sqlite.org/fileformat2.html, "B-tree Pages".
"""

import struct
from array import array
from collections.abc import Mapping

from plexguard.db_export.archive.manifest import BadArchive

_LEAF, _INTERIOR = 13, 5
_FILE_HEADER_BYTES = 100
_INTERIOR_HEADER_BYTES = 12
_NUMBER = struct.Struct(">I")
SIZES = frozenset(1 << bits for bits in range(9, 17))


class PageCounter:
    """Takes a database in pieces of whole pages, from its begin."""

    def __init__(self, page_size: int) -> None:
        if page_size not in SIZES:
            raise BadArchive(f"a page size of {page_size} bytes is none")
        self._size = page_size
        self._kinds = bytearray()
        # The number of cells of each page: its high and its low byte.
        self._high, self._low = bytearray(), bytearray()
        self._below: dict[int, array[int]] = {}

    def feed(self, pages: memoryview) -> None:
        """Take the next pages. Raises BadArchive where they are not whole."""
        if len(pages) % self._size:
            raise BadArchive("a database in it does not end with a page")
        first = len(self._kinds)
        kinds = bytearray(pages[:: self._size])
        self._high += bytes(pages[3 :: self._size])
        self._low += bytes(pages[4 :: self._size])
        if first == 0:
            # The first page begins with the header of the file.
            kinds[0], self._high[0], self._low[0] = (pages[_FILE_HEADER_BYTES + n] for n in (0, 3, 4))
        self._kinds += kinds
        at = kinds.find(_INTERIOR)
        while at >= 0:
            self._take_interior(first + at, pages[at * self._size : (at + 1) * self._size])
            at = kinds.find(_INTERIOR, at + 1)

    def _take_interior(self, index: int, page: memoryview) -> None:
        """Note which pages are below one. What only looks like such a page, as one of a long text may, leads nowhere."""
        begin = _FILE_HEADER_BYTES if index == 0 else 0
        cells = self._high[index] << 8 | self._low[index]
        if begin + _INTERIOR_HEADER_BYTES + 2 * cells > self._size:
            return
        places = struct.unpack_from(f">{cells}H", page, begin + _INTERIOR_HEADER_BYTES)
        if max(places, default=0) > self._size - 4:
            return
        (last,) = _NUMBER.unpack_from(page, begin + 8)
        unpack = _NUMBER.unpack_from
        self._below[index] = array("I", [*(unpack(page, place)[0] for place in places), last])

    def count(self, root: int) -> int:
        """Return the rows of the table that begins at a page. Raises BadArchive where its tree makes no sense."""
        pending, rows, seen, pages = [root], 0, 0, len(self._kinds)
        kinds, high, low = self._kinds, self._high, self._low
        while pending:
            index = pending.pop() - 1
            seen += 1
            if not 0 <= index < pages or seen > pages:
                raise BadArchive(f"the table that begins at page {root} leads out of the database")
            if kinds[index] == _LEAF:
                rows += high[index] << 8 | low[index]
            elif index in self._below:
                pending.extend(self._below[index])
            else:
                raise BadArchive(f"the table that begins at page {root} leads to page {index + 1}, which is of no table")
        return rows


def find_difference(counter: PageCounter, roots: Mapping[str, int], rows: Mapping[str, int]) -> str:
    """Return which table has not as many rows as it should, "" when all have."""
    for name, root in roots.items():
        if name in rows and (found := counter.count(root)) != rows[name]:
            return f"table {name} has {found} rows, and {rows[name]} by its manifest"
    return ""
