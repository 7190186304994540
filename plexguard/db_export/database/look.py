"""Read a database of Plex's that may be in use, or lie at rest, and leave nothing beside it."""

from collections.abc import Callable
from pathlib import Path
from sqlite3 import Connection
from typing import TypeVar

from plexguard.core.errors import PlexguardError
from plexguard.db_export.database.copy import mark_at_rest
from plexguard.db_export.database.sqlite import reading

T = TypeVar("T")


def look(path: Path, read: Callable[[Connection], T]) -> T:
    """Return what somebody reads from a database. read: is called again when Plex began to write meanwhile.

    One that nobody uses is read as it lies there: to open it in any other way makes a -wal and a -shm beside it, which stay.
    Raises what reading() raises.
    """
    before = mark_at_rest(path)
    if before is not None:
        try:
            with reading(path, immutable=True) as connection:
                found = read(connection)
        except PlexguardError:
            # A page that was half written; if nobody wrote, it is as bad as it looks.
            if mark_at_rest(path) == before:
                raise
        else:
            if mark_at_rest(path) == before:
                return found
    with reading(path) as connection:
        return read(connection)
