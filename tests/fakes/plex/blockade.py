"""What the database does in the faulty modes: it is blocked, or a migration works on it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from . import database
from .library import Library
from .logs import SOURCE_TREE, Logs


class Blockade:
    """The database's write lock, held by somebody who does not let go."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._holder: sqlite3.Connection | None = None

    def begin(self) -> None:
        """Take the lock, if that has not been done. A scan that is writing keeps it a little longer."""
        if self._holder is not None:
            return
        with contextlib.suppress(sqlite3.OperationalError):
            holder = database.connect(self._file, timeout_s=0.05)
            holder.execute("BEGIN IMMEDIATE")
            self._holder = holder

    def end(self) -> None:
        """Let go of the lock."""
        if self._holder is not None:
            self._holder.close()
            self._holder = None


def migrate(library: Library, logs: Logs) -> None:
    """Move the log and let the -wal grow, as a migration that gets on does."""
    place = f"{SOURCE_TREE}/Library/DatabaseFixups.cpp:200"
    logs.server.write("WARN", f"Held transaction for too long ({place}): 1.940000 seconds", component="DatabaseFixups")
    with contextlib.suppress(sqlite3.OperationalError), library.writing() as connection:
        connection.execute("INSERT INTO statistics_bandwidth (account_id, at, bytes) VALUES (1, unixepoch(), 0)")
