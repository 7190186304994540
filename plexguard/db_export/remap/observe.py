"""What mappings would do to a database: reads it, and changes nothing. It may be live: no read lasts long."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from plexguard.db_export.database.schema import quoted
from plexguard.db_export.remap.columns import FILE, LINKED, Column, Kind, find_columns
from plexguard.db_export.remap.decide import Mover

# Rows that are read at once.
BATCH = 20_000
_FIRST_ROW = -(2**63)
# Type by type, so that indexes alone tell it: in a row megabytes stand before the guid.
LINKED_GUIDS = f"SELECT linked_guid FROM blobs WHERE linked_type IN (SELECT DISTINCT linked_type FROM blobs) AND {LINKED.filter}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Values that a mapping would move, and that stay. is_closed: since only Plex's own SQLite can change them; is_remade: since
    Plex makes anew what they belong to; else since nothing is known of that column. example: the first of them."""

    column: str
    count: int
    example: str
    is_closed: bool = False
    is_remade: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Collision:
    """Several paths that would become one, or one that would become another that is there."""

    path: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """mappings: how many values each would move, by its old path. columns: how many values of each would be moved."""

    mappings: Counter[str]
    columns: Counter[str]
    left: tuple[Left, ...]
    collisions: tuple[Collision, ...]


def forecast(connection: sqlite3.Connection, mover: Mover) -> Forecast:
    """Look through a whole database. Raises sqlite3.Error."""
    found = find_columns(connection)
    mappings: Counter[str] = Counter()
    columns: Counter[str] = Counter()
    for column in found.changeable:
        for batch in moves(connection, column, mover):
            mappings.update(old for _, _, old in batch)
            columns[str(column)] += len(batch)
    return Forecast(
        mappings=mappings, columns=+columns, left=find_left(connection, mover), collisions=find_meetings(connection, mover)
    )


def find_left(connection: sqlite3.Connection, mover: Mover) -> tuple[Left, ...]:
    """Return what a remap leaves as it is, although a mapping would move it."""
    found = find_columns(connection)
    closed = (_find_closed(connection, column, mover) for column in found.closed)
    return (*(left for left in closed if left is not None), *find_unknown(connection, found.unknown, mover))


def find_linked(connection: sqlite3.Connection, mover: Mover) -> tuple[Left, ...]:
    """Return the guids of the blobs database that a mapping would move. Raises sqlite3.Error."""
    known = find_columns(connection)
    if LINKED not in (*known.changeable, *known.closed):
        return ()
    moved = [value for (value,) in connection.execute(LINKED_GUIDS) if mover.move_url(value) is not None]
    return (Left(column=f"{LINKED} of the blobs", count=len(moved), example=moved[0], is_remade=True),) if moved else ()


def find_meetings(connection: sqlite3.Connection, mover: Mover) -> tuple[Collision, ...]:
    """Return the files of a database that would become one."""
    if not may_collide(mover, lambda folder: _has_files(connection, folder)):
        return ()
    return find_collisions(lambda: _read_files(connection), mover)


def moves(connection: sqlite3.Connection, column: Column, mover: Mover) -> Iterator[list[tuple[int, str, str]]]:
    """Yield what becomes of the values of a column, some at a time: row, new value, old path of its mapping."""
    move = mover.move if column.kind is Kind.PATH else mover.move_url
    for rows in _read(connection, column):
        yield [(row, moved[0], moved[1]) for row, value in rows if (moved := move(value)) is not None]


def _read(connection: sqlite3.Connection, column: Column) -> Iterator[list[tuple[int, str]]]:
    """Yield the values of a column that look like paths, in the order of their rows, whatever is done to them meanwhile."""
    name, table = quoted(column.name), quoted(column.table)
    statement = f"SELECT rowid, {name} FROM {table} NOT INDEXED WHERE rowid > ? AND {column.filter} ORDER BY rowid LIMIT {BATCH}"
    last = _FIRST_ROW
    while rows := connection.execute(statement, (last,)).fetchall():
        yield rows
        last = rows[-1][0]


def _find_closed(connection: sqlite3.Connection, column: Column, mover: Mover) -> Left | None:
    first, count = "", 0
    move = mover.move if column.kind is Kind.PATH else mover.move_url
    for rows in _read(connection, column):
        values = [value for _, value in rows if move(value) is not None]
        first, count = first or next(iter(values), ""), count + len(values)
    return Left(column=str(column), count=count, example=first, is_closed=True) if count else None


def find_unknown(connection: sqlite3.Connection, columns: Iterable[Column], mover: Mover) -> Iterator[Left]:
    """Yield the columns of which nothing is known and that hold paths which a mapping would move. One look through each table."""
    tables: defaultdict[str, list[Column]] = defaultdict(list)
    for column in columns:
        tables[column.table].append(column)
    for table, of_table in tables.items():
        counts: Counter[str] = Counter()
        examples: dict[str, str] = {}
        names = list(dict.fromkeys(column.name for column in of_table))
        wanted = " OR ".join(column.filter for column in of_table)
        for row in connection.execute(f"SELECT {', '.join(map(quoted, names))} FROM {quoted(table)} NOT INDEXED WHERE {wanted}"):
            for name, value in zip(names, row, strict=True):
                if isinstance(value, str) and (mover.move(value) or mover.move_url(value)) is not None:
                    counts[name] += 1
                    examples.setdefault(name, value)
        # Where a column is known, only what is of another kind was asked for; what it should hold may be in the same row.
        for name, count in counts.items():
            yield Left(column=f"{table}.{name}", count=count, example=examples[name])


def may_collide(mover: Mover, has_files: Callable[[str], bool]) -> bool:
    """Tell whether any paths could become one: not where each mapping has a place of its own, and nothing is there yet.

    Of two paths that become one, both were moved by mappings whose places overlap, or one was and the other was there before: a
    single mapping keeps apart what is apart. has_files: tells it of a folder, or of a file by its own path; the root is "".
    """
    return not mover.is_apart or any(map(has_files, mover.targets))


def find_collisions(read: Callable[[], Iterable[str]], mover: Mover) -> tuple[Collision, ...]:
    """Return the paths that several would become. read: gives all paths there are, each once, as often as it is asked.

    Files can only meet in a folder that two folders become, or that a file is mapped into by itself: the others, which are nearly
    all, are not looked at one by one.
    """
    suspects = _find_suspects(read(), mover)
    if not suspects:
        return ()
    sources: defaultdict[str, list[str]] = defaultdict(list)
    for path in read():
        moved = mover.move(path)
        new = path if moved is None else moved[0]
        if _folder(new) in suspects:
            sources[new].append(path)
    return tuple(Collision(path=new, sources=tuple(old)) for new, old in sorted(sources.items()) if len(old) > 1)


def _find_suspects(paths: Iterable[str], mover: Mover) -> set[str]:
    becomes: dict[str, str] = {}
    suspects: set[str] = set()
    seen: set[str] = set()
    for path in paths:
        folder = path[: path.rindex("/")]
        if mover.is_mapped(path):
            suspects.add(_folder((mover.move(path) or (path, ""))[0]))
        if folder not in seen:
            seen.add(folder)
            moved = mover.move(folder + "/") if folder else mover.move("//")
            new = folder if moved is None else _folder(moved[0])
            if becomes.setdefault(new, folder) != folder:
                suspects.add(new)
    return suspects


def _folder(path: str) -> str:
    return path[: path.rindex("/")]


def _read_files(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield the path of each file once: several parts may share one, as two episodes in one file do."""
    name = quoted(FILE.name)
    rows = connection.execute(f"SELECT DISTINCT {name} FROM {quoted(FILE.table)} WHERE {FILE.filter}")
    return (path for (path,) in rows)


def _has_files(connection: sqlite3.Connection, folder: str) -> bool:
    where, ends = _below(folder)
    return connection.execute(f"SELECT 1 FROM {quoted(FILE.table)} WHERE {where} LIMIT 1", ends).fetchone() is not None


def _below(folder: str) -> tuple[str, tuple[bytes, ...]]:
    """Return the condition for the files below a folder, or that have its path themselves, and what it is to be asked with."""
    name, below = quoted(FILE.name), folder.rstrip("/")
    where = f"({name} >= CAST(? AS TEXT) AND {name} < CAST(? AS TEXT) OR {name} = CAST(? AS TEXT))"
    return where, tuple(text.encode("utf-8", "surrogateescape") for text in (f"{below}/", f"{below}0", folder))


def sample_files(connection: sqlite3.Connection, folders: Iterable[str], *, most: int) -> tuple[str, ...]:
    """Return some of the files below folders, or that are named themselves, spread over all there are."""
    found: list[str] = []
    name, table = quoted(FILE.name), quoted(FILE.table)
    for folder in sorted(set(folders)):
        where, ends = _below(folder)
        (count,) = connection.execute(f"SELECT count(*) FROM {table} WHERE {where}", ends).fetchone()
        step = max(1, count // most)
        rows = connection.execute(f"SELECT {name} FROM {table} WHERE {where} AND rowid % ? = 0", (*ends, step))
        found += [path for (path,) in rows]
    step = max(1, len(found) // most)
    return tuple(sorted(set(found))[::step][:most])
