"""Walk a table's tree from its root through whatever is still sound, and say where it has holes."""

from collections.abc import Iterator
from dataclasses import dataclass

from plexguard.db_export.repair.pages import INDEX_INTERIOR, INDEX_LEAF, TABLE_INTERIOR, TABLE_LEAF, Cell, Leaf, PageFile
from plexguard.db_export.repair.records import Value, decode_record, fits
from plexguard.db_export.repair.shape import Table

# Rows have numbers of 64 bits.
LOWEST, HIGHEST = -(1 << 63) - 1, (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Range:
    """Row numbers above `above`, up to and with `to`."""

    above: int
    to: int

    def __contains__(self, rowid: int) -> bool:
        return self.above < rowid <= self.to


EVERYTHING = Range(LOWEST, HIGHEST)


@dataclass(frozen=True, slots=True)
class Found:
    """A leaf in its place in the tree. is_foreign: it holds nothing that belongs there."""

    page: int
    range: Range
    leaf: Leaf


@dataclass(frozen=True, slots=True)
class Hole:
    """A part of the tree that is not there: the rows of this range are missing, or lie somewhere else."""

    range: Range


def walk_table(pages: PageFile, table: Table) -> Iterator[Found | Hole]:
    """Yield the leaves of a table in order, and the holes between them."""
    seen = bytearray(pages.count + 2)
    waiting = [(table.root, EVERYTHING)]
    while waiting:
        number, where = waiting.pop()
        kind = pages.kind(number)
        if kind not in (TABLE_LEAF, TABLE_INTERIOR) or seen[number]:
            yield Hole(where)
            continue
        seen[number] = 1
        if kind == TABLE_INTERIOR:
            below = _below(pages, number, where)
            if below is None:
                yield Hole(where)
            else:
                waiting.extend(reversed(below))
            continue
        leaf = pages.leaf(number)
        if leaf is None or not _belongs(pages, leaf, table, where, is_root=number == table.root):
            yield Hole(where)
        else:
            yield Found(number, where, leaf)


def _below(pages: PageFile, number: int, where: Range) -> list[tuple[int, Range]] | None:
    """Return the children of a page with the ranges they have; None when its keys do not fit into its own range."""
    interior = pages.interior(number)
    if interior is None:
        return None
    below, above = [], where.above
    for child, key in interior.children:
        to = where.to if key is None else key
        # The key of the right end may be that of the range itself: then nothing is above it.
        if not isinstance(to, int) or not (above < to <= where.to or (key is None and above == to)):
            return None
        below.append((child, Range(above, to)))
        above = to
    return below


def _belongs(pages: PageFile, leaf: Leaf, table: Table, where: Range, *, is_root: bool) -> bool:
    if not leaf.cells:
        return is_root and not leaf.is_flawed
    inside = [cell for cell in leaf.cells if cell.rowid in where]
    # Two of them tell a page of another table from its own; all of them are read when the table is known to be damaged.
    asked = (inside[0], inside[-1]) if inside else ()
    return any(read_row(pages, cell, table) is not None for cell in asked)


def read_row(pages: PageFile, cell: Cell, table: Table) -> tuple[Value, ...] | None:
    """Return the values of a cell, None when they are no row of this table."""
    payload = pages.payload(cell)
    values = decode_record(payload, pages.header.encoding) if payload is not None else None
    return values if values is not None and fits(values, table.columns) else None


def walk_index(pages: PageFile, root: int) -> Iterator[Cell | None]:
    """Yield the entries of an index in no order, and None for each page that cannot be read."""
    seen = bytearray(pages.count + 2)
    waiting = [root]
    while waiting:
        number = waiting.pop()
        kind = pages.kind(number)
        if kind not in (INDEX_LEAF, INDEX_INTERIOR) or seen[number]:
            yield None
            continue
        seen[number] = 1
        if kind == INDEX_LEAF:
            leaf = pages.leaf(number)
            yield from leaf.cells if leaf is not None else (None,)
            if leaf is not None and leaf.is_flawed:
                yield None
            continue
        interior = pages.interior(number)
        if interior is None:
            yield None
            continue
        for child, key in interior.children:
            waiting.append(child)
            if isinstance(key, Cell):
                yield key


def count_index(pages: PageFile, root: int) -> int | None:
    """Return the entries of an index by the heads of its pages, None when one of them is no page of an index."""
    seen = bytearray(pages.count + 2)
    waiting, count = [root], 0
    while waiting:
        number = waiting.pop()
        kind = pages.kind(number)
        if kind == INDEX_LEAF and not seen[number]:
            count += pages.count_cells(number)
        else:
            interior = pages.interior(number) if kind == INDEX_INTERIOR and not seen[number] else None
            if interior is None:
                return None
            count += len(interior.children) - 1
            waiting.extend(child for child, _ in interior.children)
        seen[number] = 1
    return count
