"""The schema table, row by row."""

from dataclasses import replace

import pytest

from plexguard.db_export.check.catalog import NEEDED, Entry, judge_catalog
from plexguard.db_export.check.findings import Kind

TABLE = Entry(type="table", name="tags", table="tags", root=2, sql='CREATE TABLE "tags" (id INTEGER PRIMARY KEY, tag)')
INDEX = Entry(type="index", name="on_tag", table="tags", root=3, sql='CREATE INDEX "on_tag" ON "tags" (tag)')
AUTO = Entry(type="index", name="sqlite_autoindex_tags_1", table="tags", root=4, sql="")
BARE = Entry(type="table", name="bare", table="bare", root=5, sql="CREATE TABLE bare (a PRIMARY KEY) WITHOUT ROWID")
FTS = Entry(type="table", name="fts", table="fts", root=0, sql="CREATE VIRTUAL TABLE fts USING fts4(tag)")
TRIGGER = Entry(type="trigger", name="t", table="tags", root=0, sql="CREATE TRIGGER t AFTER DELETE ON tags BEGIN SELECT 1; END")
OTHERS = tuple(
    Entry(type="table", name=name, table=name, root=10 + n, sql=f"CREATE TABLE '{name}' (id)")
    for n, name in enumerate(NEEDED)
    if name != "tags"
)
SOUND = (TABLE, INDEX, AUTO, BARE, FTS, TRIGGER, *OTHERS)
TYPES = {2: 0x0D, 3: 0x0A, 4: 0x02, 5: 0x0A} | {entry.root: 0x05 for entry in OTHERS}


def found(*entries: Entry) -> list[Kind]:
    return [finding.kind for finding in judge_catalog(entries, TYPES, 50)]


def test_sound_schema_has_no_findings() -> None:
    assert found(*SOUND) == []


@pytest.mark.parametrize(
    "wrong",
    [
        replace(INDEX, type="inde\x78\x00"),
        replace(INDEX, sql=""),
        replace(INDEX, sql="CREATE TABLE on_tag (a)"),
        replace(INDEX, sql="CREATE INDEX other ON tags (tag)"),
        replace(INDEX, table="gone"),
        replace(INDEX, root=0),
        replace(INDEX, root=51),
        replace(INDEX, root=1),
        replace(FTS, root=7),
    ],
)
def test_wrong_row_is_found(wrong: Entry) -> None:
    rows = [wrong if entry.name == wrong.name else entry for entry in SOUND]
    assert found(*rows) == [Kind.SCHEMA]


def test_root_of_the_wrong_kind_is_found() -> None:
    assert found(*(replace(entry, root=5) if entry is TABLE else entry for entry in SOUND if entry is not BARE)) == [Kind.SCHEMA]


def test_one_root_for_two_is_found() -> None:
    assert found(*SOUND, replace(INDEX, name="again", sql="CREATE INDEX again ON tags (id)")) == [Kind.SCHEMA]


def test_one_name_for_two_is_found() -> None:
    assert Kind.SCHEMA in found(*SOUND, replace(BARE, root=0, type="view", sql="CREATE VIEW bare AS SELECT 1"))


def test_table_that_every_library_has_is_missed() -> None:
    assert found(*(entry for entry in SOUND if entry.name != "media_parts")) == [Kind.MISSING_TABLE]


def test_database_of_something_else_misses_none() -> None:
    assert found(BARE) == []


def test_values_of_the_wrong_type_are_kept_as_text() -> None:
    entry = Entry.from_row(("table", 7, None, "x", b"CREATE"))
    assert (entry.name, entry.table, entry.root) == ("7", "", -1)
