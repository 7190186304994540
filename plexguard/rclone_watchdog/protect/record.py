"""The record of what is held, which all watchdogs share: read, changed and written under one lock.

It is on disk. What the disk does not take, as when it is full or has become read-only, is kept in memory: at worst a reboot forgets
what Plex's settings were, and a Plex that is not held forgets a library.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from plexguard.core.errors import IoFailed
from plexguard.core.journal import Journal
from plexguard.core.state import RUNTIME_ROOT, STATE_ROOT, StateFile, exclusive_lock
from plexguard.rclone_watchdog.protect.decide import Hold

FOLDER, MEMORY = STATE_ROOT / "plex-hold", RUNTIME_ROOT / "plex-hold"
SCHEMA = 1


class Record:
    """The record, which its holder changes step by step: each change is written down before the next step begins."""

    def __init__(self, folder: Path, memory: Path, journal: Journal) -> None:
        self._lock = memory / "lock"
        self._file = StateFile(folder / "state.json", Hold, schema=SCHEMA, journal=journal, spare=memory / "state.json")
        self.hold = Hold()

    def peek(self) -> Hold:
        """Return what is written down, without the lock."""
        return self._file.peek() or Hold()

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Hold the lock, with what is written down in `hold`. Raises TryAgain while another has it, IoFailed and NoPermission."""
        with exclusive_lock(self._lock):
            self.hold = self._file.load() or Hold()
            yield

    def save(self, hold: Hold) -> None:
        """Replace the record, where it differs. Raises IoFailed where neither disk nor memory takes it, with the old one intact."""
        if hold != self.hold:
            try:
                self._file.keep(hold)
            except IoFailed:
                if not self._file.is_kept:
                    raise
            self.hold = hold
