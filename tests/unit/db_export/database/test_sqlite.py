import sqlite3
from pathlib import Path

import pytest

from plexguard.core.errors import MissingInput
from plexguard.db_export.database.sqlite import DatabaseBusy, NotADatabase, reading, writing


def make(path: Path) -> Path:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x TEXT)")
        connection.execute("INSERT INTO t VALUES (CAST(x'2fff' AS TEXT))")
    connection.close()
    return path


def test_a_text_that_is_no_utf_8_comes_and_goes_as_it_is(tmp_path: Path) -> None:
    with reading(make(tmp_path / "a?b%20c.db")) as connection:
        assert connection.execute("SELECT x FROM t").fetchone() == ("/\udcff",)


def test_who_reads_cannot_write(tmp_path: Path) -> None:
    path = make(tmp_path / "a.db")

    with pytest.raises(Exception, match="readonly"), reading(path) as connection:
        connection.execute("DELETE FROM t")

    with reading(path) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (1,)


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(MissingInput), reading(tmp_path / "none.db"):
        pass
    with pytest.raises(MissingInput), writing(tmp_path / "none.db"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_database_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"not a database" * 100)

    with pytest.raises(NotADatabase, match=r"a\.db"), reading(path) as connection:
        connection.execute("SELECT * FROM sqlite_master").fetchall()


def test_a_locked_database_is_busy_and_not_damaged(tmp_path: Path) -> None:
    path = make(tmp_path / "a.db")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(DatabaseBusy), writing(path, timeout_s=0.01) as connection:
        connection.execute("DELETE FROM t")
    other.close()
