"""What is left of damaged databases: never less than a dump has, and nothing that was not there."""

import sqlite3
from contextlib import closing

import pytest

from plexguard.db_export.check.run import check_copy
from tests.integration.db_export.repair.damaged import (
    KINDS,
    common,
    count,
    damage,
    edit,
    invented,
    mend,
    plain,
    read_rows,
    root_of,
)


@pytest.mark.parametrize("size", [1024, 4096])
@pytest.mark.parametrize("kind", KINDS)
def test_no_fewer_rows_are_kept_than_a_dump_has_and_none_is_invented(kind, size, copy_of, true_rows, tmp_path):
    data, true = copy_of(size), true_rows[size]
    damage(data, kind, seed=size)
    dumped = read_rows(data.library)
    mend(data, tmp_path / "new.db")
    kept = read_rows(tmp_path / "new.db")
    assert common(kept, true) >= common(dumped, true)
    assert invented(plain(kept), true) == {}
    with closing(sqlite3.connect(tmp_path / "new.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("kind", ["root of a table", "the header", "the first page", "a part of the schema", "two leaves swapped"])
def test_what_only_the_way_to_was_lost_is_kept_to_the_last_row(kind, copy_of, true_rows, tmp_path):
    data = copy_of(1024)
    damage(data, kind, seed=2)
    mend(data, tmp_path / "new.db")
    kept = read_rows(tmp_path / "new.db")
    assert plain(kept) == plain(true_rows[1024])


def test_statements_with_zeros_in_them_are_taken_from_the_other_database(copy_of, true_rows, tmp_path):
    data = copy_of(4096)
    damage(data, "half a page", seed=1)
    assert b"\0" * 2048 in data.library.read_bytes()
    mend(data, tmp_path / "new.db")
    assert plain(read_rows(tmp_path / "new.db")) == plain(true_rows[4096])
    with closing(sqlite3.connect(data.blobs)) as like, closing(sqlite3.connect(tmp_path / "new.db")) as new:
        names = "SELECT type, name FROM sqlite_master WHERE name <> 'index_title_sort_icu' ORDER BY 1, 2"
        assert new.execute(names).fetchall() == like.execute(names).fetchall()


def test_a_sound_database_is_copied_row_by_row_the_same(copy_of, true_rows, tmp_path):
    data = copy_of(4096)
    done = mend(data, tmp_path / "new.db")
    assert done.read_by_page == []
    assert [made.name for made in done.left_out] == ["index_title_sort_icu"]
    assert read_rows(tmp_path / "new.db") == true_rows[4096]
    assert check_copy(tmp_path / "new.db").is_sound
    with closing(sqlite3.connect(data.library)) as old, closing(sqlite3.connect(tmp_path / "new.db")) as new:
        for pragma in ("page_size", "encoding", "user_version", "application_id"):
            assert old.execute(f"PRAGMA {pragma}").fetchone() == new.execute(f"PRAGMA {pragma}").fetchone()
        made = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name <> 'index_title_sort_icu' ORDER BY 1, 2"
        assert old.execute(made).fetchall() == new.execute(made).fetchall()
        counting = "SELECT name, seq FROM sqlite_sequence WHERE seq > 0 ORDER BY 1"
        assert old.execute(counting).fetchall() == new.execute(counting).fetchall()


def test_rows_that_were_deleted_do_not_come_back(copy_of, true_rows, tmp_path):
    # The table's root is gone, so that all of its leaves are without a place; so are the pages that held what was deleted.
    data = copy_of(1024)
    there = edit(data)
    there.zero(root_of(data, "media_streams"))
    # And the list of free pages is gone, too.
    there.data[32:40] = bytes(8)
    data.library.write_bytes(there.data)
    mend(data, tmp_path / "new.db")
    kept = read_rows(tmp_path / "new.db")
    assert kept["media_streams"] == true_rows[1024]["media_streams"]
    assert count(kept) > 0


def test_a_text_that_is_no_utf_8_stays_as_it_is(copy_of, tmp_path):
    data = copy_of(1024)
    with closing(sqlite3.connect(data.library, isolation_level=None)) as connection:
        connection.execute("UPDATE media_parts SET file = CAST(x'2F66FFFE27' AS TEXT) WHERE id = 3")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    there = edit(data)
    there.data[:100] = bytes(100)
    data.library.write_bytes(there.data)
    mend(data, tmp_path / "new.db")
    with closing(sqlite3.connect(tmp_path / "new.db")) as connection:
        connection.text_factory = bytes
        row = connection.execute("SELECT file, typeof(file) FROM media_parts WHERE id = 3").fetchone()
    assert row == (b"/f\xff\xfe'", b"text")


def test_of_rows_that_a_unique_index_takes_only_one_of_the_first_stays(copy_of, tmp_path):
    data = copy_of(1024)
    with closing(sqlite3.connect(data.library, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        sql = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'index_preferences_on_name'").fetchone()[0]
        connection.execute("DROP INDEX index_preferences_on_name")
        connection.execute("INSERT INTO preferences (name, value) VALUES ('twice', '1'), ('twice', '2'), (NULL, '3'), (NULL, '4')")
        connection.execute(sql.replace("UNIQUE ", ""))
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'index_preferences_on_name'", (sql,))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    done = mend(data, tmp_path / "new.db")
    assert done.doubled == {"preferences": 1}
    with closing(sqlite3.connect(tmp_path / "new.db")) as connection:
        rows = connection.execute("SELECT value FROM preferences WHERE name = 'twice' OR name IS NULL ORDER BY 1").fetchall()
    assert rows == [("1",), ("3",), ("4",)]
