"""The analysis of a library: each item that has no picture yet has its media opened, and gets one. Nothing among the activities tells
of it, as with a real server between two items."""

from __future__ import annotations

import os
import sqlite3
import threading

from .faults import Faults
from .library import Library
from .logs import Logs

# Films, episodes and photos.
_LEFT = """
    SELECT metadata_items.id, media_parts.file FROM metadata_items
    JOIN media_items ON media_items.metadata_item_id = metadata_items.id
    JOIN media_parts ON media_parts.media_item_id = media_items.id
    WHERE metadata_items.library_section_id = ? AND metadata_items.metadata_type IN (1, 4, 13)
        AND COALESCE(metadata_items.user_thumb_url, '') = '' AND metadata_items.deleted_at IS NULL
"""


class Analyzer:
    """One thread for each library that is analysed."""

    def __init__(self, library: Library, faults: Faults, logs: Logs) -> None:
        self._library = library
        self._faults = faults
        self._logs = logs
        self._stopping = threading.Event()
        self._running: dict[int, threading.Thread] = {}

    def begin(self, section: int) -> None:
        """Begin one; a library that is being analysed is not begun twice."""
        before = self._running.get(section)
        if before is None or not before.is_alive():
            self._running[section] = threading.Thread(target=self._work, args=(section,), name="analyzer", daemon=True)
            self._running[section].start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._running.values():
            thread.join(2.0)

    def _work(self, section: int) -> None:
        with self._library.reading() as connection:
            left = [(int(row[0]), str(row[1])) for row in connection.execute(_LEFT, (section,))]
        for item, file in left:
            if self._stopping.wait(self._faults.current().analyze_s):
                return
            try:
                os.close(os.open(file, os.O_RDONLY))
                with self._library.writing() as connection:
                    connection.execute("UPDATE metadata_items SET user_thumb_url = ? WHERE id = ?", (f"media://{item}.jpg", item))
            except OSError as error:
                self._logs.server.write("ERROR", f"Unable to analyze {os.path.basename(file)}: {error.strerror}")
            except sqlite3.Error as error:
                self._logs.server.write("ERROR", f"Soci Exception handled: sqlite3_statement_backend::loadRS: {error}")
