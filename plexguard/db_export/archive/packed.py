"""The compression of an archive, by the commands zstd(1) and gzip(1), and the second copy of the manifest at its end.

That copy lies in a frame which zstd leaves out when it unpacks ("skippable frame", RFC 8878, 3.1.2): what is in an archive, and how
large, is known without unpacking it.
"""

import contextlib
import fcntl
import os
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from plexguard.core.errors import IoFailed, Unavailable
from plexguard.db_export.archive.manifest import MAX_MANIFEST_BYTES, BadArchive, CutShort
from plexguard.db_export.database.sqlite import DiskFull

# Measured with a library of 456,534 tracks (646 MB) on two processors: 132.2 MB in 1.15 s; plain -3: 132.5 MB in 1.55 s.
_LEVEL = ("-3", "--zstd=strat=2,hlog=14,clog=15")
# More would take more memory than an export may: some 25 MB each.
_MOST_THREADS = 4
# What an archive of ours needs is 2 MB; one of others may ask for gigabytes.
_MOST_MEMORY = "-M64MB"
_FRAME = struct.Struct("<II")
_SKIPPABLE = 0x184D2A5E
_FOOT = struct.Struct("<I8s")
_MARK = b"plexgrd1"
_GZIP = b"\x1f\x8b"
_ZSTD = (0xFD2FB528).to_bytes(4, "little")
# Slower than this nothing is that still works.
_SLOWEST_BYTES_PER_S = 500_000
_GRACE_S = 600.0
_PIPE_BYTES = 1024 * 1024


@contextlib.contextmanager
def packing(target: int, *, expected_bytes: int) -> Iterator[int]:
    """Yield the descriptor of a pipe: what is written there is packed into the descriptor `target`. Raises DiskFull, IoFailed."""
    threads = min(_MOST_THREADS, len(os.sched_getaffinity(0)))
    argv = ["zstd", "-q", "-c", f"-T{threads}", *_LEVEL]
    with _child(argv, stdin=subprocess.PIPE, stdout=target, expected_bytes=expected_bytes) as (process, errors):
        assert process.stdin is not None
        fd = process.stdin.fileno()
        _widen(fd)
        try:
            yield fd
            process.stdin.close()
        except BrokenPipeError as error:
            process.wait(_GRACE_S)
            raise _write_failed(_last_line(errors)) from error
        if process.wait(_GRACE_S) != 0:
            raise _write_failed(_last_line(errors))


def _write_failed(reason: str) -> IoFailed:
    message = f"Failed to write the archive: {reason or 'zstd ended'}"
    return DiskFull(message) if "No space left" in reason else IoFailed(message)


@contextlib.contextmanager
def unpacking(path: Path, *, expected_bytes: int) -> Iterator[BinaryIO]:
    """Yield what is in a packed file. Raises BadArchive where it cannot be unpacked."""
    # Without a buffer: the child reads on from where the descriptor stands.
    with open(path, "rb", buffering=0) as source:
        kind = source.read(4)
        source.seek(0)
        if kind == _ZSTD:
            argv = ["zstd", "-q", "-d", "-c", _MOST_MEMORY]
        elif kind.startswith(_GZIP):
            argv = ["gzip", "-d", "-c"]
        else:
            raise BadArchive("it is neither packed by zstd nor by gzip")
        with _child(argv, stdin=source.fileno(), stdout=subprocess.PIPE, expected_bytes=expected_bytes) as (process, errors):
            stream = cast("BinaryIO", process.stdout)
            _widen(stream.fileno())
            try:
                yield stream
            except CutShort as error:
                # What the packer says is nearer to the cause.
                raise _unpack_failed(process, errors) or error from error
            if (failed := _unpack_failed(process, errors)) is not None:
                raise failed


def _unpack_failed(process: subprocess.Popen[bytes], errors: BinaryIO) -> BadArchive | None:
    """Return what the packer met, None when it is content. It has nothing more to say."""
    if process.wait(_GRACE_S) == 0:
        return None
    return BadArchive(f"it cannot be unpacked: {_last_line(errors)}")


@contextlib.contextmanager
def _child(argv: list[str], *, stdin: int, stdout: int, expected_bytes: int) -> Iterator[tuple[subprocess.Popen[bytes], BinaryIO]]:
    """Run a packer. One that is not done when even the slowest would be is killed, which ends whoever waits for it."""
    with tempfile.TemporaryFile() as errors:
        env = {**os.environ, "LC_ALL": "C"}
        try:
            # In a session of its own: Ctrl-C is for us, who end it.
            process = subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=errors, env=env, start_new_session=True)
        except FileNotFoundError as error:
            raise Unavailable(f"{argv[0]}: no such command", hint=f"apt-get install {argv[0]}") from error
        timer = threading.Timer(_GRACE_S + expected_bytes / _SLOWEST_BYTES_PER_S, process.kill)
        timer.daemon = True
        timer.start()
        try:
            yield process, cast("BinaryIO", errors)
        finally:
            timer.cancel()
            timer.join()
            process.kill()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_S)


def _widen(pipe: int) -> None:
    """Let more through a pipe at once; a system that is short of such memory refuses, which only costs time."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _last_line(errors: BinaryIO) -> str:
    errors.seek(0)
    lines = errors.read(4096).decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def frame_manifest(text: bytes) -> bytes:
    """Return what stands at the end of an archive."""
    size = len(text) + _FOOT.size
    return _FRAME.pack(_SKIPPABLE, size) + text + _FOOT.pack(size, _MARK)


def read_framed_manifest(path: Path) -> bytes | None:
    """Return the manifest at the end of an archive, None for one that is packed by gzip: it has none. Raises BadArchive."""
    with open(path, "rb") as source:
        if source.read(2) == _GZIP:
            return None
        end = source.seek(0, os.SEEK_END)
        source.seek(max(0, end - _FOOT.size))
        foot = source.read()
        size, mark = _FOOT.unpack(foot) if len(foot) == _FOOT.size else (0, b"")
        begin = end - size - _FRAME.size
        if mark != _MARK or not _FOOT.size <= size <= MAX_MANIFEST_BYTES or begin < 0:
            raise BadArchive("it is no archive of plexguard, or cut short")
        source.seek(begin)
        if source.read(_FRAME.size) != _FRAME.pack(_SKIPPABLE, size):
            raise BadArchive("the frame of its manifest makes no sense")
        return source.read(size - _FOOT.size)
