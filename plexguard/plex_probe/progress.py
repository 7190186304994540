"""Whether a Plex that does not serve is at work: its log moves, and the -wal of its database grows."""

import os
from pathlib import Path

_MOVING = (
    "Logs/Plex Media Server.log",
    "Plug-in Support/Databases/com.plexapp.plugins.library.db-wal",
    "Plug-in Support/Databases/com.plexapp.plugins.library.db",
    "Plug-in Support/Databases/com.plexapp.plugins.library.blobs.db-wal",
)


def mark_progress(preferences: str) -> str:
    """Return a text that changes for as long as Plex gets on; "" when nothing of it can be seen.

    preferences: the path of its Preferences.xml, beside which all of it lies.
    """
    if not preferences:
        return ""
    folder = Path(preferences).parent
    return " ".join(filter(None, (_mark(folder / name) for name in _MOVING)))


def _mark(file: Path) -> str:
    try:
        status = os.stat(file)
    except OSError:
        return ""
    return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"
