"""Copies of a database that somebody writes to."""

import contextlib
import errno
import os
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from plexguard.db_export.check.run import check_copy
from plexguard.db_export.database import copy
from plexguard.db_export.database.copy import snapshot
from plexguard.db_export.database.files import PlexData, with_sides
from plexguard.db_export.database.sqlite import DiskFull, NotADatabase, reading
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


def test_a_database_that_nobody_uses_is_copied_without_a_trace(tmp_path: Path) -> None:
    data = make_plex(tmp_path / "plex")
    before = sorted(path.name for path in data.databases.iterdir())

    snapshot(data.library, tmp_path / "copy.db")

    assert sorted(path.name for path in data.databases.iterdir()) == before


@pytest.fixture
def killed(tmp_path: Path) -> PlexData:
    """A Plex that was killed: a -wal that counts, and no -shm."""
    data = make_plex(tmp_path / "plex")
    with closing(sqlite3.connect(data.library, isolation_level=None)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint=0")
        writer.execute("UPDATE media_parts SET size = 77")
        left = {path: path.read_bytes() for path in with_sides(data.library)[:2]}
    for path, content in left.items():
        path.write_bytes(content)
    return data


def list_files(data: PlexData) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in data.databases.iterdir()}


def read_sizes(path: Path) -> list[tuple[int]]:
    with reading(path, immutable=True) as connection:
        return connection.execute("SELECT DISTINCT size FROM media_parts").fetchall()


def test_a_database_that_a_kill_left_is_copied_with_its_wal_and_without_a_trace(killed: PlexData, tmp_path: Path) -> None:
    before = list_files(killed)

    snapshot(killed.library, tmp_path / "copy.db")

    assert read_sizes(tmp_path / "copy.db") == [(77,)]
    assert list_files(killed) == before
    assert [path.exists() for path in with_sides(tmp_path / "copy.db")] == [True, False, False]


def test_a_wal_that_breaks_off_is_taken_up_to_where_it_is_whole(killed: PlexData, tmp_path: Path) -> None:
    wal = Path(f"{killed.library}-wal")
    wal.write_bytes(wal.read_bytes()[:-100])

    snapshot(killed.library, tmp_path / "copy.db")

    assert read_sizes(tmp_path / "copy.db") != [(77,)]
    assert check_copy(tmp_path / "copy.db").is_sound


@pytest.mark.parametrize("when", ["between", "after"])
def test_a_database_that_a_kill_left_and_somebody_opens_meanwhile_is_copied_again(
    killed: PlexData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    plain, calls = copy._take, []
    with contextlib.ExitStack() as opened:

        def take_while_plex_starts(source: Path, target: Path) -> None:
            plain(source, target)
            calls.append(source)
            if len(calls) == (1 if when == "between" else 2):
                writer = opened.enter_context(closing(sqlite3.connect(killed.library, isolation_level=None)))
                writer.execute("UPDATE media_parts SET size = 78")

        monkeypatch.setattr(copy, "_take", take_while_plex_starts)
        snapshot(killed.library, tmp_path / "copy.db")

        assert read_sizes(tmp_path / "copy.db") == [(78,)]
    assert len(calls) == 2


def test_a_disk_that_fills_up_leaves_nothing_of_the_copy(killed: PlexData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", refuse)
    with pytest.raises(DiskFull):
        snapshot(killed.library, tmp_path / "copy.db")

    assert [path.exists() for path in with_sides(tmp_path / "copy.db")] == [False, False, False]


def test_a_database_that_comes_into_use_meanwhile_is_copied_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_plex(tmp_path / "plex")
    plain, calls = copy._copy, []
    with closing(sqlite3.connect(data.library, isolation_level=None)) as writer:

        def copy_while_plex_starts(source: Path, target: Path, *, immutable: bool) -> None:
            calls.append(immutable)
            plain(source, target, immutable=immutable)
            if len(calls) == 1:
                writer.execute("UPDATE media_parts SET size = 77")

        monkeypatch.setattr(copy, "_copy", copy_while_plex_starts)
        snapshot(data.library, tmp_path / "copy.db")

        with reading(tmp_path / "copy.db", immutable=True) as connection:
            assert connection.execute("SELECT DISTINCT size FROM media_parts").fetchall() == [(77,)]
    assert calls == [True, False]
