"""Large libraries for measuring, made once a run and shared by who measures: they take longer to make than most to measure."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from plexguard.db_export.database.files import PlexData
from tests.fakes.libraries import make_plex

TRACKS = 456_534
NAME = "Plex Media Server"


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
