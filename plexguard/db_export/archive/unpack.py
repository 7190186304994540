"""The databases of an archive, unpacked to look at them."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from plexguard.core.errors import IoFailed, MissingInput
from plexguard.db_export.archive.progress import Progress
from plexguard.db_export.archive.read import open_archive

# How an archive begins: zstd, and gzip for those of the time before.
_MAGICS = (b"\x28\xb5\x2f\xfd", b"\x1f\x8b")
# On a disk, and not in memory as /tmp may be: a library takes gigabytes.
_WORK = "/var/tmp"  # noqa: S108  # the folder below it has a name that nobody knows beforehand


def is_archive(path: Path) -> bool:
    """Tell whether a file begins as an archive does. Raises MissingInput, IoFailed."""
    if not path.is_file():
        raise MissingInput(f"{path}: no such file")
    try:
        with path.open("rb") as file:
            return file.read(4).startswith(_MAGICS)
    except OSError as error:
        raise IoFailed(f"Failed to read {path}: {error.strerror}") from error


def find_work() -> Path:
    """Return the folder for what is made to be looked at."""
    return Path(os.environ.get("TMPDIR") or _WORK)


@contextlib.contextmanager
def unpacked(path: Path, *, progress: Progress | None = None) -> Iterator[tuple[Path, ...]]:
    """Yield the databases of an archive as files, with a -wal where one of the time before brings it; all of it is verified on the
    way. They are removed in the end.

    Raises BadArchive, SystemRefused (no room), DiskFull, IoFailed.
    """
    with tempfile.TemporaryDirectory(prefix="plexguard-", dir=find_work()) as folder:
        with open_archive(path) as archive:
            made = archive.extract(Path(folder), progress=progress)
        yield made
