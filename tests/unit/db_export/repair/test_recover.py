"""What is made of the lines that `sqlite3 .recover` prints; they are as 3.46 prints them."""

from pathlib import Path

import pytest

from plexguard.core.errors import DataError
from plexguard.core.host import Completed
from plexguard.db_export.repair.records import RawText
from plexguard.db_export.repair.recover import Sqlite3
from plexguard.db_export.repair.shape import Made, understand
from tests.fakes.ports import FakeClock, FakeHost, FakeStream

SOURCE = Path("/data/library.db")
SQL = {
    "parts": 'CREATE TABLE parts (id INTEGER PRIMARY KEY, file varchar(255), size integer, "it\'s" text)',
    "versions": "CREATE TABLE versions (version varchar(255) NOT NULL, rollback text)",
}
TABLES = {
    table.name: table
    for table in understand(tuple(Made(kind="table", name=name, table=name, root=2, sql=sql) for name, sql in SQL.items())).tables
}
INSERT = "INSERT OR IGNORE INTO 'parts'('id', 'file', 'size', 'it''s') VALUES "


def recover(*lines, tables=TABLES):
    stream = FakeStream(["BEGIN;", "PRAGMA writable_schema = on;", *lines])
    host = FakeHost(streams=[stream])
    run = Sqlite3(host=host, clock=FakeClock()).recover(SOURCE, tables)
    try:
        return [(table.name, row) for table, row in run], run.aside
    finally:
        assert stream.closed
        assert host.ran[0][-2] == str(SOURCE)


def test_rows_are_read_with_their_numbers_as_they_are_stored():
    rows, aside = recover(
        SQL["parts"] + ";",
        INSERT + "(7, 'it''s /a); b', 12, NULL);",
        INSERT + r"(8, replace('a\nb','\n', char(10)), 9223372036854775807, X'00FF');",
        "INSERT OR IGNORE INTO 'versions'(_rowid_, 'version', 'rollback') VALUES (3, '2024', NULL);",
        # From before a column was added.
        "INSERT OR IGNORE INTO 'versions'(_rowid_, 'version') VALUES (4, '2025');",
        "CREATE INDEX on_file ON parts (file COLLATE icu_root);",
        "COMMIT;",
    )
    assert rows == [
        ("parts", (7, (None, "it's /a); b", 12, None))),
        ("parts", (8, (None, "a\nb", 9223372036854775807, b"\x00\xff"))),
        ("versions", (3, ("2024", None))),
        ("versions", (4, ("2025",))),
    ]
    assert aside == 0


@pytest.mark.parametrize(
    "line",
    [
        INSERT + "(7, 'cut off",
        INSERT + "(7, 'a', 1, NULL); DROP TABLE parts;",
        INSERT + "('seven', 'a', 1, NULL);",
        # Not what that column can hold.
        INSERT + "(7, 12, 1, NULL);",
        # Bytes that the port could not decode.
        INSERT + "(7, 'caf\N{REPLACEMENT CHARACTER}', 1, NULL);",
        "INSERT OR IGNORE INTO 'parts'('id', 'size', 'file') VALUES (7, 1, 'a');",
        "INSERT OR IGNORE INTO 'other'('id') VALUES (7);",
        "INSERT INTO sqlite_schema VALUES('table', 'parts', 'parts', 0, 'CREATE VIRTUAL TABLE parts USING fts4()');",
    ],
)
def test_what_can_be_no_row_of_a_table_that_is_asked_for_is_left_out(line):
    assert recover(line, "COMMIT;") == ([], 0)


def test_text_that_is_none_stays_as_it_is():
    assert recover(INSERT + "(7, CAST(X'FF41' AS TEXT), 1, NULL);", "COMMIT;")[0] == [
        ("parts", (7, (None, RawText(b"\xffA"), 1, None)))
    ]


def test_entries_without_a_table_are_counted():
    line = "INSERT INTO plexguard_aside VALUES(85, 85, 53, 1, NULL);"
    assert recover("CREATE TABLE plexguard_aside(rootpgno INTEGER);", line, line, "COMMIT;") == ([], 2)


@pytest.mark.parametrize(
    ("last", "why"), [((), "ended with code 1"), ((None,), "no end within 3600 s")], ids=["ends early", "says nothing more"]
)
def test_a_run_that_does_not_get_to_its_end_is_an_error(last, why):
    with pytest.raises(DataError, match=why):
        recover(INSERT + "(7, 'a', 1, NULL);", *last)


@pytest.mark.parametrize(
    ("answer", "obstacle"),
    [
        (Completed(code=0, stdout="BEGIN;\nINSERT INTO 'probe' VALUES (1, 'plexguard');\nCOMMIT;\n", stderr=""), ""),
        (Completed(code=1, stdout="BEGIN;\n", stderr="sql error: SQL logic error (1)\n"), "SQL logic error"),
        (Completed(code=0, stdout="BEGIN;\nCOMMIT;\n", stderr=""), "exit code 0"),
    ],
    ids=["3.46", "3.40 of Debian 12", "nothing comes back"],
)
def test_a_program_is_asked_what_it_can_not_how_new_it_is(answer, obstacle):
    found = Sqlite3(host=FakeHost({"sqlite3 -batch": answer}), clock=FakeClock()).find_obstacle()
    assert obstacle in found
    assert bool(found) is bool(obstacle)


def test_a_machine_without_the_program_can_not():
    assert "no sqlite3" in Sqlite3(host=FakeHost(), clock=FakeClock()).find_obstacle()
