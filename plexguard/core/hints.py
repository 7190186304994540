"""A hint from who reads Plex's log to who proves a mount: Plex has just met it dead.

One empty file for each mount, whose time is the hint. It says "look now" and nothing else, so that a log line, which anybody may
have caused, can do no more than that. Not an event: who proves a mount looks at one file a second for nothing, and following the
journal would cost it more than all the rest.
"""

import contextlib
from pathlib import Path

from plexguard.core.state import RUNTIME_ROOT

FOLDER = RUNTIME_ROOT / "log-watch"


def give_hint(name: str, folder: Path = FOLDER) -> None:
    """Tell who proves the mount [rclone.NAME] to look now. Where that cannot be told, it looks by itself in a few seconds."""
    with contextlib.suppress(OSError):
        _file(name, folder).touch(mode=0o644)


def last_hint(name: str, folder: Path = FOLDER) -> int:
    """Return what is another number after each hint, 0 before the first."""
    try:
        return _file(name, folder).stat().st_mtime_ns
    except OSError:
        return 0


def _file(name: str, folder: Path) -> Path:
    return folder / f"dead.{name}"
