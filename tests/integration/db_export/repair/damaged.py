"""Libraries that are damaged on purpose, and what can be read of them."""

import random
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.clock import SystemClock
from plexguard.core.host import LocalHost
from plexguard.db_export.check.observe import look_at_files
from plexguard.db_export.check.run import check_copy
from plexguard.db_export.database.files import PlexData
from plexguard.db_export.repair.ladder import Climb, Ladder, opens, read_like
from plexguard.db_export.repair.mend import PlexSqlite
from plexguard.db_export.repair.pages import PageFile
from plexguard.db_export.repair.recover import Sqlite3
from plexguard.db_export.repair.reload import Reloaded, reload
from plexguard.db_export.repair.survey import survey
from tests.fakes.ports import FakeHost

# What is made again from others.
DERIVED = ("fts4_", "spellfix_")
Rows = dict[str, set[tuple[object, ...]]]


def age(data: PlexData) -> None:
    """Delete rows here and there: their pages become free ones, with what was in them."""
    with closing(sqlite3.connect(data.library, isolation_level=None)) as connection:
        for sql in (
            "DELETE FROM statistics_bandwidth WHERE id > 50",
            "DELETE FROM metadata_item_views WHERE id % 2 = 0",
            "DELETE FROM media_streams WHERE id BETWEEN 20 AND 60",
            "DELETE FROM taggings WHERE id > 20",
        ):
            connection.execute(sql)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def read_rows(path: Path) -> Rows:
    """Return all rows that SQLite reads, of each table up to where it stops: what a dump would have."""
    found: Rows = {}
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
        connection.text_factory = bytes
        names: list[str] = []
        with suppress(sqlite3.DatabaseError):
            made = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'")
            names = [name.decode() for (name,) in made]
        for name in names:
            if name != "sqlite_sequence":
                rows = found.setdefault(name, set())
                with suppress(sqlite3.DatabaseError):
                    rows.update(connection.execute(f'SELECT rowid, * FROM "{name}" NOT INDEXED'))
    return found


def count(rows: Rows) -> int:
    return sum(map(len, rows.values()))


def common(rows: Rows, true: Rows) -> int:
    return sum(len(rows.get(table, set()) & true[table]) for table in true)


def invented(rows: Rows, true: Rows) -> dict[str, int]:
    """Return how many rows there are that never were."""
    wrong = {table: len(found - true.get(table, set())) for table, found in rows.items()}
    return {table: number for table, number in wrong.items() if number}


def plain(rows: Rows) -> Rows:
    """Return the rows that nothing else can be made from."""
    return {table: found for table, found in rows.items() if not table.startswith(DERIVED)}


def climb(data: PlexData, *, forced: bool = True, command: str = "sqlite3", program: Sqlite3 | None = None) -> Climb:
    """Go up the whole ladder with the real check. command: the sqlite3 program; or program itself."""
    work = data.databases / "work"
    work.mkdir()
    plex = PlexSqlite(host=FakeHost(), command=Path("/nowhere/Plex SQLite"))
    program = program or Sqlite3(host=LocalHost(), clock=SystemClock(), command=command)
    ladder = Ladder(work=work, check=check_copy, look_beside=look_at_files, plex=plex, sqlite3=program, forced=forced)
    return ladder.climb(data.library, like=data.blobs)


def mend(data: PlexData, target: Path) -> Reloaded:
    """Write a new library from a damaged one, as the ladder does."""
    with PageFile(data.library) as pages:
        found = survey(pages, like=read_like(data.blobs))
    return reload(data.library, target, found=found, is_readable=opens(data.library))


@dataclass(frozen=True, slots=True)
class Bytes:
    """The bytes of a database, by page, the first is 1."""

    data: bytearray
    size: int

    def page(self, number: int) -> slice:
        return slice((number - 1) * self.size, number * self.size)

    def leaves(self) -> list[int]:
        """The leaves of tables, the schema's left out."""
        schema = b"CREATE TABLE"
        return [
            n
            for n in range(2, len(self.data) // self.size + 1)
            if self.data[self.page(n)][0] == 0x0D and self.data[self.page(n)][4] > 1 and schema not in self.data[self.page(n)]
        ]

    def zero(self, number: int) -> None:
        self.data[self.page(number)] = bytes(self.size)

    def swap(self, one: int, other: int) -> None:
        first, second = self.data[self.page(one)], self.data[self.page(other)]
        self.data[self.page(one)], self.data[self.page(other)] = second, first


def root_of(data: PlexData, name: str) -> int:
    with closing(sqlite3.connect(f"file:{data.library}?mode=ro&immutable=1", uri=True)) as connection:
        return int(connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0])


def edit(data: PlexData) -> Bytes:
    raw = bytearray(data.library.read_bytes())
    size = int.from_bytes(raw[16:18], "big")
    return Bytes(raw, size)


def damage(data: PlexData, kind: str, seed: int) -> None:
    """Damage a library in a way that a name says, at places that a number chooses."""
    choose = random.Random(seed)
    there = edit(data)
    raw, size = there.data, there.size
    leaves, pages = there.leaves(), len(raw) // size
    match kind:
        case "root of a table":
            there.zero(root_of(data, choose.choice(("media_parts", "metadata_items", "media_streams", "directories"))))
        case "a leaf":
            there.zero(choose.choice(leaves))
        case "six pages":
            for number in choose.sample(range(2, pages + 1), 6):
                there.zero(number)
        case "two leaves swapped":
            there.swap(*choose.sample(leaves, 2))
        case "a leaf over another":
            one, other = choose.sample(leaves, 2)
            raw[there.page(one)] = raw[there.page(other)]
        case "two pages swapped":
            there.swap(*choose.sample(range(2, pages + 1), 2))
        case "half a page":
            place = there.page(choose.choice(leaves))
            raw[place.start + size // 2 : place.stop] = bytes(size // 2)
        case "noise":
            raw[there.page(choose.randrange(2, pages + 1))] = choose.randbytes(size)
        case "bits of a head":
            for _ in range(3):
                raw[(choose.choice(leaves) - 1) * size + choose.randrange(12)] ^= 1 << choose.randrange(8)
        case "cut short":
            del raw[len(raw) - size * choose.randrange(1, 20) :]
        case "the header":
            raw[:100] = bytes(100)
        case "the first page":
            there.zero(1)
        case "a part of the schema":
            schema = [n for n in range(2, pages + 1) if b"CREATE TABLE" in raw[there.page(n)]]
            there.zero(choose.choice(schema))
        case "the list of free pages":
            raw[32:36] = choose.randrange(2, pages).to_bytes(4, "big")
        case _:
            raise AssertionError(kind)
    data.library.write_bytes(raw)


KINDS = (
    "root of a table",
    "a leaf",
    "six pages",
    "two leaves swapped",
    "a leaf over another",
    "two pages swapped",
    "half a page",
    "noise",
    "bits of a head",
    "cut short",
    "the header",
    "the first page",
    "a part of the schema",
    "the list of free pages",
)
