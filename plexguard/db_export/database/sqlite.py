"""Open databases with the SQLite that Debian has, and say its errors in the suite's words."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from urllib.parse import quote

from plexguard.core.errors import DataError, IoFailed, MissingInput, NoPermission, PlexguardError, SystemRefused, TryAgain

# As long as Plex itself waits for a busy database.
BUSY_S = 10.0
# How often who may be halted asks for it, in steps of SQLite's machine.
_STEPS = 50_000


class DatabaseDamaged(DataError):
    """SQLite met pages that make no sense."""

    hint = "plexguard-db-export check"


class NotADatabase(DataError):
    """The file is no SQLite database, or its header is destroyed."""


class DatabaseBusy(TryAgain):
    """Somebody holds the database locked for longer than we wait."""


class DiskFull(IoFailed):
    """The file system is full."""

    hint = "make room there, and start again"


class Halt:
    """Ends what threads do with their connections, all of them at once."""

    def __init__(self) -> None:
        self._event = Event()
        self._connections: list[sqlite3.Connection] = []

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    @contextlib.contextmanager
    def ends(self, connection: sqlite3.Connection) -> Iterator[None]:
        """Have end() end what the connection is at, or begins, here: SQLITE_INTERRUPT is raised there."""
        self._connections.append(connection)
        connection.set_progress_handler(lambda: int(self.is_set), _STEPS)
        try:
            yield
        finally:
            with contextlib.suppress(sqlite3.Error):
                connection.set_progress_handler(None, 0)

    def end(self) -> None:
        self._event.set()
        for connection in self._connections:
            with contextlib.suppress(sqlite3.ProgrammingError):  # closed by now
                connection.interrupt()


@contextlib.contextmanager
def reading(path: Path, *, immutable: bool = False, timeout_s: float = BUSY_S) -> Iterator[sqlite3.Connection]:
    """Open a database for reading only; it may be live. immutable: nobody writes to it, and it may have no -wal beside it.

    Texts that are no UTF-8 come as they are, with surrogates: a path is bytes. Raises what translate() makes of SQLite's errors.
    """
    mode = "mode=ro&immutable=1" if immutable else "mode=ro"
    with _opened(path, mode, timeout_s) as connection:
        connection.execute("PRAGMA query_only=ON")
        yield connection


@contextlib.contextmanager
def writing(path: Path, *, timeout_s: float = BUSY_S) -> Iterator[sqlite3.Connection]:
    """Open a database that exists for writing. Transactions are begun by hand, foreign keys are as off as Plex has them."""
    with _opened(path, "mode=rw", timeout_s) as connection:
        yield connection


@contextlib.contextmanager
def _opened(path: Path, mode: str, timeout_s: float) -> Iterator[sqlite3.Connection]:
    if path.is_symlink() and os.readlink(path) == path.name:
        # swap/carry.py: while all files change places, and after that was cut off.
        raise MissingInput(f"{path}: a change of it was cut off", hint="plexguard-db-export undo --finish")
    if not path.exists():
        raise MissingInput(f"{path}: no such file")
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(path), errors='surrogateescape')}?{mode}",
            uri=True,
            timeout=timeout_s,
            isolation_level=None,
            check_same_thread=False,
        )
        with contextlib.closing(connection):
            connection.text_factory = _decode
            yield connection
    except sqlite3.Error as error:
        raise translate(error, path) from error
    except UnicodeDecodeError as error:
        # Rows are decoded by us: what Python cannot decode is a name in the schema, or in what SQLite says of it.
        raise DatabaseDamaged(f"{path}: its schema has names that are no text") from error


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def translate(error: sqlite3.Error, path: Path) -> PlexguardError:
    """Return SQLite's error as one of ours. Source: https://www.sqlite.org/rescode.html."""
    # The low byte is the kind; what stands above it says more of the same.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    message = f"{path}: {error}"
    match code:
        case sqlite3.SQLITE_CORRUPT:
            return DatabaseDamaged(message)
        case sqlite3.SQLITE_NOTADB:
            return NotADatabase(message)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return DatabaseBusy(message)
        case sqlite3.SQLITE_FULL:
            return DiskFull(message)
        case sqlite3.SQLITE_IOERR:
            return IoFailed(message)
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH | sqlite3.SQLITE_READONLY:
            return NoPermission(message)
    return SystemRefused(message)
