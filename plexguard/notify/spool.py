"""The log of events that channels are still to take: files of some 1 MB, one JSON line an event.

The cursor of its last whole line is the place in the journal up to which everything was taken. One process writes, any number
read.
"""

import json
import os
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from plexguard.core.errors import DataError, IoFailed
from plexguard.core.records import decode, encode
from plexguard.core.state import sync_folder, write_atomic
from plexguard.notify.line import Line, line_from_json

# Its folder, below that of the state.
SPOOL = "spool"
SEGMENT_BYTES = 1 << 20
_BEGIN = "begin.json"
_DIGITS = 12
_SEGMENT = re.compile(rf"[0-9]{{{_DIGITS}}}\.jsonl", re.ASCII)
_KEPT_SEGMENTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Where the first segment begins. n: the first event's number; cursor: of the journal, "" for its beginning."""

    n: int
    cursor: str


@dataclass(slots=True)
class _Segment:
    """What was read of one, and up to where."""

    offset: int = 0
    lines: list[Line] = field(default_factory=list)


def segments(folder: Path) -> list[Path]:
    """Return the files of a spool, oldest first. Raises IoFailed."""
    try:
        with os.scandir(folder) as found:
            # Not what a link leads to: that may have no end.
            return sorted(
                folder / entry.name for entry in found if _SEGMENT.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
            )
    except FileNotFoundError:
        return []
    except OSError as error:
        raise IoFailed(f"Failed to read {folder}: {error.strerror}") from error


def first_number(segment: Path) -> int:
    return int(segment.stem)


def parse_line(row: bytes) -> Line | None:
    """Return the event of a line, None for one that is torn or damaged."""
    if not row.endswith(b"\n"):
        return None
    try:
        return line_from_json(json.loads(row))
    except (ValueError, RecursionError):
        return None


class SpoolReader:
    """Reads a spool while another process writes it. Of what was read, the last two segments are kept at hand."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, _Segment] = {}
        # The number of the last event that was given out.
        self.last = 0

    def lines(self, n: int) -> Iterator[Line]:
        """Yield the events from that number on, oldest first; one that cannot be read is left out, and leaves a gap. Raises
        IoFailed."""
        found = segments(self._folder)
        for segment, following in zip(found, [*found[1:], None], strict=True):
            if following is None or first_number(following) > n:
                lines = self._lines_of(segment)
                for line in lines[bisect_left(lines, n, key=lambda line: line.n) :]:
                    self.last = max(self.last, line.n)
                    yield line

    def _lines_of(self, segment: Path) -> list[Line]:
        held = self._read.setdefault(segment, _Segment())
        try:
            with open(segment, "rb") as file:
                file.seek(held.offset)
                for row in file:
                    if not row.endswith(b"\n"):
                        break  # being written
                    held.offset += len(row)
                    line = parse_line(row)
                    if line is not None:
                        held.lines.append(line)
        except FileNotFoundError:
            held.lines = []  # dropped just now
        except OSError as error:
            raise IoFailed(f"Failed to read {segment}: {error.strerror}") from error
        while len(self._read) > _KEPT_SEGMENTS:
            del self._read[next(iter(self._read))]
        return held.lines


class Spool:
    """The one who writes it."""

    def __init__(self, folder: Path, *, limit_bytes: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        """segment_bytes: about how large a file becomes. Nothing is read or written until `open`."""
        self.folder = folder
        self._limit_bytes = limit_bytes
        self._segment_bytes = segment_bytes
        self.next = 1
        self.cursor = ""
        self._size = 0
        self._segment: Path | None = None

    def open(self, find_begin: Callable[[], str]) -> None:
        """Find where the last run ended, and cut off a line that was not written to its end.

        find_begin: the place in the journal to begin at, where nothing was ever taken. Raises IoFailed.
        """
        try:
            self._open(find_begin)
        except OSError as error:
            raise IoFailed(f"Failed to open {self.folder}: {error.strerror}") from error

    def _open(self, find_begin: Callable[[], str]) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        begin = self._read_begin()
        if begin is None:
            # Gone while we run: it goes on where it was.
            begin = Begin(n=self.next, cursor=self.cursor or find_begin())
            text = json.dumps(encode(begin)) + "\n"
            write_atomic(self.folder / _BEGIN, text.encode("ascii"), mode=0o600)
        self.next, self.cursor, self._segment, self._size = begin.n, begin.cursor, None, 0
        for segment in reversed(segments(self.folder)):
            last = _mend(segment)
            if last is not None:
                self.next, self.cursor = last.n + 1, last.cursor
                self._segment, self._size = segment, segment.stat().st_size
                return
            # Begun, and the power failed.
            segment.unlink()

    def _read_begin(self) -> Begin | None:
        try:
            return decode(Begin, json.loads((self.folder / _BEGIN).read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, DataError):
            # Written once and never again: if it is damaged, what the segments say still holds.
            found = segments(self.folder)
            return Begin(n=first_number(found[0]), cursor="") if found else None

    def append(self, lines: Sequence[Line]) -> None:
        """Keep events, on disk when this returns. Raises IoFailed, with nothing of them kept."""
        if not lines:
            return
        text = b"".join(json.dumps(encode(line), ensure_ascii=False).encode("utf-8", "replace") + b"\n" for line in lines)
        is_new = self._segment is None or self._size >= self._segment_bytes
        segment = self.folder / f"{lines[0].n:0{_DIGITS}}.jsonl" if is_new or self._segment is None else self._segment
        self._write(segment, text, at=0 if is_new else self._size, is_new=is_new)
        self._segment, self._size = segment, (0 if is_new else self._size) + len(text)
        self.next, self.cursor = lines[-1].n + 1, lines[-1].cursor

    def _write(self, segment: Path, text: bytes, *, at: int, is_new: bool) -> None:
        try:
            fd = os.open(segment, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                # Also what a full disk left of the last attempt.
                os.ftruncate(fd, at)
                _write_all(fd, text, at)
                os.fdatasync(fd)
            except OSError:
                os.ftruncate(fd, at)
                raise
            finally:
                os.close(fd)
            if is_new:
                sync_folder(self.folder)
        except OSError as error:
            raise IoFailed(f"Failed to write {segment}: {error.strerror}") from error

    def drop(self, passed: int) -> int:
        """Delete the segments whose events all channels are done with (those before `passed`), and the oldest beyond the limit.
        Return how many events that were not passed were dropped. The newest segment always stays: its last line is the place in the
        journal."""
        found = segments(self.folder)
        sizes = {segment: _size_of(segment) for segment in found}
        dropped = 0
        for segment, following in pairwise(found):
            end = first_number(following)
            if end > passed and sum(sizes.values()) <= self._limit_bytes:
                break
            dropped += max(0, end - max(passed, first_number(segment)))
            segment.unlink(missing_ok=True)
            del sizes[segment]
        return dropped


def _mend(segment: Path) -> Line | None:
    """Return the last whole event of a segment, after cutting off what follows it."""
    last, whole = None, 0
    with open(segment, "rb") as file:
        place = 0
        for row in file:
            place += len(row)
            line = parse_line(row)
            if line is not None:
                last, whole = line, place
    if last is not None and whole < segment.stat().st_size:
        os.truncate(segment, whole)
    return last


def _write_all(fd: int, text: bytes, at: int) -> None:
    while text:
        written = os.pwrite(fd, text, at)
        text, at = text[written:], at + written


def _size_of(segment: Path) -> int:
    try:
        return segment.stat().st_size
    except FileNotFoundError:
        return 0
