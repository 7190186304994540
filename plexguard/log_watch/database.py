"""Which files a part or an item has, asked of Plex's library database. It is only ever read.

Plain SELECTs work with any SQLite; what Plex's own build adds (collations, tokenizers) is not touched by them.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from plexguard.core.errors import Unavailable
from plexguard.log_watch.patterns import Subject

if TYPE_CHECKING:
    import sqlite3

_TIMEOUT_S = 1.0
# An item has a few files; a hundred versions of one are somebody's mistake.
_MAX_FILES = 64
_PART = "SELECT file FROM media_parts WHERE id = ?"
_ITEM = (
    "SELECT file FROM media_parts JOIN media_items ON media_items.id = media_parts.media_item_id"
    " WHERE media_items.metadata_item_id = ? ORDER BY media_parts.id"
)


class Database:
    """The database, open for as long as the context lasts. Raises Unavailable when it cannot be read: that is no answer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        with self._errors():
            try:
                self._connection = self._connect("mode=ro")
            except _unable_to_open():
                # Without a -wal nobody has it open, and then SQLite wants to make one. With a -wal the file alone would lie.
                if _has_wal(self._path):
                    raise
                self._connection = self._connect("mode=ro&immutable=1")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._connection is not None:
            self._connection.close()

    def find_files(self, subject: Subject) -> tuple[str, ...]:
        """Return the files as Plex names them, none when the database knows no such part or item."""
        assert self._connection is not None
        query, number = (_PART, subject.part) if subject.part else (_ITEM, subject.item)
        with self._errors():
            rows = self._connection.execute(query, (number,)).fetchmany(_MAX_FILES)
        # A name may be any bytes.
        return tuple(bytes(row[0]).decode("utf-8", "surrogateescape") for row in rows if row[0])

    def _connect(self, how: str) -> "sqlite3.Connection":
        import sqlite3  # only where a line names a number

        address = f"file:{quote(os.fsencode(self._path))}?{how}"
        connection = sqlite3.connect(address, uri=True, timeout=_TIMEOUT_S, isolation_level=None)
        connection.text_factory = bytes
        try:
            # Nothing is opened until something is asked.
            connection.execute("SELECT 1 FROM media_parts LIMIT 1").fetchall()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        import sqlite3

        try:
            yield
        except sqlite3.Error as error:
            raise Unavailable(f"Failed to read {self._path}: {error}") from error


def _unable_to_open() -> type[Exception]:
    import sqlite3

    return sqlite3.OperationalError


def _has_wal(path: Path) -> bool:
    try:
        return os.stat(f"{path}-wal").st_size > 0
    except FileNotFoundError:
        return False
    except OSError:
        return True
