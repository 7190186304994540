"""What plexguard-db-export publishes of its exports, for who shows how things are."""

import dataclasses
import os
from datetime import datetime
from pathlib import Path

from plexguard.core.journal import Journal
from plexguard.core.published import BACKUPS, BackupSeen
from plexguard.core.state import StateFile, make_folder, state_directory
from plexguard.db_export.archive.keep import Kept

# One row of the status: both databases are one backup.
_NAME = "library"
_PUBLISHED_FOLDER = 0o755


def note_good(journal: Journal, newest: Kept, *, kept: int) -> None:
    """Keep that there is a new good archive, and how many good ones there are."""
    made = newest.manifest.made if newest.manifest is not None else None
    seen = BackupSeen(database=_NAME, path=str(newest.path), made=made, size_bytes=newest.size, kept=kept, tried=made)
    _save(_open(journal), seen)


def note_failed(journal: Journal, reason: str, now: datetime) -> None:
    """Keep why there is none, beside what is known of the last one."""
    state = _open(journal)
    past = state.load() or BackupSeen(database=_NAME)
    _save(state, dataclasses.replace(past, tried=now, failure=reason))


def note_bad(journal: Journal, path: Path, reason: str, now: datetime) -> None:
    """Keep that the newest archive is bad; of others the status says nothing."""
    past = _open(journal).peek()
    if past is not None and past.path == str(path):
        note_failed(journal, f"{path.name}: {reason}", now)


def _open(journal: Journal) -> StateFile[BackupSeen]:
    return StateFile(_folder() / "state.json", BackupSeen, schema=BACKUPS.schema, journal=journal)


def _folder() -> Path:
    return state_directory("db-export") / "backups" / _NAME


def _save(state: StateFile[BackupSeen], seen: BackupSeen) -> None:
    """Save it where this user may: who makes an archive of their own keeps nothing of it."""
    folder = _folder()
    if not os.access(folder if folder.is_dir() else state_directory("db-export"), os.W_OK):
        return
    for made in (folder.parent, folder):
        # The status, another user, goes through them, whatever umask the unit has.
        make_folder(made).chmod(_PUBLISHED_FOLDER)
    state.save(seen)
