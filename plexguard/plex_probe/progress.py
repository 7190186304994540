"""Whether a Plex that does not serve is at work: its log moves, and the -wal of its database grows."""

import os
from pathlib import Path

_LOG = "Logs/Plex Media Server.log"
_DATABASES = "Plug-in Support/Databases/com.plexapp.plugins.library"
_WRITTEN = tuple(f"{_DATABASES}.{name}" for name in ("db", "db-wal", "db-journal", "blobs.db", "blobs.db-wal"))


def mark_progress(preferences: str) -> str:
    """Return a text that changes for as long as Plex gets on; "" when nothing of it can be seen.

    preferences: the path of its Preferences.xml, beside which all of it lies.
    """
    if not preferences:
        return ""
    folder = Path(preferences).parent
    return _mark_all(folder, (_LOG, *_WRITTEN))


def mark_database(preferences: str) -> str:
    """Return a text that changes for as long as the database is being written, as `mark_progress` does."""
    return _mark_all(Path(preferences).parent, _WRITTEN) if preferences else ""


def _mark_all(folder: Path, names: tuple[str, ...]) -> str:
    return " ".join(filter(None, (_mark(folder / name) for name in names)))


def _mark(file: Path) -> str:
    try:
        status = os.stat(file)
    except OSError:
        return ""
    return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"
