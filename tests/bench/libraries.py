"""Large libraries for measuring, made once a run and shared by who measures: they take longer to make than most to measure."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from plexguard.db_export.database.files import PlexData
from tests.fakes.libraries import make_plex

TRACKS = 456_534
NAME = "Plex Media Server"
_FILES_OF_ALBUM = 200


def make_large(folder: Path, *, page_bytes: int) -> PlexData:
    """Return a library of 456,534 tracks, 2,000 films and 20,000 episodes below a folder; made when it is not there yet."""
    place = folder / f"pages-of-{page_bytes}"
    if not place.exists():
        making = folder / f"pages-of-{page_bytes}.making"
        shutil.rmtree(making, ignore_errors=True)
        make_plex(making / NAME, films=2_000, episodes=20_000, tracks=TRACKS, page_bytes=page_bytes)
        making.rename(place)
    return PlexData(folder=place / NAME)


def make_huge(folder: Path, data: PlexData, *, size_bytes: int) -> PlexData:
    """Return a copy of a library that is as large as wanted, by repetition of its largest table."""
    huge = PlexData(folder=folder / "huge" / NAME)
    if not huge.library.exists():
        shutil.copytree(data.folder, huge.folder)
        with closing(sqlite3.connect(huge.library, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=OFF")
            connection.execute("PRAGMA synchronous=OFF")
            number = 0
            while huge.library.stat().st_size < size_bytes:
                number += 1
                connection.execute(f"CREATE TABLE again_{number} AS SELECT * FROM media_streams")
            connection.execute("PRAGMA journal_mode=WAL")
    return huge


def make_crowded(folder: Path, *, files: int) -> PlexData:
    """Return a small library with so many small files in Metadata, as Plex lays them."""
    crowded = PlexData(folder=folder / "crowded" / NAME)
    if not crowded.library.exists():
        make_plex(crowded.folder, films=3, episodes=3, tracks=3)
        for number in range(0, files, _FILES_OF_ALBUM):
            album = crowded.folder / f"Metadata/Albums/{number:07x}.bundle/Contents/_combined/posters"
            album.mkdir(parents=True)
            for poster in range(_FILES_OF_ALBUM):
                (album / f"tv.plex.agents.music_{number + poster:032x}").write_bytes(b"%d" % number)
    return crowded


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
