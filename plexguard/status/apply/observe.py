"""When the configuration was last changed, for `apply`."""

import contextlib
from datetime import UTC, datetime
from pathlib import Path

from plexguard.core.config import find_files
from plexguard.core.secret import ADMIN_CREDENTIALS


def find_last_change(config_path: Path, credentials: Path = ADMIN_CREDENTIALS) -> datetime:
    """Return the latest mtime of the file, its drop-ins, the credentials, which a service is handed when it starts, and the
    folders of both; the epoch when nothing is there."""
    latest = 0.0
    for path in (*find_files(config_path), credentials, *credentials.glob("*")):
        with contextlib.suppress(OSError):
            latest = max(latest, path.stat().st_mtime)
    return datetime.fromtimestamp(latest, UTC)
