"""What os.stat() does not tell of an inode: when it was made (statx(2), through ctypes until Python has it)."""

import ctypes
import os
import struct
from datetime import UTC, datetime

_AT_EMPTY_PATH = 0x1000
_STATX_BTIME = 0x800
# struct statx of linux/stat.h, as far as stx_btime; the kernel writes 256 bytes.
_BUFFER_BYTES = 256
_BTIME_AT = 0x50


def birth_time(fd: int) -> datetime | None:
    """Return when an inode was made, to the microsecond, None where its file system does not keep that."""
    buffer = ctypes.create_string_buffer(_BUFFER_BYTES)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.statx(fd, b"", _AT_EMPTY_PATH, _STATX_BTIME, buffer) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if not struct.unpack_from("=I", buffer)[0] & _STATX_BTIME:
        return None
    seconds, nanoseconds = struct.unpack_from("=qI", buffer, _BTIME_AT)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanoseconds // 1000)
