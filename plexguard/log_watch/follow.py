"""Follow Plex's log files across rotation, truncation, restarts and our own downtime, without losing or repeating a line.

A file is known by its inode, whatever it is called by now, and each has a place up to which it was read. So a file that was
renamed is read to its end under its new name, and what is not known is new and read whole. A digest of the bytes before the
place tells a file that was truncated and has grown again, or an inode that was used again, from the one that was read.

Plex renames x.log to x.1.log and so on up to x.5.log, and begins a new x.log.
"""

import itertools
import os
import re
import stat
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# A longer line is cut, and its end left out: nothing that matters is so far to the right.
MAX_LINE_BYTES = 64 * 1024
_CHUNK_BYTES = 256 * 1024
# Two lines or so, with their times: nothing that comes again at the same place of another file.
_TAIL_BYTES = 256
_NAME = re.compile(r"(?P<family>Plex Media (?:Server|Scanner(?: [\w ]{1,60})?))(?:\.(?P<number>\d))?\.log", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a file was read. offset: of the first byte that was not. tail_bytes, tail: how many bytes before it a CRC-32 was
    made of, and that. is_in_line: the rest of a line that was cut follows."""

    inode: int
    offset: int
    tail_bytes: int = 0
    tail: int = 0
    is_in_line: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFile:
    """A file in the folder. family: its name without number. number: 0 is written to, higher ones are older."""

    name: str
    family: str
    number: int
    inode: int
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Some lines of one file, without their ends, in order."""

    family: str
    lines: tuple[bytes, ...]


class Follower:
    """places: up to where the files were read before; None begins at the end of what is there."""

    def __init__(self, places: Iterable[Place] | None) -> None:
        self._places = None if places is None else {place.inode: place for place in places}
        # What a file looked like when nothing more could be read from it.
        self._exhausted: dict[int, tuple[int, int, bool]] = {}
        # Files that may not be read, and why.
        self.refused: dict[str, str] = {}
        self.followed = 0

    @property
    def places(self) -> tuple[Place, ...] | None:
        return None if self._places is None else tuple(self._places.values())

    def read(self, folder: Path) -> Lines | None:
        """Return lines that were not returned before, a bounded number of them, or None when there are none.

        Raises OSError when the folder cannot be listed.
        """
        files = list_logs(folder)
        self.refused = {}
        self.followed = len({file.family for file in files})
        if self._places is None:
            if files:
                self._places = {file.inode: place for file in files if (place := self._begin_at_end(folder, file)) is not None}
            return None
        for file in files:
            lines = self._read_file(folder, file)
            if lines:
                return Lines(family=file.family, lines=tuple(lines))
        if files:
            # Not before all was read, since one of these may be a copy of what is gone. And a folder that is empty for a
            # moment, as when its disk is away, makes nothing unknown.
            self._forget_all_but({file.inode for file in files})
        return None

    def _forget_all_but(self, inodes: set[int]) -> None:
        places = self._places or {}
        for gone in [inode for inode in places if inode not in inodes]:
            del places[gone]
            self._exhausted.pop(gone, None)

    def _begin_at_end(self, folder: Path, file: LogFile) -> Place | None:
        fd = self._open(folder, file)
        if fd is None:
            return None
        try:
            size = os.fstat(fd).st_size
            tail = os.pread(fd, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
        finally:
            os.close(fd)
        return _place(file.inode, size, tail, is_in_line=bool(tail) and not tail.endswith(b"\n"))

    def _read_file(self, folder: Path, file: LogFile) -> list[bytes]:
        assert self._places is not None
        look = (file.size, file.mtime_ns, file.number > 0)
        if self._exhausted.get(file.inode) == look:
            return []
        fd = self._open(folder, file)
        if fd is None:
            return []
        try:
            place, before, data = self._read_on(fd, file)
            at_end = place.offset + len(data) >= os.fstat(fd).st_size
        finally:
            os.close(fd)
        # Who wrote to a file that has been renamed has ended in the middle of its last line.
        lines, used, is_in_line = cut_lines(data, is_in_line=place.is_in_line, takes_rest=at_end and file.number > 0)
        tail = (before + data[:used])[-_TAIL_BYTES:]
        self._places[file.inode] = _place(file.inode, place.offset + used, tail, is_in_line=is_in_line)
        if at_end:
            self._exhausted[file.inode] = look
        return lines

    def _read_on(self, fd: int, file: LogFile) -> tuple[Place, bytes, bytes]:
        """Return the place that holds for an open file, the bytes right before it, and those that follow it."""
        assert self._places is not None
        known = self._places.get(file.inode)
        # A copy of what was read goes on where the original was, as when the folder was moved to another disk.
        copied = (p for p in self._places.values() if p is not known and p.tail_bytes == _TAIL_BYTES and _fits(fd, p))
        for place in itertools.chain(() if known is None else (known,), copied):
            # One call for both, so that nobody can truncate the file in between.
            data = os.pread(fd, place.tail_bytes + _CHUNK_BYTES, place.offset - place.tail_bytes)
            before = data[: place.tail_bytes]
            if _is_tail(before, place):
                return place, before, data[place.tail_bytes :]
        return Place(inode=file.inode, offset=0), b"", os.pread(fd, _CHUNK_BYTES, 0)

    def _open(self, folder: Path, file: LogFile) -> int | None:
        """Return a descriptor of the very file that was listed, or None: it has another name by now, or may not be read."""
        try:
            fd = os.open(folder / file.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.refused[file.name] = str(error.strerror)
            return None
        if os.fstat(fd).st_ino != file.inode:
            os.close(fd)
            return None
        return fd


def list_logs(folder: Path) -> list[LogFile]:
    """Return the log files of a folder that are followed, those of one family together and the oldest first.

    Raises OSError.
    """
    files = []
    with os.scandir(folder) as entries:
        for entry in entries:
            found = _NAME.fullmatch(entry.name)
            if found is None:
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                files.append(
                    LogFile(
                        name=entry.name,
                        family=found["family"],
                        number=int(found["number"] or 0),
                        inode=status.st_ino,
                        size=status.st_size,
                        mtime_ns=status.st_mtime_ns,
                    )
                )
    return sorted(files, key=lambda file: (file.family, -file.number))


def cut_lines(data: bytes, *, is_in_line: bool, takes_rest: bool) -> tuple[list[bytes], int, bool]:
    """Return the whole lines at the beginning of some bytes, how many bytes they are, and whether a line was cut there.

    is_in_line: the bytes begin with the rest of a line that was cut. takes_rest: what follows the last line end is a line too.
    """
    begin = 0
    if is_in_line:
        begin = data.find(b"\n") + 1
        if begin == 0:
            return [], len(data), not takes_rest
    end = data.rfind(b"\n") + 1
    lines = [line[:MAX_LINE_BYTES] for line in data[begin : end - 1].split(b"\n")] if end > begin else []
    rest = data[max(begin, end) :]
    if rest and (takes_rest or len(rest) >= MAX_LINE_BYTES):
        return [*lines, rest[:MAX_LINE_BYTES]], len(data), not takes_rest
    return lines, len(data) - len(rest), False


def _fits(fd: int, place: Place) -> bool:
    return _is_tail(os.pread(fd, place.tail_bytes, place.offset - place.tail_bytes), place)


def _is_tail(data: bytes, place: Place) -> bool:
    return len(data) == place.tail_bytes and zlib.crc32(data) == place.tail


def _place(inode: int, offset: int, tail: bytes, *, is_in_line: bool) -> Place:
    return Place(inode=inode, offset=offset, tail_bytes=len(tail), tail=zlib.crc32(tail), is_in_line=is_in_line)
