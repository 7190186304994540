"""Read the rows of damaged tables page by page: those in their place, then those in leaves that nothing leads to any more.

Nothing is taken that was not there: a row from a page that is in doubt has to be known to the table's indexes, and one from a page
without a place has to belong to a hole of exactly one table.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from plexguard.db_export.repair.pages import TABLE_LEAF, Cell, Leaf, PageFile
from plexguard.db_export.repair.records import Value
from plexguard.db_export.repair.shape import Table
from plexguard.db_export.repair.survey import Seen, Survey
from plexguard.db_export.repair.trees import EVERYTHING, Found, Hole, Range, read_row, walk_table
from plexguard.db_export.repair.witness import Witnesses

Row = tuple[int, tuple[Value, ...]]


@contextlib.contextmanager
def salvaging(source: Path, found: Survey, *, scratch: Path) -> Iterator["Salvage"]:
    """Open a damaged database. scratch: where what its indexes say is kept meanwhile."""
    with contextlib.ExitStack() as opened:
        pages = opened.enter_context(PageFile(source))
        opened.callback(scratch.unlink, missing_ok=True)
        kept = opened.enter_context(contextlib.closing(sqlite3.connect(scratch, isolation_level=None)))
        kept.execute("PRAGMA journal_mode=OFF")
        kept.execute("PRAGMA synchronous=OFF")
        yield Salvage(pages, found, Witnesses(pages, kept))


@dataclass(frozen=True, slots=True)
class Salvage:
    """pages: the file. found: what is known of it. witnesses: its indexes. refused: rows that lie where they should, and are not
    what they were: (table, number)."""

    pages: PageFile
    found: Survey
    witnesses: Witnesses
    refused: set[tuple[str, int]] = field(default_factory=set)

    def placed(self, table: Table) -> Iterator[Row]:
        """Yield the rows of a table that lie where they should."""
        for found in walk_table(self.pages, table):
            if not isinstance(found, Hole):
                yield from self._rows_of(found, table)

    def _rows_of(self, found: Found, table: Table) -> Iterator[Row]:
        rows = [(cell, read_row(self.pages, cell, table)) for cell in found.leaf.cells]
        is_doubtful = (
            found.leaf.is_flawed
            or self.found.claims.is_shared(found.page)
            or any(values is None for _, values in rows)
            or not _ascend(cell.rowid for cell, _ in rows)
        )
        is_doubted = self.found.seen[table.name].is_doubted
        for cell, values in rows:
            if values is None:
                is_good = False
            elif cell.rowid not in found.range:
                # The row may be in the wrong place, or the page above may be wrong about the place.
                is_good = self.witnesses.ask(table, cell.rowid, values).is_there
            elif is_doubtful or self._shares_pages(cell):
                is_good = self._is_known(table, cell.rowid, values)
            else:
                is_good = not is_doubted or not self.witnesses.ask(table, cell.rowid, values).is_denied
            if is_good and values is not None:
                yield cell.rowid, values
            else:
                self.refused.add((table.name, cell.rowid))

    def _is_known(self, table: Table, rowid: int, values: tuple[Value, ...]) -> bool:
        # Zeros in a text are what a lost write leaves; Plex writes none.
        if any(isinstance(value, str) and "\0" in value for value in values):
            return False
        said = self.witnesses.ask(table, rowid, values)
        return said.is_there or said.is_silent

    def is_outvoted(self, table: Table) -> bool:
        """Tell whether there are rows that most of the table's indexes know nothing of: then its pages are wrong, and not they."""
        rows = self.placed(table)
        return any(self.witnesses.ask(table, rowid, values).is_denied for rowid, values in rows)

    def _shares_pages(self, cell: Cell) -> bool:
        return bool(cell.overflow) and any(map(self.found.claims.is_shared, self.pages.chain(cell)))

    def displaced(self, damaged: Iterable[Seen]) -> Iterator[tuple[Table, Row]]:
        """Yield the rows in leaves that no tree leads to, each with the one table that it can belong to."""
        wanting = [(seen, seen.holes or [EVERYTHING]) for seen in damaged if seen.holes or seen.is_doubted or _is_short(seen)]
        if not wanting:
            return
        for number in range(2, self.pages.count + 1):
            if not self.found.claims.is_free(number) or number in self.found.free:
                continue
            leaf = self.pages.leaf(number) if self.pages.kind(number) == TABLE_LEAF else None
            for cell in leaf.cells if leaf is not None else ():
                yield from self._owner_of(cell, leaf, wanting)

    def confirmed(self, rows: Iterable[tuple[Table, Row]]) -> Iterator[tuple[Table, Row]]:
        """Yield those of somebody else's rows that were there, and are as they were. Call it when placed() is through."""
        for table, (rowid, values) in rows:
            if (table.name, rowid) in self.refused:
                continue
            said = self.witnesses.ask(table, rowid, values)
            if said.is_there or (said.is_silent and any(rowid in hole for hole in self.found.seen[table.name].holes)):
                yield table, (rowid, values)

    def _owner_of(self, cell: Cell, leaf: Leaf | None, wanting: list[tuple[Seen, list[Range]]]) -> Iterator[tuple[Table, Row]]:
        able = []
        for seen, holes in wanting:
            if not any(cell.rowid in hole for hole in holes):
                continue
            values = read_row(self.pages, cell, seen.table)
            if values is not None:
                able.append((seen, values, self.witnesses.ask(seen.table, cell.rowid, values)))
        sure = [one for one in able if one[2].is_there]
        silent = [one for one in able if one[2].is_silent]
        # Without a witness a row is taken only into a hole that is known, from a page that cannot be a free one.
        if not sure and len(able) == len(silent) == 1 and silent[0][0].holes and self.found.is_free_sound:
            sure = silent
        if len(sure) == 1:
            seen, values, _ = sure[0]
            yield seen.table, (cell.rowid, values)


def _is_short(seen: Seen) -> bool:
    return seen.entries is not None and seen.entries > seen.rows


def _ascend(numbers: Iterable[int]) -> bool:
    listed = list(numbers)
    return all(before < after for before, after in pairwise(listed))
