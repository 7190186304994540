"""Large libraries for measuring, shared by who measures."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from plexguard.db_export.database.files import PlexData
from tests.bench.cache import cached
from tests.fakes import libraries
from tests.fakes.libraries import make_plex
from tests.fakes.plex import database

TRACKS = 456_534
NAME = "Plex Media Server"
_FILES_OF_ALBUM = 200
_MAKERS = (Path(libraries.__file__), Path(database.__file__), Path(database.__file__).with_name("schema.sql"))


def large(*, page_bytes: int) -> PlexData:
    """Return a library of 456,534 tracks, 2,000 films and 20,000 episodes."""

    def make(place: Path) -> None:
        make_plex(place / NAME, films=2_000, episodes=20_000, tracks=TRACKS, page_bytes=page_bytes)

    return PlexData(folder=cached(f"library-of-{page_bytes}", make, *_MAKERS) / NAME)


def huge(*, size_bytes: int) -> PlexData:
    """Return a large library that is as large as wanted, by repetition of its largest table."""

    def make(place: Path) -> None:
        made = PlexData(folder=place / NAME)
        shutil.copytree(large(page_bytes=4096).folder, made.folder)
        with closing(sqlite3.connect(made.library, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=OFF")
            connection.execute("PRAGMA synchronous=OFF")
            number = 0
            while made.library.stat().st_size < size_bytes:
                number += 1
                connection.execute(f"CREATE TABLE again_{number} AS SELECT * FROM media_streams")
            connection.execute("PRAGMA journal_mode=WAL")

    return PlexData(folder=cached("library-huge", make, *_MAKERS, Path(__file__)) / NAME)


def crowded(*, files: int) -> PlexData:
    """Return a small library with so many small files in Metadata, as Plex lays them."""

    def make(place: Path) -> None:
        make_plex(place / NAME, films=3, episodes=3, tracks=3)
        for number in range(0, files, _FILES_OF_ALBUM):
            album = place / NAME / f"Metadata/Albums/{number:07x}.bundle/Contents/_combined/posters"
            album.mkdir(parents=True)
            for poster in range(_FILES_OF_ALBUM):
                (album / f"tv.plex.agents.music_{number + poster:032x}").write_bytes(b"%d" % number)

    return PlexData(folder=cached("library-crowded", make, *_MAKERS, Path(__file__)) / NAME)


@contextmanager
def copied(folder: Path, data: PlexData) -> Iterator[PlexData]:
    """Give a copy that may be changed, and is removed in the end."""
    copy = PlexData(folder=folder / NAME)
    shutil.copytree(data.folder, copy.folder)
    try:
        yield copy
    finally:
        shutil.rmtree(folder)


def destroy_pages(database: Path, number: int) -> None:
    """Zero so many pages all over a database, with pages of 4,096 bytes."""
    pages = database.stat().st_size // 4096
    with open(database, "r+b") as file:
        for one in range(1, number + 1):
            file.seek(one * pages // (number + 1) * 4096)
            file.write(bytes(4096))
