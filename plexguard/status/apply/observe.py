"""When the configuration was last changed, for `apply`."""

import contextlib
from datetime import UTC, datetime
from pathlib import Path


def find_last_change(config_path: Path) -> datetime:
    """Return the latest mtime of the file, its drop-ins and their folder; the epoch when nothing is there."""
    folder = config_path.with_name(config_path.name + ".d")
    latest = 0.0
    for path in (config_path, folder, *folder.glob("*.toml")):
        with contextlib.suppress(OSError):
            latest = max(latest, path.stat().st_mtime)
    return datetime.fromtimestamp(latest, UTC)
