"""Check the databases in an archive, unpacked for it."""

from pathlib import Path

from plexguard.db_export.archive.progress import Progress
from plexguard.db_export.archive.unpack import unpacked
from plexguard.db_export.check.findings import Report
from plexguard.db_export.check.run import check_copy, check_database
from plexguard.db_export.database.files import NAMES


def check_archive(path: Path, *, progress: Progress | None = None) -> dict[str, Report]:
    """Return what is found in each database of an archive, by its name; the archive is verified on the way.

    Raises BadArchive, SystemRefused (no room), DiskFull, IoFailed.
    """
    with unpacked(path, progress=progress) as made:
        return {file.name: _check(file, progress=progress) for file in made if file.name in NAMES}


def _check(database: Path, *, progress: Progress | None) -> Report:
    """Check a database that was unpacked; one of the time before may have its -wal beside it."""
    if database.with_name(f"{database.name}-wal").exists():
        return check_database(database, work=database.parent, progress=progress)
    return check_copy(database, progress=progress)
