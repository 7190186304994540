"""Follow the journal of a reverse proxy's unit, from where it was left off."""

from collections.abc import Iterator
from typing import Protocol

from plexguard.core.errors import SystemRefused
from plexguard.core.journal import open_reader


class ProxyLog(Protocol):
    """cursor: of the last entry that was read, "" before the first."""

    cursor: str

    def read(self, limit: int) -> Iterator[bytes]:
        """Yield the lines that were not read before, at most so many. Raises SystemRefused."""
        ...


class NoProxy:
    """There is none to follow, or none yet."""

    def __init__(self, cursor: str = "") -> None:
        self.cursor = cursor

    def read(self, limit: int) -> Iterator[bytes]:
        return iter(())


class JournalProxy:
    """A unit's entries in the journal. cursor: of the last one that was read; "" begins at the end."""

    def __init__(self, unit: str, cursor: str) -> None:
        try:
            self._reader = open_reader(MESSAGE=bytes)
            self.cursor = cursor or self._find_end()
            # Set by journald itself: nobody can write an entry that claims to be another unit's.
            self._reader.add_match(_SYSTEMD_UNIT=unit)
            self._reader.seek_cursor(self.cursor)
            # The entry of the cursor, if it is the unit's, or else the next one: that was not read yet.
            first = self._reader.get_next()
        except OSError as error:
            raise SystemRefused(f"Failed to open the journal: {error.strerror}") from error
        self._next = first if first and first["__CURSOR"] != self.cursor else None

    def _find_end(self) -> str:
        """Return the cursor of the newest entry of all: the unit itself may have none yet."""
        self._reader.seek_tail()
        entry = self._reader.get_previous()
        if not entry:
            raise SystemRefused("Failed to open the journal: it is empty, or this user may not read it")
        return str(entry["__CURSOR"])

    def read(self, limit: int) -> Iterator[bytes]:
        try:
            # Takes notice of files that journald has begun since.
            self._reader.process()
            for _ in range(limit):
                entry, self._next = self._next or self._reader.get_next(), None
                if not entry:
                    return
                self.cursor = entry["__CURSOR"]
                message = entry.get("MESSAGE")
                yield message if isinstance(message, bytes) else b""
        except OSError as error:
            raise SystemRefused(f"Failed to read the journal: {error.strerror}") from error
