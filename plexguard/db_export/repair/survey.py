"""Look at every table's tree once, without its values: which are sound, which pages nobody claims, and what the schema is."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import mode

from plexguard.db_export.repair.pages import TABLE_LEAF, Cell, PageFile
from plexguard.db_export.repair.shape import SCHEMA_TABLE, SEQUENCE, Made, Schema, Table, parse_made, understand
from plexguard.db_export.repair.trees import EVERYTHING, Found, Hole, Range, count_index, read_row, walk_table


class Claims:
    """How many trees lay claim to each page: 0, 1, or more."""

    def __init__(self, pages: int) -> None:
        self._counts = bytearray(pages + 2)
        self.has_shared = False

    def add(self, page: int) -> None:
        self._counts[page] = min(2, self._counts[page] + 1)
        self.has_shared = self.has_shared or self._counts[page] > 1

    def is_free(self, page: int) -> bool:
        return self._counts[page] == 0

    def is_shared(self, page: int) -> bool:
        return self._counts[page] > 1


@dataclass(slots=True)
class Seen:
    """What was seen of a table.

    rows: in pages that could be read. entries: what most of its indexes count, None where none of them can be read wholly.
    is_damaged: something about it is not as it should be. is_doubted: so says the check.
    """

    table: Table
    rows: int = 0
    entries: int | None = None
    holes: list[Range] = field(default_factory=list)
    is_damaged: bool = False
    is_doubted: bool = False


@dataclass(slots=True)
class Survey:
    """free: pages on the list of free ones; is_free_sound: that list makes sense."""

    schema: Schema
    seen: dict[str, Seen]
    claims: Claims
    free: set[int]
    is_free_sound: bool


def survey(pages: PageFile, *, like: tuple[Made, ...] = ()) -> Survey:
    """Look at every table and index of a file.

    like: the schema of a database that has the same one, as Plex's two have: what this one has lost of it is taken from there.
    """
    claims = Claims(pages.count)
    free, is_free_sound = pages.free_pages()
    made, _ = read_schema(pages, claims, free)
    schema = understand(complete(made, understand(made).unclear, like))
    seen = {table.name: look(pages, table, claims) for table in schema.tables}
    for one in seen.values():
        one.entries = _count_entries(pages, one.table)
        if one.entries is not None and one.entries != one.rows:
            one.is_damaged = True
    # Only now it is known which pages two of them lay claim to.
    for one in seen.values():
        one.is_damaged = one.is_damaged or any(_is_shared(pages, one.table, claims))
    return Survey(schema, seen, claims, free, is_free_sound)


def read_schema(pages: PageFile, claims: Claims, free: set[int]) -> tuple[tuple[Made, ...], bool]:
    """Return the rows of the schema, also those in leaves that nothing leads to any more, and whether its tree was sound."""
    rows: dict[int, Made] = {}
    is_whole = True
    for found in walk_table(pages, SCHEMA_TABLE):
        if isinstance(found, Hole):
            is_whole = False
            continue
        claims.add(found.page)
        is_whole = is_whole and not found.leaf.is_flawed
        _take_made(pages, found.leaf.cells, rows)
    if not is_whole:
        for page in range(2, pages.count + 1):
            leaf = pages.leaf(page) if claims.is_free(page) and page not in free and pages.kind(page) == TABLE_LEAF else None
            if leaf is not None and leaf.cells and read_row(pages, leaf.cells[0], SCHEMA_TABLE) is not None:
                _take_made(pages, leaf.cells, rows)
    unique = {(made.kind, made.name): made for _, made in sorted(rows.items())}
    return tuple(unique.values()), is_whole


def complete(made: tuple[Made, ...], unclear: tuple[str, ...], like: tuple[Made, ...]) -> tuple[Made, ...]:
    """Return the rows of a schema with what is missing or unclear in it taken from another. Where a table begins that is missing is
    not known: it has no page, and its rows are those that nobody else's are."""
    own = {(one.kind, one.name): one for one in made}
    for one in like:
        mine = own.get((one.kind, one.name))
        if mine is None or one.name in unclear:
            own[one.kind, one.name] = replace(one, root=mine.root if mine is not None else 0)
    return tuple(own.values())


def read_sequences(pages: PageFile, seen: Mapping[str, Seen]) -> dict[str, int]:
    """Return the highest numbers that were ever given out, by table."""
    table = seen[SEQUENCE].table if SEQUENCE in seen else None
    cells = (cell for found in walk_table(pages, table) if isinstance(found, Found) for cell in found.leaf.cells) if table else ()
    rows = (read_row(pages, cell, table) for cell in cells if table is not None)
    return {row[0]: row[1] for row in rows if row is not None and isinstance(row[0], str) and isinstance(row[1], int)}


def _take_made(pages: PageFile, cells: tuple[Cell, ...], rows: dict[int, Made]) -> None:
    for cell in cells:
        values = read_row(pages, cell, SCHEMA_TABLE)
        made = parse_made(values) if values is not None else None
        if made is not None and cell.rowid not in rows:
            rows[cell.rowid] = made


def look(pages: PageFile, table: Table, claims: Claims) -> Seen:
    """Walk a table, claim its pages and those its rows go on in, and count its rows."""
    seen = Seen(table)
    before = EVERYTHING.above
    for found in walk_table(pages, table):
        if isinstance(found, Hole):
            seen.holes.append(found.range)
            seen.is_damaged = True
            continue
        claims.add(found.page)
        good, before, is_sound = _look_at(pages, found, before, claims)
        seen.rows += good
        seen.is_damaged = seen.is_damaged or not is_sound
    return seen


def _look_at(pages: PageFile, found: Found, before: int, claims: Claims) -> tuple[int, int, bool]:
    """Return how many rows of a leaf are in order, the last one's number, and whether all is well."""
    good, is_sound = 0, not found.leaf.is_flawed
    for cell in found.leaf.cells:
        is_whole = _claim_chain(pages, cell, claims)
        if cell.rowid in found.range and cell.rowid > before and is_whole:
            good += 1
            before = cell.rowid
        else:
            is_sound = False
    return good, before, is_sound


def _claim_chain(pages: PageFile, cell: Cell, claims: Claims) -> bool:
    if not cell.overflow:
        return True
    chain = list(pages.chain(cell))
    for page in chain:
        claims.add(page)
    return pages.is_whole(cell, chain)


def _is_shared(pages: PageFile, table: Table, claims: Claims) -> list[bool]:
    if not claims.has_shared:
        return []
    found = (one for one in walk_table(pages, table) if isinstance(one, Found))
    return [True for one in found if claims.is_shared(one.page) or any(map(claims.is_shared, _chains(pages, one)))]


def _chains(pages: PageFile, found: Found) -> list[int]:
    return [page for cell in found.leaf.cells if cell.overflow for page in pages.chain(cell)]


def _count_entries(pages: PageFile, table: Table) -> int | None:
    """Return what most of a table's indexes count, None where none can be read wholly."""
    counts = [count for index in table.indexes if index.columns and (count := count_index(pages, index.root)) is not None]
    return mode(sorted(counts, reverse=True)) if counts else None
