"""A FUSE file system of one folder and one file, whose chmod succeeds and changes nothing, as that of rclone or NTFS does.

Speaks as much of the protocol (linux/fuse.h, 7.31) as an audit needs. `serve` ends with its process.
"""

import errno
import os
import struct
from collections.abc import Callable

ROOT, FILE = 1, 2
NAME = b"film.mkv"
FILE_MODE = 0o100600
_LOOKUP, _FORGET, _GETATTR, _SETATTR, _INIT, _OPENDIR, _READDIR, _RELEASEDIR, _BATCH_FORGET = 1, 2, 3, 4, 26, 27, 28, 29, 42
_IN, _OUT = struct.Struct("<IIQQIIIHH"), struct.Struct("<IiQ")


def serve(fd: int) -> None:
    """Answer requests until the file system is unmounted."""
    while True:
        try:
            request = os.read(fd, 1 << 20)
        except OSError:
            return
        length, opcode, unique, node, *_ = _IN.unpack_from(request)
        answer = _answer(opcode, node, request[_IN.size : length])
        if answer is None:
            continue
        body, error = (b"", -answer) if isinstance(answer, int) else (answer, 0)
        os.write(fd, _OUT.pack(_OUT.size + len(body), error, unique) + body)


def _answer(opcode: int, node: int, body: bytes) -> bytes | int | None:
    """Return the body of an answer, an errno, or None where none is due."""
    if opcode in (_FORGET, _BATCH_FORGET):
        return None
    answers: dict[int, Callable[[], bytes | int]] = {
        _INIT: lambda: struct.pack("<IIIIHHIIHHI28x", 7, 31, 0, 0, 16, 12, 131072, 1, 0, 0, 0),
        _LOOKUP: lambda: struct.pack("<QQQQII", FILE, 0, 0, 0, 0, 0) + _attributes(FILE) if body == NAME + b"\0" else errno.ENOENT,
        _GETATTR: lambda: struct.pack("<QII", 0, 0, 0) + _attributes(node),
        _SETATTR: lambda: struct.pack("<QII", 0, 0, 0) + _attributes(node),
        _OPENDIR: lambda: struct.pack("<QII", 1, 0, 0),
        _READDIR: lambda: b"" if struct.unpack_from("<QQ", body)[1] else _entry(),
        _RELEASEDIR: lambda: b"",
    }
    return answers.get(opcode, lambda: errno.ENOSYS)()


def _entry() -> bytes:
    return struct.pack("<QQII", FILE, 1, len(NAME), 8) + NAME + bytes(-len(NAME) % 8)


def _attributes(node: int) -> bytes:
    mode, links = (0o040755, 2) if node == ROOT else (FILE_MODE, 1)
    return struct.pack("<QQQQQQIIIIIIIIII", node, 0, 0, 0, 0, 0, 0, 0, 0, mode, links, 0, 0, 0, 4096, 0)
