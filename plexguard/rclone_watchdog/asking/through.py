"""Bytes of files through a mount itself, as its users read them. Only processes that can be given up touch it, one at a time.

With a storage that hangs, such a process cannot be killed before the kernel lets it go: when an answer comes, when rclone
ends, or when its connection is aborted. So there is never a second one, and this program never waits for it.

A read of what rclone has in its cache on disk (--vfs-cache-mode full) proves the mount and not the storage: so the place in the
file is another one each time, for which large files have room, and small ones are used up after some hours. What is asked of the
storage itself (storage.py) does not pass that cache.
"""

import contextlib
import errno
import mmap
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Protocol

from plexguard.core.child import Child
from plexguard.core.errors import MissingInput, PlexguardError, SystemRefused
from plexguard.core.wire import reason_of
from plexguard.rclone_watchdog.asking.samples import Sample, choose_samples, is_hidden
from plexguard.rclone_watchdog.observe import Answer, Outcome

BLOCK_BYTES = 4096
# Of a folder with more names, the first ones are as good as any.
_MOST_NAMES = 10_000
_MOST_STEPS = 12
# What a FUSE program that is gone, or was cut off while it was asked, and an NFS server that has forgotten us leave behind.
_STALE = frozenset({errno.ENOTCONN, errno.ECONNABORTED, errno.ESTALE})
_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR})


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What was read: from which file, at which place, how large it is; and files that were found on the way to it."""

    path: str
    offset: int
    size: int
    found: tuple[Sample, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of a read. at_s: when it ended, on the monotonic clock: it is looked at later."""

    at_s: float
    read: Read | None = None
    error: OSError | PlexguardError | None = None


class Pending(Protocol):
    """A process that has begun; core.child.Child is one."""

    pid: int

    def take(self) -> Done | None: ...
    def close(self) -> bool: ...


class ThroughReader:
    """Reads through one mount, never twice at once."""

    def __init__(self, mount_point: str, *, at_start: bool = False, start: Callable[[Callable[[], Done]], Pending] = Child) -> None:
        """at_start: whether files are read at their beginning. rclone asks for that first, wherever it is read; where nothing is
        kept on disk, any other place costs a second request."""
        self._mount_point = mount_point
        self._at_start = at_start
        self._start = start
        self._child: Pending | None = None
        self._is_asked = False
        self._work: Callable[[], Read] | None = None
        self._asked_s = 0.0
        self._about = ""
        # Those that were given up and are not gone yet.
        self._left: list[Pending] = []

    @property
    def stuck_pid(self) -> int:
        """Return the process that has not come back, 0 when there is none."""
        self._left = [child for child in self._left if not child.close()]
        return next((child.pid for child in (self._child, *self._left) if child is not None), 0)

    def begin(self, sample: Sample | None, now_s: float, *, rng: Random) -> bool:
        """Begin to read bytes of a file, or of any that can be found; tell whether that was possible: not while one is asked for.

        While the process before is ending, which it may not be able to, the question waits for that.
        """
        if self._is_asked:
            return False
        self._is_asked, self._asked_s, self._about = True, now_s, sample.path if sample else ""
        root, draw = os.fsencode(self._mount_point), Random(rng.random())  # noqa: S311  # as any place will do
        at_start = self._at_start
        self._work = lambda: read_sample(root, sample, draw, at_start=at_start) if sample else read_any(root, draw)
        self._begin()
        return True

    def _begin(self) -> None:
        self._left = [child for child in self._left if not child.close()]
        work = self._work
        if self._child is None and not self._left and work is not None:
            self._child = self._start(lambda: _time(work))

    def take(self, now_s: float) -> tuple[Answer, Read | None] | None:
        """Return the answer, LATE until there is one; None when nothing was asked since the last one."""
        if not self._is_asked:
            self._left = [child for child in self._left if not child.close()]
            return None
        if self._child is None:
            self._begin()
        outcome, detail, read, ended_s = Outcome.LATE, "", None, now_s
        try:
            done = self._child.take() if self._child is not None else None
        except SystemRefused as error:
            done = Done(at_s=now_s, error=error)
        if done is not None:
            outcome, detail, read, ended_s = *_judge(done), done.read, done.at_s
            self.give_up()
        answer = Answer(
            outcome=outcome,
            asked_s=self._asked_s,
            latency_s=max(0.0, ended_s - self._asked_s),
            about=read.path if read else self._about,
            detail=detail,
            is_pending=outcome is Outcome.LATE,
        )
        return answer, read

    def give_up(self) -> None:
        """Wait no longer for what was asked. Its process ends when the kernel lets it."""
        if self._child is not None and not self._child.close():
            self._left.append(self._child)
        self._child, self._is_asked = None, False


def _judge(done: Done) -> tuple[Outcome, str]:
    if done.error is None:
        return Outcome.GOOD, ""
    if isinstance(done.error, OSError):
        return judge_error(done.error), reason_of(done.error)
    return Outcome.MISSING if isinstance(done.error, MissingInput) else Outcome.FAILED, str(done.error)


def judge_error(error: OSError) -> Outcome:
    """Return what an error of a read through a mount means. EACCES is of the folder's rights: rclone says EIO of all that a storage
    refuses."""
    if error.errno in _STALE:
        return Outcome.STALE
    return Outcome.MISSING if error.errno in _MISSING else Outcome.FAILED


# -- in the process that may hang -------------------------------------------------------------------------------------


def _time(work: Callable[[], Read]) -> Done:
    try:
        return Done(read=work(), at_s=time.monotonic())
    except (OSError, PlexguardError) as error:
        return Done(error=error, at_s=time.monotonic())


def read_sample(root: bytes, sample: Sample, rng: Random, *, at_start: bool = False) -> Read:
    """Read some bytes of a file, at a random place or its beginning. Raises OSError."""
    # By the whole path: of a folder that is the root of something else by now, nothing would be proven.
    size, offset = _read_block(os.path.join(root, os.fsencode(sample.path)), rng, at_start=at_start)
    return Read(path=sample.path, offset=offset, size=size)


def read_any(root: bytes, rng: Random) -> Read:
    """Find files by a random way down, and read of the first that can be. Raises OSError, and MissingInput when there is none."""
    found = _descend(root, rng)
    if not found:
        raise MissingInput("no file with content was found in it")
    size, offset = _read_block(os.path.join(root, os.fsencode(found[0].path)), rng)
    return Read(path=found[0].path, offset=offset, size=size, found=found)


def _descend(root: bytes, rng: Random) -> tuple[Sample, ...]:
    """Go down at random until a folder has files with content; turn back from folders that have neither."""
    ways = [b""]
    for _ in range(_MOST_STEPS):
        if not ways:
            break
        way = ways.pop()
        folders, files = [], []
        for name, status in _list(os.path.join(root, way)):
            path = os.path.join(way, name)
            if stat.S_ISDIR(status.st_mode):
                folders.append(path)
            elif stat.S_ISREG(status.st_mode) and status.st_size:
                files.append(Sample(path=os.fsdecode(path), size=status.st_size))
        if files and (chosen := choose_samples(files, rng)):
            return chosen
        rng.shuffle(folders)
        ways += folders
    return ()


def _list(folder: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    with os.scandir(folder) as entries:
        for _, entry in zip(range(_MOST_NAMES), entries, strict=False):
            if not is_hidden(os.fsdecode(entry.name)):
                with contextlib.suppress(FileNotFoundError):
                    yield entry.name, entry.stat(follow_symlinks=False)


def _read_block(path: bytes, rng: Random, *, at_start: bool = False) -> tuple[int, int]:
    """Return a file's size and the place of which a block was read, past the kernel's cache."""
    fd = _open_uncached(path)
    try:
        size = os.fstat(fd).st_size
        offset = 0 if at_start else rng.randrange(max(1, size // BLOCK_BYTES)) * BLOCK_BYTES
        # An answer straight from the storage goes to a whole page: some file systems take no other place for it.
        with mmap.mmap(-1, BLOCK_BYTES) as page:
            got = _read_at(fd, page, offset)
        if not got and size:
            raise OSError(errno.EIO, "no bytes where the file should have some")
        return size, offset
    finally:
        os.close(fd)


def _open_uncached(path: bytes) -> int:
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
    try:
        return os.open(path, flags | os.O_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:  # of a file system that has no such reads
            raise
    return os.open(path, flags)


def _read_at(fd: int, page: mmap.mmap, offset: int) -> int:
    try:
        os.posix_fadvise(fd, offset, BLOCK_BYTES, os.POSIX_FADV_RANDOM)
        os.posix_fadvise(fd, offset, BLOCK_BYTES, os.POSIX_FADV_DONTNEED)
        return os.preadv(fd, [page], offset)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return len(os.pread(fd, BLOCK_BYTES, offset))
