"""Whether a Plex that does not serve is at work: its log moves, and its database is being written to."""

import os
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.child import in_child
from plexguard.core.errors import PlexguardError

_LOG = "Logs/Plex Media Server.log"
_DATABASES = "Plug-in Support/Databases/com.plexapp.plugins.library"
_WRITTEN = tuple(f"{_DATABASES}.{name}" for name in ("db", "db-wal", "db-journal", "blobs.db", "blobs.db-wal"))
# A disk that hangs, which may be just why Plex does, hangs whoever looks at it.
_LOOK_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Texts that change for as long as Plex gets on; "" for what cannot be seen: its folder is closed to us, or its disk hangs."""

    log: str = ""
    database: str = ""

    def database_moved(self, earlier: "Marks") -> bool | None:
        """Tell whether the database was written to in between; None when that cannot be told."""
        return self.database != earlier.database if self.database and earlier.database else None

    def moved(self, earlier: "Marks") -> bool | None:
        """Tell whether anything moved in between; None when that cannot be told."""
        return self != earlier if any((self.log, self.database)) and any((earlier.log, earlier.database)) else None


def mark_progress(preferences: str) -> Marks:
    """Look at Plex's log and database. preferences: the path of its Preferences.xml, beside which both lie; "" when unknown."""
    if not preferences:
        return Marks()
    folder = Path(preferences).parent
    try:
        return in_child(
            lambda: Marks(log=_mark(folder / _LOG), database=" ".join(_mark(folder / name) for name in _WRITTEN).strip()),
            timeout_s=_LOOK_TIMEOUT_S,
        )
    except (OSError, PlexguardError):
        return Marks()


def _mark(file: Path) -> str:
    try:
        status = os.stat(file)
    except OSError:
        return ""
    return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"
