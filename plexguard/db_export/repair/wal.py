"""Fold a -wal into a copy of its database, also where SQLite would not open that.

Source: https://www.sqlite.org/fileformat2.html#walformat
"""

import array
import os
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MAGIC_LITTLE, _MAGIC_BIG = 0x377F0682, 0x377F0683
_VERSION = 3007000


@dataclass(frozen=True, slots=True)
class Frame:
    """A page in a -wal. pages: the database's length after it where a transaction ends, else 0. at: where the page lies."""

    number: int
    pages: int
    at: int


def fold(wal: Path, database: Path) -> int:
    """Write the pages of all whole transactions of a -wal into the copy of its database; return how many were written."""
    with wal.open("rb") as source, database.open("r+b") as target:
        size, frames = _committed(source.fileno())
        for frame in frames:
            os.pwrite(target.fileno(), os.pread(source.fileno(), size, frame.at), (frame.number - 1) * size)
        if frames:
            os.ftruncate(target.fileno(), frames[-1].pages * size)
    return len(frames)


def _committed(fd: int) -> tuple[int, list[Frame]]:
    head = os.pread(fd, 32, 0)
    if len(head) < 32:
        return 0, []
    magic, version, size = struct.unpack_from(">III", head)
    is_big = magic == _MAGIC_BIG
    sums = _checksum(head[:24], (0, 0), is_big=is_big)
    if magic not in (_MAGIC_LITTLE, _MAGIC_BIG) or version != _VERSION or sums != struct.unpack_from(">II", head, 24):
        return 0, []
    frames = list(_frames(fd, size, head[16:24], sums, is_big=is_big))
    last = max((index for index, frame in enumerate(frames) if frame.pages), default=-1)
    return size, frames[: last + 1]


def _frames(fd: int, size: int, salts: bytes, sums: tuple[int, int], *, is_big: bool) -> Iterator[Frame]:
    """Yield frames as long as their salts are the header's and their checksums go on from the frame before."""
    at = 32
    while True:
        frame = os.pread(fd, 24 + size, at)
        if len(frame) < 24 + size or frame[8:16] != salts:
            return
        sums = _checksum(frame[24:], _checksum(frame[:8], sums, is_big=is_big), is_big=is_big)
        if sums != struct.unpack_from(">II", frame, 16):
            return
        number, pages = struct.unpack_from(">II", frame)
        yield Frame(number, pages, at + 24)
        at += 24 + size


def _checksum(data: bytes, sums: tuple[int, int], *, is_big: bool) -> tuple[int, int]:
    words = array.array("I", data)
    if is_big != (sys.byteorder == "big"):
        words.byteswap()
    first, second = sums
    for index in range(0, len(words), 2):
        first = first + words[index] + second & 0xFFFFFFFF
        second = second + words[index + 1] + first & 0xFFFFFFFF
    return first, second
