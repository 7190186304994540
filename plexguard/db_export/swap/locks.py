"""Which of SQLite's locks others hold: asked of the kernel, so that it is told across containers too.

Source: https://www.sqlite.org/src/file/src/os_unix.c (UNIX_SHM_BASE, UNIX_SHM_DMS) and sqliteInt/os.h (PENDING_BYTE). SQLite's
locks are those of POSIX: a process that only closes another descriptor of the file loses its own, so nothing is locked here.
"""

import fcntl
import os
import struct
from pathlib import Path

# A database: PENDING, RESERVED, and 510 bytes that readers share; in WAL mode each connection does all the time.
_DATABASE = (0x40000000, 512)
# A -shm: eight locks, and one that everybody holds who has it open.
_SHM = (120, 9)
_FLOCK = "hhqqi4x"


def find_lock(path: Path) -> int | None:
    """Return the pid of somebody who holds a lock of SQLite's on a database or its -shm; 0 for one who is not seen from here, None
    for nobody. Raises OSError."""
    start, length = _SHM if path.name.endswith("-shm") else _DATABASE
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(fd, fcntl.F_OFD_GETLK, asked))
    finally:
        os.close(fd)
    # -1: a lock of an open file, which no process owns.
    return None if kind == fcntl.F_UNLCK else max(pid, 0)
