"""The schema of a database as its pages have it: also where SQLite cannot read it any more."""

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field

from plexguard.db_export.database.schema import quoted
from plexguard.db_export.repair.records import Affinity, Column, RawText, Value, affinity_of

KINDS = ("table", "index", "trigger", "view")
SCHEMA = "sqlite_master"
SEQUENCE = "sqlite_sequence"
_TABLE = re.compile(r"CREATE\s+TABLE\b", re.IGNORECASE)
_VIRTUAL = re.compile(r"CREATE\s+VIRTUAL\s+TABLE\b.*?\bUSING\s+(\w+)", re.IGNORECASE | re.DOTALL)
_ICU = re.compile(r"COLLATE\s+[\"'`\[]?icu_", re.IGNORECASE)
_WITHOUT_ROWID = re.compile(r"WITHOUT\s+ROWID\s*(,|$)", re.IGNORECASE)
# What a virtual table's own tables are called: https://www.sqlite.org/fts3.html#shadow_tables, rtree.html, spellfix1.html.
_SHADOWS = {
    "fts4": ("content", "segments", "segdir", "docsize", "stat"),
    "fts3": ("content", "segments", "segdir"),
    "spellfix1": ("vocab",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A row of the schema."""

    kind: str
    name: str
    table: str
    root: int
    sql: str

    @property
    def is_virtual(self) -> bool:
        return self.kind == "table" and _VIRTUAL.match(self.sql) is not None

    @property
    def is_plex_only(self) -> bool:
        """Whether it is an index in an order that only Plex's own SQLite knows."""
        return self.kind == "index" and _ICU.search(self.sql) is not None

    @property
    def module(self) -> str:
        found = _VIRTUAL.match(self.sql)
        return found[1].lower() if found is not None and self.kind == "table" else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An index with a tree of its own. columns: their places in the table; () where it is not of plain columns, of all rows."""

    name: str
    root: int
    columns: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with pages. is_derived: it can be made again from others, as the full-text tables can."""

    name: str
    root: int
    sql: str
    columns: tuple[Column, ...]
    indexes: tuple[Index, ...] = ()
    is_derived: bool = False

    @property
    def has_rowid_column(self) -> bool:
        return any(column.is_rowid for column in self.columns)


_TEXT = Affinity.TEXT
SCHEMA_TABLE = Table(
    name=SCHEMA,
    root=1,
    sql="",
    columns=(
        Column(name="type", affinity=_TEXT, not_null=True),
        Column(name="name", affinity=_TEXT, not_null=True),
        Column(name="tbl_name", affinity=_TEXT, not_null=True),
        Column(name="rootpage", affinity=Affinity.INTEGER),
        Column(name="sql", affinity=_TEXT),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """made: all rows, in order. tables: those with pages. unclear: names of those whose statement makes no sense any more."""

    made: tuple[Made, ...]
    tables: tuple[Table, ...]
    unclear: tuple[str, ...] = field(default=())

    @property
    def plex_only(self) -> tuple[Made, ...]:
        return tuple(made for made in self.made if made.is_plex_only)


def parse_made(values: tuple[Value, ...]) -> Made | None:
    """Return a row of the schema, None for what is none."""
    if len(values) != 5 or any(isinstance(value, RawText | bytes) for value in values):
        return None
    kind, name, table, root, sql = values
    if kind not in KINDS or not isinstance(name, str) or not isinstance(table, str) or not name:
        return None
    return Made(kind=str(kind), name=name, table=table, root=root if isinstance(root, int) else 0, sql=str(sql or ""))


def understand(made: tuple[Made, ...]) -> Schema:
    """Return what rows of the schema say, asking SQLite about each statement in an empty database in memory."""
    derived = {f"{one.name}_{part}" for one in made for part in _SHADOWS.get(one.module, ())} | {"sqlite_stat1", "sqlite_stat4"}
    # Zeros are what a lost write leaves.
    tables, unclear = [], [one.name for one in made if "\0" in one.sql]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as scratch:
        scratch.execute("PRAGMA writable_schema=ON")
        for one in made:
            if one.kind != "table" or one.is_virtual or one.name in unclear:
                continue
            columns = _columns_of(scratch, one)
            if columns is None:
                unclear.append(one.name)
                continue
            indexes = tuple(_indexes_of(scratch, made, one.name, columns))
            tables.append(
                Table(
                    name=one.name,
                    root=one.root,
                    sql=one.sql,
                    columns=columns,
                    indexes=indexes,
                    is_derived=one.name in derived,
                )
            )
    return Schema(made=made, tables=tuple(tables), unclear=tuple(unclear))


def _columns_of(scratch: sqlite3.Connection, made: Made) -> tuple[Column, ...] | None:
    if not _TABLE.match(made.sql) or _WITHOUT_ROWID.search(made.sql):
        return None
    try:
        if made.name != SEQUENCE:
            scratch.execute(made.sql)
        else:
            scratch.execute("CREATE TABLE makes_it (id INTEGER PRIMARY KEY AUTOINCREMENT)")
        rows = scratch.execute(f"PRAGMA table_xinfo({quoted(made.name)})").fetchall()
    except sqlite3.Error:
        return None
    keys = [row for row in rows if row[5]]
    alias = keys[0][1] if len(keys) == 1 and keys[0][2].upper() == "INTEGER" else None
    return (
        tuple(Column(name=row[1], affinity=affinity_of(row[2]), not_null=bool(row[3]), is_rowid=row[1] == alias) for row in rows)
        or None
    )


def _indexes_of(scratch: sqlite3.Connection, made: tuple[Made, ...], table: str, columns: tuple[Column, ...]) -> list[Index]:
    found = []
    for one in made:
        if one.kind != "index" or one.table != table or one.root < 2:
            continue
        try:
            # A collation need not be known: only the columns are asked for.
            if one.sql:
                scratch.execute(re.sub(r"COLLATE\s+[\"'`\[]?icu_\w+[\"'`\]]?", "", one.sql, flags=re.IGNORECASE))
            rows = scratch.execute(f"PRAGMA index_xinfo({quoted(one.name)})").fetchall()
        except sqlite3.Error:
            continue
        places = tuple(row[1] for row in rows if row[5])
        is_plain = all(0 <= place < len(columns) for place in places) and not re.search(r"\)\s*WHERE\b", one.sql, re.IGNORECASE)
        found.append(Index(name=one.name, root=one.root, columns=places if is_plain else ()))
    return found
