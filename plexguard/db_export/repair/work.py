"""Where a repair works: a folder beside the databases, on the same file system, with copies in it."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from plexguard.core.errors import DataError, IoFailed, SystemRefused
from plexguard.core.spans import show_bytes
from plexguard.db_export.database.files import PlexData, need_space
from plexguard.db_export.database.sqlite import DiskFull, writing
from plexguard.db_export.repair.wal import fold

FOLDER = "plexguard-work-repair"
# The copy, what is made of it, and what SQLite sorts and we look up meanwhile.
_TIMES = 3
_MEMORY_BYTES = 200 * 1024 * 1024
_BLOCK = 4096
_CHUNK = 1024 * 1024


@contextlib.contextmanager
def work_folder(data: PlexData) -> Iterator[Path]:
    """Make the folder anew, whatever a run that was killed has left in it, and remove it in the end."""
    folder = data.databases / FOLDER
    remove_left_over(data)
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise _failed("make", folder, error) from error
    try:
        yield folder
    except OSError as error:
        # Whatever it was done with: a disk that fills up is no fault of the database.
        raise _failed("work in", folder, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_left_over(data: PlexData) -> None:
    folder = data.databases / FOLDER
    if folder.is_dir():
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise _failed("remove", folder, error) from error


def check_room(data: PlexData, files: tuple[Path, ...]) -> None:
    """Raise SystemRefused unless there is room on the disk for all files together, and enough memory."""
    size = sum(path.stat().st_size for path in files if path.exists())
    need_space(data.databases, _TIMES * size, what="a repair")
    available = parse_available(Path("/proc/meminfo").read_text(encoding="ascii"))
    if available is not None and available < _MEMORY_BYTES:
        raise SystemRefused(
            f"A repair needs {show_bytes(_MEMORY_BYTES)} of memory, available are {show_bytes(available)}",
            hint="stop something else meanwhile",
        )


def parse_available(meminfo: str) -> int | None:
    """Return the bytes of MemAvailable: in /proc/meminfo (proc(5))."""
    for line in meminfo.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def copy_whole(source: Path, target: Path, *, with_wal: bool = True) -> int:
    """Copy a database and fold what lies beside it into the copy; return how many bytes the disk would not give."""
    lost = copy_file(source, target)
    journal, wal = Path(f"{source}-journal"), Path(f"{source}-wal")
    if journal.exists():
        # SQLite takes back what was cut off as soon as it reads the copy.
        lost += copy_file(journal, Path(f"{target}-journal"))
        with contextlib.suppress(DataError), writing(target) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        Path(f"{target}-journal").unlink(missing_ok=True)
    if with_wal and wal.exists():
        aside = Path(f"{target}.wal-copy")
        lost += copy_file(wal, aside)
        fold(aside, target)
        aside.unlink()
    return lost


def copy_file(source: Path, target: Path) -> int:
    """Copy a file; where the disk cannot read it the copy has zeros. Return how many. Raises DiskFull and IoFailed."""
    lost = 0
    try:
        with open(source, "rb", buffering=0) as old, open(target, "wb", buffering=0) as new:
            size = os.fstat(old.fileno()).st_size
            at = 0
            while at < size:
                chunk, missing = _read(old.fileno(), at, min(_CHUNK, size - at))
                lost += missing
                if not chunk:
                    break
                at += _write(new.fileno(), chunk)
    except OSError as error:
        raise _failed("copy", source, error) from error
    return lost


def _write(fd: int, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    return len(data)


def _read(fd: int, at: int, size: int) -> tuple[bytes, int]:
    try:
        return os.pread(fd, size, at), 0
    except OSError as error:
        if error.errno != errno.EIO:
            raise
    parts, lost = [], 0
    for start in range(at, at + size, _BLOCK):
        wanted = min(_BLOCK, at + size - start)
        try:
            parts.append(os.pread(fd, wanted, start))
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            parts.append(bytes(wanted))
            lost += wanted
    return b"".join(parts), lost


def _failed(verb: str, path: Path, error: OSError) -> IoFailed:
    kind = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else IoFailed
    return kind(f"Failed to {verb} {path}: {error.strerror}")
