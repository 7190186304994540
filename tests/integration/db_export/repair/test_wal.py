"""A -wal is folded in as SQLite itself would take it over."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from plexguard.db_export.repair.wal import fold


@pytest.fixture
def written(tmp_path):
    """A database, its -wal with several transactions in it, and what SQLite makes of both."""
    with closing(sqlite3.connect(tmp_path / "live.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size=1024")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for n in range(30):
            connection.execute("INSERT INTO t (x) VALUES (?)", (f"{n}" * 200,))
        connection.execute("DELETE FROM t WHERE id < 5")
        for name in ("live.db", "live.db-wal"):
            shutil.copy(tmp_path / name, tmp_path / name.replace("live", "copy"))
    return tmp_path / "copy.db", tmp_path / "copy.db-wal", tmp_path / "live.db"


def test_all_whole_transactions_are_taken_over(written):
    database, wal, checkpointed = written
    assert fold(wal, database) > 30
    assert database.read_bytes() == checkpointed.read_bytes()


def test_what_follows_the_last_whole_frame_is_not(written):
    database, wal, _ = written
    frames = (wal.stat().st_size - 32) // (1024 + 24)
    with wal.open("r+b") as file:
        file.seek(32 + 10 * (1024 + 24) + 100)
        file.write(b"torn")
    taken = fold(wal, database)
    assert 0 < taken <= 10 < frames
    with closing(sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert 0 < connection.execute("SELECT count(*) FROM t").fetchone()[0] < 30


@pytest.mark.parametrize("raw", [b"", b"short", bytes(32), bytes(4096)])
def test_what_is_no_wal_changes_nothing(written, raw):
    database, wal, _ = written
    before = database.read_bytes()
    wal.write_bytes(raw)
    assert fold(wal, database) == 0
    assert database.read_bytes() == before
