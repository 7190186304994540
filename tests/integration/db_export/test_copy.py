"""Copies of a database that somebody writes to."""

import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from plexguard.core.errors import NoPermission
from plexguard.db_export.database.copy import snapshot
from plexguard.db_export.database.files import PlexData, with_sides
from plexguard.db_export.database.sqlite import NotADatabase, reading
from tests.fakes.libraries import make_plex


def test_a_copy_of_a_database_in_use_has_what_stands_in_its_wal(tmp_path: Path) -> None:
    data = make_plex(tmp_path / "plex")
    with closing(sqlite3.connect(data.library, isolation_level=None)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint=0")
        writer.execute("UPDATE media_parts SET size = 77")

        snapshot(data.library, tmp_path / "copy.db")

        with reading(tmp_path / "copy.db", immutable=True) as connection:
            assert connection.execute("SELECT DISTINCT size FROM media_parts").fetchall() == [(77,)]
    assert [path.exists() for path in with_sides(tmp_path / "copy.db")] == [True, False, False]


def test_a_copy_is_of_one_moment_while_a_writer_never_stops(tmp_path: Path) -> None:
    data = make_plex(tmp_path / "plex", films=60)
    began, ended = threading.Event(), threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(data.library, isolation_level=None, timeout=10)) as writer:
            number = 0
            while not ended.is_set():
                number += 1
                writer.execute("BEGIN IMMEDIATE")
                writer.execute("UPDATE media_parts SET size = ?", (number,))
                writer.execute("UPDATE media_items SET size = ?", (number,))
                writer.execute("COMMIT")
                began.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert began.wait(10)
        for number in range(5):
            snapshot(data.library, tmp_path / f"{number}.db")
    finally:
        ended.set()
        thread.join(10)
    for number in range(5):
        with reading(tmp_path / f"{number}.db", immutable=True) as connection:
            both = "SELECT size FROM media_parts UNION SELECT size FROM media_items"
            assert len(connection.execute(both).fetchall()) == 1


def test_of_what_is_no_database_nothing_is_left(tmp_path: Path) -> None:
    source, target = tmp_path / "a.db", tmp_path / "b.db"
    source.write_bytes(b"no database at all" * 500)

    with pytest.raises(NotADatabase):
        snapshot(source, target)

    assert not target.exists()


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[PlexData]:
    """Databases in WAL mode that nobody has open, in a folder that takes nothing: as a unit sees them that may only read."""
    data = make_plex(tmp_path / "plex")
    subprocess.run(["mount", "--bind", "-o", "ro", str(data.folder), str(data.folder)], check=True, timeout=10)
    try:
        yield data
    finally:
        subprocess.run(["umount", "--lazy", str(data.folder)], check=True, timeout=10)


def test_a_database_that_nobody_has_open_is_copied_by_who_may_only_read(read_only: PlexData, tmp_path: Path) -> None:
    snapshot(read_only.blobs, tmp_path / "copy.db")

    with reading(tmp_path / "copy.db", immutable=True) as connection:
        assert connection.execute("SELECT count(*) FROM blobs").fetchone() == (30,)


def test_what_stands_in_a_wal_is_not_left_out_because_nobody_may_read_it(tmp_path: Path) -> None:
    data = make_plex(tmp_path / "plex")
    with closing(sqlite3.connect(data.library, isolation_level=None)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint=0")
        writer.execute("UPDATE media_parts SET size = 77")
        shutil.copytree(data.databases, tmp_path / "left")
    left = tmp_path / "left" / data.library.name
    Path(f"{left}-shm").unlink()
    subprocess.run(["mount", "--bind", "-o", "ro", str(left.parent), str(left.parent)], check=True, timeout=10)
    try:
        with pytest.raises(NoPermission):
            snapshot(left, tmp_path / "copy.db")
    finally:
        subprocess.run(["umount", "--lazy", str(left.parent)], check=True, timeout=10)
    assert not (tmp_path / "copy.db").exists()
