"""Plex's database, read beside a Plex that runs, and after one that does not."""

import json
import os
import sqlite3
from pathlib import Path

import pytest

from plexguard.core.errors import Unavailable
from plexguard.log_watch.database import Database
from plexguard.log_watch.patterns import Subject
from tests.fakes.plex import PlexSimulator

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")


@pytest.fixture
def plex(tmp_path: Path) -> PlexSimulator:
    films = tmp_path / "Films 100% ?#"
    films.mkdir()
    (films / 'It\'s "new".mkv').write_text("film")
    plex = PlexSimulator(tmp_path / "Plex Media Server")
    plex.start()
    plex.scan(plex.add_library("Films", "movie", films))
    return plex


def find(path: Path, subject: Subject) -> list[str]:
    with Database(path) as database:
        return [os.path.basename(file) for file in database.find_files(subject)]


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    return {file.name: (file.stat().st_size, file.stat().st_mtime_ns) for file in folder.iterdir()}


def test_a_part_and_an_item_have_their_files_while_plex_runs(plex: PlexSimulator) -> None:
    try:
        before = listing(plex.databases)

        assert find(plex.database, Subject(part=1)) == find(plex.database, Subject(item=1)) == ['It\'s "new".mkv']
        assert find(plex.database, Subject(part=99)) == find(plex.database, Subject(item=99)) == []
        assert {name: size for name, (size, _) in listing(plex.databases).items()} == {n: s for n, (s, _) in before.items()}
    finally:
        plex.stop()


def test_what_stands_in_the_wal_only_is_found(plex: PlexSimulator) -> None:
    try:
        with plex._running.library.writing() as connection:
            connection.execute("UPDATE media_parts SET file = '/srv/moved.mkv'")

        assert find(plex.database, Subject(part=1)) == ["moved.mkv"]
    finally:
        plex.stop()


def find_as_nobody(path: Path, subject: Subject, top: Path) -> list[str] | str:
    """Look up as a user who may write nowhere; return the files, or why there are none. top: opened for that user."""
    for folder in [top, *top.parents]:
        if folder == Path("/tmp"):
            break
        folder.chmod(0o755)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgid(65534)
            os.setuid(65534)
            answer: list[str] | str = find(path, subject)
        except Unavailable as error:
            answer = str(error)
        finally:
            os.write(writing, json.dumps(answer).encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        found = json.loads(answers.read())
    os.waitpid(pid, 0)
    return list(found) if isinstance(found, list) else str(found)


@NEEDS_ROOT
def test_a_database_that_nobody_has_open_in_a_folder_that_is_not_ours_is_read(plex: PlexSimulator, tmp_path: Path) -> None:
    plex.stop()
    before = listing(plex.databases)

    assert find_as_nobody(plex.database, Subject(part=1), tmp_path) == ['It\'s "new".mkv']
    assert listing(plex.databases) == before


@NEEDS_ROOT
def test_a_database_that_plex_has_open_in_a_folder_that_is_not_ours_is_read(plex: PlexSimulator, tmp_path: Path) -> None:
    try:
        with plex._running.library.writing() as connection:
            connection.execute("UPDATE media_parts SET file = '/srv/moved.mkv'")

        assert find_as_nobody(plex.database, Subject(part=1), tmp_path) == ["moved.mkv"]
    finally:
        plex.stop()


@NEEDS_ROOT
def test_a_wal_that_cannot_be_read_is_not_taken_for_none(plex: PlexSimulator, tmp_path: Path) -> None:
    # given: a Plex that was killed, whose last changes are in the -wal, and nobody may make the index for it
    copy = tmp_path / "copy"
    copy.mkdir()
    try:
        with plex._running.library.writing() as connection:
            connection.execute("UPDATE media_parts SET file = '/srv/moved.mkv'")
        for file in plex.databases.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
    finally:
        plex.stop()
    (copy / f"{plex.database.name}-shm").unlink()

    # Read or refused, but never read as it was before.
    found = find_as_nobody(copy / plex.database.name, Subject(part=1), tmp_path)
    assert found == ["moved.mkv"] or "Failed to read" in found


def test_bytes_that_are_no_text_come_through(plex: PlexSimulator) -> None:
    try:
        with plex._running.library.writing() as connection:
            connection.execute("UPDATE media_parts SET file = CAST(? AS TEXT)", (b"/srv/\xff\xfe.mkv",))

        with Database(plex.database) as database:
            assert database.find_files(Subject(part=1)) == ("/srv/\udcff\udcfe.mkv",)
    finally:
        plex.stop()


def test_nothing_can_be_written(plex: PlexSimulator) -> None:
    try:
        with Database(plex.database) as database:
            assert database._connection is not None
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                database._connection.execute("DELETE FROM media_parts")
    finally:
        plex.stop()


@pytest.mark.parametrize("what", ["missing", "garbage", "empty", "a folder", "another database"])
def test_what_cannot_be_read_is_no_answer(tmp_path: Path, what: str) -> None:
    file = tmp_path / "library.db"
    if what == "garbage":
        file.write_bytes(b"not a database at all " * 1000)
    elif what == "empty":
        file.touch()
    elif what == "a folder":
        file.mkdir()
    elif what == "another database":
        sqlite3.connect(file).executescript("CREATE TABLE x (y); INSERT INTO x VALUES (1)")

    with pytest.raises(Unavailable, match="Failed to read"), Database(file) as database:
        database.find_files(Subject(part=1))
