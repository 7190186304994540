"""The schema table, row by row: what it names, and whether the pages that it names can be what it says. Pure.

Source: https://www.sqlite.org/fileformat2.html#storage_of_the_sql_database_schema.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from plexguard.db_export.check.findings import Finding, Kind, damage

_TYPES = ("table", "index", "view", "trigger")
# The first byte of a page: a leaf or an interior page of a tree of rows, or of keys.
_ROWS, _KEYS = (0x0D, 0x05), (0x0A, 0x02)
_VIRTUAL = re.compile(r"\s*CREATE\s+VIRTUAL\s", re.IGNORECASE)
_WITHOUT_ROWID = re.compile(r"WITHOUT\s+ROWID\W*$", re.IGNORECASE)
_NAMED = re.compile(
    r"\s*CREATE\s+(?:UNIQUE\s+)?(table|index|view|trigger)\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    r"(?:\"((?:[^\"]|\"\")+)\"|'((?:[^']|'')+)'|`([^`]+)`|\[([^\]]+)\]|(\w+))",
    re.IGNORECASE,
)
# What a library of any version has: one of them missing is a lost table, all of them missing is no library.
NEEDED = ("library_sections", "media_items", "media_parts", "media_streams", "metadata_items", "schema_migrations",
          "section_locations", "tags", "taggings")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of sqlite_master. root: its first page; 0 for what has none."""

    type: str
    name: str
    table: str
    root: int
    sql: str

    @property
    def is_virtual(self) -> bool:
        return _VIRTUAL.match(self.sql) is not None

    @property
    def has_pages(self) -> bool:
        return self.type == "index" or (self.type == "table" and not self.is_virtual)

    @classmethod
    def from_row(cls, row: tuple[object, ...]) -> "Entry":
        kind, name, table, root, sql = row
        number = root if isinstance(root, int) else 0 if root is None else -1
        return cls(type=_text(kind), name=_text(name), table=_text(table), root=number, sql=_text(sql))


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else repr(value)


def judge_catalog(entries: Iterable[Entry], page_types: Mapping[int, int], pages: int) -> Iterator[Finding]:
    """Yield what is wrong with the rows. page_types: the first byte of each root page. pages: how many the file has."""
    rows = tuple(entries)
    yield from (finding for entry in rows if (finding := _judge_entry(entry, page_types, pages)) is not None)
    tables = {entry.name for entry in rows if entry.type == "table"} | {entry.name for entry in rows if entry.type == "view"}
    for entry in rows:
        if entry.type in ("index", "trigger") and entry.table not in tables:
            yield _wrong(entry, f"belongs to {entry.table!r}, which is not there")
    names = Counter((entry.type == "trigger", entry.name.lower()) for entry in rows)
    for (_, name), number in names.items():
        if number > 1:
            yield damage(Kind.SCHEMA, f"{number} objects have the name {name!r}", table=name)
    for root, number in Counter(entry.root for entry in rows if entry.has_pages).items():
        if number > 1:
            owners = ", ".join(entry.name for entry in rows if entry.has_pages and entry.root == root)
            yield damage(Kind.SCHEMA, f"{number} objects begin at page {root}: {owners}")
    if any(name in tables for name in NEEDED):
        yield from (damage(Kind.MISSING_TABLE, "the table is gone", table=name) for name in NEEDED if name not in tables)


def _judge_entry(entry: Entry, page_types: Mapping[int, int], pages: int) -> Finding | None:
    if entry.type not in _TYPES:
        return _wrong(entry, f"is of the type {entry.type!r}, which does not exist")
    if not entry.sql and not entry.name.startswith("sqlite_autoindex_"):
        return _wrong(entry, "has lost its statement")
    if entry.sql and not _has_own_statement(entry):
        return _wrong(entry, f"has the statement of something else: {entry.sql[:60]}")
    if not entry.has_pages:
        return _wrong(entry, f"has no pages, and yet begins at page {entry.root}") if entry.root else None
    if not 2 <= entry.root <= pages:
        return _wrong(entry, f"begins at page {entry.root} of {pages}")
    of_keys = entry.type == "index" or _WITHOUT_ROWID.search(entry.sql) is not None
    found = page_types.get(entry.root, 0)
    if found not in (_KEYS if of_keys else _ROWS):
        return _wrong(entry, f"begins at page {entry.root}, which is no page of {'keys' if of_keys else 'rows'} ({found:#04x})")
    return None


def _has_own_statement(entry: Entry) -> bool:
    """Tell whether a statement makes what its row is about; only what all of them have in common is looked at."""
    if entry.is_virtual:
        return entry.type == "table"
    found = _NAMED.match(entry.sql)
    if found is None:
        return False
    name = next((text for text in found.groups()[1:] if text), "").replace('""', '"').replace("''", "'")
    return found[1].lower() == entry.type and name == entry.name


def _wrong(entry: Entry, what: str) -> Finding:
    return damage(Kind.SCHEMA, f"{entry.type} {entry.name}: {what}", table=entry.table)
