import random
import sqlite3
from contextlib import closing

import pytest

from plexguard.db_export.archive.manifest import BadArchive
from plexguard.db_export.archive.pages import PageCounter, find_difference


def count(database, page_size, chunk_pages=7):
    """Return the rows of each table as they are counted in a stream, by name."""
    with closing(sqlite3.connect(database)) as connection:
        roots = dict(connection.execute("SELECT name, rootpage FROM sqlite_master WHERE type = 'table'"))
    roots["sqlite_master"] = 1
    counter = PageCounter(page_size)
    text, step = database.read_bytes(), page_size * chunk_pages
    for begin in range(0, len(text), step):
        counter.feed(memoryview(text)[begin : begin + step])
    return {name: counter.count(root) for name, root in roots.items()}


def fill(path, page_size, rows, *, seed=1):
    numbers = random.Random(seed)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size={page_size}")
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE long (id INTEGER PRIMARY KEY, text)")
        connection.execute("CREATE TABLE short (id INTEGER PRIMARY KEY, number)")
        connection.execute("CREATE INDEX by_number ON short (number)")
        connection.execute("CREATE TABLE empty (x)")
        for table in range(40):
            connection.execute(f"CREATE TABLE other_{table} (x, '{'y' * 300}')")
        # Texts that look like pages: of both kinds, from one end to the other.
        texts = (bytes([numbers.choice((5, 13, 0))]) * numbers.randrange(0, 3 * page_size) for _ in range(rows))
        connection.executemany("INSERT INTO long (text) VALUES (?)", ((text,) for text in texts))
        connection.executemany("INSERT INTO short (number) VALUES (?)", ((n % 97,) for n in range(rows * 20)))
        connection.execute("DELETE FROM long WHERE id % 5 = 0")
        connection.execute("DELETE FROM short WHERE id % 7 < 3")
        connection.execute("COMMIT")
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: connection.execute(f"SELECT count(*) FROM {name} NOT INDEXED").fetchone()[0] for name in [*names, "sqlite_master"]
        }


@pytest.mark.parametrize("page_size", [512, 1024, 4096, 65536])
def test_rows_are_counted_as_sqlite_does(tmp_path, page_size):
    rows = fill(tmp_path / "x", page_size, 300)
    assert rows["short"] > 3000
    assert count(tmp_path / "x", page_size) == rows


def test_table_with_another_number_of_rows_is_named(tmp_path):
    fill(tmp_path / "x", 1024, 10)
    counter = PageCounter(1024)
    counter.feed(memoryview((tmp_path / "x").read_bytes()))
    with closing(sqlite3.connect(tmp_path / "x")) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'long'").fetchone()
    assert find_difference(counter, {"long": root}, {"long": 8}) == ""
    assert find_difference(counter, {"long": root}, {"long": 9}) == "table long has 8 rows, and 9 by its manifest"


@pytest.mark.parametrize("root", [0, -1, 2**40, 3000])
def test_page_that_is_not_there(tmp_path, root):
    fill(tmp_path / "x", 1024, 10)
    counter = PageCounter(1024)
    counter.feed(memoryview((tmp_path / "x").read_bytes()))
    with pytest.raises(BadArchive):
        counter.count(root)


def test_tree_that_leads_to_itself_ends():
    page = bytearray(512)
    page[0], page[4], page[11] = 5, 1, 2
    page[12:14] = (400).to_bytes(2)
    page[400:404] = (2).to_bytes(4)
    counter = PageCounter(512)
    counter.feed(memoryview(bytes(512) + bytes(page)))
    with pytest.raises(BadArchive, match="leads out"):
        counter.count(2)


@pytest.mark.parametrize("size", [0, -1, 1000, 131072])
def test_page_size_that_is_none(size):
    with pytest.raises(BadArchive):
        PageCounter(size)


def test_piece_of_a_page_is_refused():
    with pytest.raises(BadArchive):
        PageCounter(512).feed(memoryview(bytes(700)))
