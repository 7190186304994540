"""What lies beside a database, and how its file begins. Only reads, and no SQLite: that would change what it looks at."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from plexguard.db_export.check.findings import Finding, Kind, warning
from plexguard.db_export.check.header import HEADER_BYTES, judge_header
from plexguard.db_export.check.wal import HEADER_BYTES as WAL_BYTES
from plexguard.db_export.check.wal import Wal, judge_wal

# More than this of a -wal is not read: what is wrong with it shows at its beginning.
_MOST_BYTES = 32_000_000
# Plex writes on meanwhile. What has changed while it was read is read again, so many times.
_ATTEMPTS = 5
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """A database's file and its -wal at one moment. wal: None where there is none, or an empty one."""

    head: bytes
    size_bytes: int
    wal: Wal | None
    is_whole_wal: bool
    is_older: bool
    copied: int


def look_at_files(path: Path) -> tuple[Finding, ...]:
    """Return what is wrong with a database's file and what lies beside it. Raises OSError."""
    return (*_judge_pair(path), *_judge_journal(path))


def _judge_pair(path: Path) -> Iterator[Finding]:
    for _ in range(_ATTEMPTS):
        before = _stamps(path)
        files = _read(path)
        if _stamps(path) == before:
            break
    else:
        # It changes all the time: it is in use, and whoever uses it has taken the -wal for its own.
        return
    if files.wal is None or (files.wal.is_valid and files.wal.frames == 0):
        yield from judge_header(files.head, files.size_bytes)
    if files.wal is not None and len(files.head) == HEADER_BYTES and files.is_whole_wal:
        yield from judge_wal(files.wal, files.head, is_older=files.is_older, copied=files.copied)


def _stamps(path: Path) -> tuple[tuple[int, int], ...]:
    found = [path.stat()]
    with suppress(FileNotFoundError):
        found.append(_beside(path, "-wal").stat())
    return tuple((status.st_mtime_ns, status.st_size) for status in found)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _read(path: Path) -> Files:
    raw = b""
    written_ns = 0
    size_bytes = 0
    with suppress(FileNotFoundError), _beside(path, "-wal").open("rb") as file:
        status = os.fstat(file.fileno())
        written_ns, size_bytes = status.st_mtime_ns, status.st_size
        raw = file.read(_MOST_BYTES)
    wal = Wal.from_bytes(raw) if len(raw) >= WAL_BYTES else None
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        head = file.read(HEADER_BYTES)
        return Files(
            head=head,
            size_bytes=status.st_size,
            wal=wal,
            is_whole_wal=len(raw) == size_bytes,
            is_older=status.st_mtime_ns > written_ns,
            copied=_count_copied(file.fileno(), wal, raw) if wal is not None else 0,
        )


def _count_copied(fd: int, wal: Wal, raw: bytes) -> int:
    """Return how many pages of a -wal are in the database's file just so."""
    pages = ((page, raw[at : at + wal.page_bytes]) for page, at in wal.places.items())
    return sum(os.pread(fd, wal.page_bytes, (page - 1) * wal.page_bytes) == content for page, content in pages)


def _judge_journal(path: Path) -> Iterator[Finding]:
    with suppress(FileNotFoundError), _beside(path, "-journal").open("rb") as file:
        if file.read(len(_JOURNAL_MAGIC)) == _JOURNAL_MAGIC:
            yield warning(Kind.JOURNAL, "a -journal lies beside it: a change was cut off, and is taken back when Plex opens it")


def page_types(copy: Path, roots: Iterator[int], page_bytes: int) -> dict[int, int]:
    """Return the first byte of pages, which tells their type. Those behind the end are left out."""
    with copy.open("rb") as file:
        read = {root: os.pread(file.fileno(), 1, (root - 1) * page_bytes) for root in roots if root > 1}
    return {root: byte[0] for root, byte in read.items() if byte}
