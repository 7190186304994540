"""Media that Plex complained about and that stay unreadable: the record that the audit keeps, and who reads it.

The same as a flag for Plex's container, which has no Python and no view of the host: a file in a folder that the container
is given, there exactly while the record is not empty.
"""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from plexguard.core.clock import Moment
from plexguard.core.errors import IoFailed, PlexguardError
from plexguard.core.events import show_path
from plexguard.core.journal import Journal
from plexguard.core.state import PUBLISHED, RUNTIME_ROOT, STATE_ROOT, StateFile, write_atomic

FILE = STATE_ROOT / "perms-audit" / "unreadable.json"
# The folder is made once and for all, by tmpfiles.d: a container that has it bound would not see another one of its name.
FLAG = RUNTIME_ROOT / "health" / "unreadable"
SCHEMA = 1
# More are no longer told apart: the cause is one, and not any of these paths.
MOST_PATHS = 200
# An ask for a restart is meant for now: whoever starts the restart's unit later needs a reason of his own.
_ASK_HOLDS_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A path that Plex cannot read. asked_restart: when Plex was to be restarted for it, None when it was not yet."""

    since: Moment
    reason: str
    asked_restart: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All of them, by path."""

    paths: dict[str, Unreadable] = field(default_factory=dict)


def count_asking(file: StateFile[Record], now: Moment) -> int:
    """Return for how many paths a restart of Plex was asked just now; a record that cannot be read asks for nothing."""
    try:
        record = file.load() or Record()
    except PlexguardError:
        return 0
    asked = [entry.asked_restart for entry in record.paths.values() if entry.asked_restart is not None]
    return sum(now.seconds_since(moment) < _ASK_HOLDS_S for moment in asked)


def open_record(journal: Journal, file: Path = FILE) -> StateFile[Record]:
    return StateFile(file, Record, schema=SCHEMA, journal=journal)


def publish_flag(record: Record, flag: Path = FLAG) -> None:
    """Make the flag say what the record says. Raises IoFailed; without its folder there is nobody to tell."""
    if not flag.parent.is_dir():
        return
    if not record.paths:
        with contextlib.suppress(FileNotFoundError):
            try:
                flag.unlink()
            except PermissionError as error:
                raise IoFailed(f"Failed to delete {flag}: {error.strerror}") from error
        return
    first = show_path(next(iter(record.paths)))
    write_atomic(flag, f"{len(record.paths)} unreadable, such as {first}\n".encode("utf-8", "replace"), mode=PUBLISHED)
