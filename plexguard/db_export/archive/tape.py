"""The tar in an archive: headers as they are written, and a stream of members as it is read, which trusts nothing.

Not `tarfile` for the reading: it keeps every member in memory, and follows whatever kind of member it meets.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from plexguard.db_export.archive.manifest import BadArchive, CutShort

BLOCK = 512
CHUNK = 1024 * 1024
END = bytes(2 * BLOCK)
# Names and extended headers that are longer are no file's.
_MAX_HEADER_BYTES = 64 * 1024
_LONG_NAME, _PAX, _PAX_GLOBAL, _FOLDER = b"L", b"x", b"g", b"5"
_FILES = (b"0", b"\0")


def make_header(name: str, size: int, *, mtime: float = 0, mode: int = 0o600) -> bytes:
    """Return the header of a file, with the header of its long name where it has one."""
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, int(mtime), mode
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def padding(size: int) -> bytes:
    """Return what fills the last block of a file."""
    return bytes(-size % BLOCK)


@dataclass(frozen=True, slots=True)
class Entry:
    """A member of a tar. is_file: an ordinary file; of what else there is, links and devices, only the name counts."""

    name: str
    size: int
    is_file: bool
    is_folder: bool = False


class Tape:
    """A tar that is read once, from begin to end. limit_bytes: more than this is not read, whatever the headers say."""

    def __init__(self, stream: BinaryIO, *, limit_bytes: int) -> None:
        self._stream = stream
        self._left = limit_bytes
        self._buffer = memoryview(bytearray(CHUNK))

    def entries(self) -> Iterator[tuple[Entry, Iterator[memoryview]]]:
        """Yield each member with its bytes, chunk by chunk; a chunk is good until the next. Raises BadArchive."""
        name, size = "", -1
        while (header := self._read_header()) is not None:
            info = _parse(header)
            match info.type:
                case b"L":
                    name = _text(self._read_small(info.size).rstrip(b"\0"))
                    continue
                case b"x":
                    name, size = _parse_pax(self._read_small(info.size), name, size)
                    continue
                case b"g":
                    self._read_small(info.size)
                    continue
            is_file, is_folder = info.type in _FILES, info.type == _FOLDER
            size = (info.size if size < 0 else size) if is_file else 0
            if info.type in (b"1", b"2", b"3", b"4", b"6") or is_file or is_folder:
                body = self._body(size)
                yield Entry(name or info.name, size, is_file, is_folder), body
                for _ in body:  # what nobody wanted
                    pass
                self._read_exact(-size % BLOCK)
            else:
                raise BadArchive(f"a member is of the kind {info.type!r}, which no archive has")
            name, size = "", -1
        self._drain()

    def _read_header(self) -> bytes | None:
        header = self._read_exact(BLOCK)
        if header == bytes(BLOCK):
            return None
        return header

    def _read_small(self, size: int) -> bytes:
        if not 0 <= size <= _MAX_HEADER_BYTES:
            raise BadArchive("a name is longer than names are")
        return self._read_exact(size + -size % BLOCK)[:size]

    def _read_exact(self, size: int) -> bytes:
        self._take(size)
        found = self._stream.read(size) if size else b""
        if len(found) < size:
            raise CutShort("it is cut short")
        return found

    def _body(self, size: int) -> Iterator[memoryview]:
        self._take(size)
        while size:
            chunk = self._buffer[: min(size, CHUNK)]
            found = self._stream.readinto(chunk)  # type: ignore[attr-defined]  # typeshed forgets it
            if not found:
                raise CutShort("it is cut short")
            size -= found
            yield chunk[:found]

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise BadArchive("there is more in it than there should be: it is not unpacked any further")

    def _drain(self) -> None:
        """Read what fills the last record, which is nothing: else the writer would be ended by a broken pipe."""
        while chunk := self._stream.read(CHUNK):
            self._take(len(chunk))
            if chunk.count(0) < len(chunk):
                raise BadArchive("something comes after its end")


def _parse(header: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as error:
        raise BadArchive(f"a header makes no sense: {error}") from error
    if info.size < 0:
        raise BadArchive("a header makes no sense: the size is negative")
    return info


def _parse_pax(data: bytes, name: str, size: int) -> tuple[str, int]:
    """Return the name and the size that an extended header gives, else those there were (pax(1), "Extended Header")."""
    while data:
        length_text, _, _ = data.partition(b" ")
        length = int(length_text) if length_text.isdigit() and len(length_text) < 8 else 0
        if not len(length_text) + 2 <= length <= len(data):
            raise BadArchive("an extended header makes no sense")
        key, _, value = data[len(length_text) + 1 : length - 1].partition(b"=")
        if key == b"path":
            name = _text(value)
        elif key == b"size":
            if not value.isdigit() or len(value) > 18:
                raise BadArchive("an extended header makes no sense: the size is none")
            size = int(value)
        elif key.startswith(b"GNU.sparse"):
            raise BadArchive("a member has holes, which no archive has")
        data = data[length:]
    return name, size


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def is_safe(name: str) -> bool:
    """Tell whether a name leads to a place below the folder that it is unpacked in, and nowhere else."""
    parts = name.split("/")
    return "\0" not in name and len(name) <= 4096 and not {"", ".", ".."} & set(parts)
