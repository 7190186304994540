"""Check the databases in an archive, unpacked for it."""

import tempfile
from pathlib import Path

from plexguard.db_export.archive.progress import Progress
from plexguard.db_export.archive.read import open_archive
from plexguard.db_export.check.findings import Report
from plexguard.db_export.check.run import check_copy, check_database
from plexguard.db_export.database.files import NAMES

# How an archive begins: zstd, and gzip for those of the time before.
_MAGICS = (b"\x28\xb5\x2f\xfd", b"\x1f\x8b")


def is_archive(path: Path) -> bool:
    """Tell whether a file begins as an archive does. Raises OSError."""
    with path.open("rb") as file:
        return file.read(4).startswith(_MAGICS)


def check_archive(path: Path, *, work: Path, progress: Progress | None = None) -> dict[str, Report]:
    """Return what is found in each database of an archive, by its name; the archive is verified on the way.

    work: a folder for what is unpacked, which is removed in the end. Raises BadArchive, SystemRefused (no room),
    DiskFull, IoFailed.
    """
    with tempfile.TemporaryDirectory(prefix="check-", dir=work) as folder:
        with open_archive(path) as archive:
            made = archive.extract(Path(folder), progress=progress)
        return {file.name: _check(file, work=Path(folder), progress=progress) for file in made if file.name in NAMES}


def _check(database: Path, *, work: Path, progress: Progress | None) -> Report:
    """Check a database that was unpacked; one of the time before may have its -wal beside it."""
    if database.with_name(f"{database.name}-wal").exists():
        return check_database(database, work=work, progress=progress)
    return check_copy(database, progress=progress)
