"""Walk the roots by folder descriptors, in worker processes, and yield what is wrong batch by batch.

Every folder is opened by its own name below its parent's descriptor and never through a symlink, so nobody who can
write in a root can lead the walk out of it. A file system that hangs takes a worker with it, not the audit: the worker
is abandoned and its root reported. Batches keep memory flat however large the tree is.
"""

import contextlib
import errno
import os
import signal
import stat
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from typing import NoReturn

from plexguard.core.events import Mode
from plexguard.perms_audit.roots import RootFault, is_system_folder

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
# To pass through a folder on the way to a root, which needs no right to list it.
_PASS_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FAULTS = {
    errno.ENOENT: RootFault.MISSING,
    errno.ENOTDIR: RootFault.NOT_A_FOLDER,
    errno.EACCES: RootFault.UNREADABLE,
    errno.EPERM: RootFault.UNREADABLE,
}
# Only these bits decide whether something can be read; write bits are nobody's fault.
FILE_NEED = 0o444
FOLDER_NEED = 0o555
# A batch ends after this long, so that work can be shared; a worker that says nothing for much longer is stuck.
_BATCH_S = 0.15
# How deep one batch goes: each level holds a descriptor open.
_BATCH_DEPTH = 48
# How often a worker that is busy inside one huge folder says that it lives.
_ALIVE_ENTRIES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is looked for. file_bits and folder_bits: read and search bits that must be set. changed_since: epoch seconds."""

    file_bits: int
    folder_bits: int
    changed_since: float | None


@dataclass(frozen=True, slots=True)
class Finding:
    """A file or folder whose mode lacks bits. path: below its root, "" for the root itself. opened: its content was walked."""

    root: int
    path: str
    is_folder: bool
    mode: Mode
    device: int
    inode: int
    links: int
    opened: bool


@dataclass(slots=True)
class Batch:
    """What one worker found in one go. faults: paths below the root that could not be walked, with the reason."""

    root: int
    files: int = 0
    folders: int = 0
    seen_files: int = 0
    findings: list[Finding] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)
    root_fault: RootFault | None = None
    left_over: list[str] = field(default_factory=list)


# -- inside a worker --------------------------------------------------------------------------------------------------


def open_below(root_fd: int, path: str) -> int:
    """Open a folder below a folder, name by name and through no symlink. Raises OSError."""
    fd = os.dup(root_fd)
    try:
        for name in path.split("/") if path else ():
            if name in ("", ".", ".."):
                raise OSError(errno.EXDEV, "leads out of its root", path)
            parent, fd = fd, os.open(name, FOLDER_FLAGS, dir_fd=fd)
            os.close(parent)
        return fd
    except OSError:
        os.close(fd)
        raise


class _Walker:
    """Walks one batch."""

    def __init__(self, demand: Demand, root: int, alive: Connection) -> None:
        self._demand = demand
        self._deadline = time.monotonic() + _BATCH_S
        self._alive = alive
        self.batch = Batch(root)

    def walk(self, root_fd: int, paths: Sequence[str]) -> None:
        for number, path in enumerate(paths):
            if time.monotonic() > self._deadline:
                self.batch.left_over += paths[number:]
                return
            try:
                fd = open_below(root_fd, path)
            except OSError as error:
                self._fault(path, error)
                continue
            self._walk_folder(fd, path, depth=0)

    def _walk_folder(self, fd: int, path: str, depth: int) -> None:
        """Look at a folder's entries, then at its folders. Closes fd."""
        try:
            try:
                names = self._check_entries(fd, path)
            except PermissionError as error:
                # It can be listed and not searched.
                self._note_closed(os.fstat(fd), path, error)
                return
            self._check_folder(os.fstat(fd), path, opened=True)
            prefix = path + "/" if path else ""
            late = depth >= _BATCH_DEPTH or time.monotonic() > self._deadline
            for number, name in enumerate(names):
                if late or time.monotonic() > self._deadline:
                    self.batch.left_over += [prefix + left for left in names[number:]]
                    return
                self._descend(fd, name, prefix + name, depth)
        except OSError as error:
            self._fault(path, error)
        finally:
            os.close(fd)

    def _descend(self, parent_fd: int, name: str, path: str, depth: int) -> None:
        try:
            fd = os.open(name, FOLDER_FLAGS, dir_fd=parent_fd)
        except PermissionError as error:
            with contextlib.suppress(FileNotFoundError):
                self._note_closed(os.stat(name, dir_fd=parent_fd, follow_symlinks=False), path, error)
        except OSError as error:
            # ENOTDIR and ELOOP: it was a folder a moment ago and is something else now.
            self._fault(path, error)
        else:
            self._walk_folder(fd, path, depth + 1)

    def _note_closed(self, status: os.stat_result, path: str, error: OSError) -> None:
        """Note a folder that this user may not look into: a finding if its mode is why, for then it can be repaired."""
        if not self._check_folder(status, path, opened=False):
            self._fault(path, error)

    def _check_folder(self, status: os.stat_result, path: str, *, opened: bool) -> bool:
        """Check a folder's own mode; tell whether it lacks something."""
        # Folders are checked at any age: one that lost its search bit hides everything new in it.
        self.batch.folders += 1
        need = self._demand.folder_bits
        lacks = status.st_mode & need != need
        if lacks:
            self._find(status, path, is_folder=True, opened=opened)
        return lacks

    def _check_entries(self, fd: int, path: str) -> list[str]:
        """Check a folder's files; return the names of its folders. The tight loop of the audit."""
        need, since, names = self._demand.file_bits, self._demand.changed_since, []
        examined = seen = 0
        prefix = path + "/" if path else ""
        with os.scandir(fd) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    names.append(entry.name)
                    continue
                if not entry.is_file(follow_symlinks=False):
                    continue
                seen += 1
                if not seen % _ALIVE_ENTRIES:
                    self._alive.send(None)
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if since is not None and status.st_ctime < since and status.st_mtime < since:
                    continue
                examined += 1
                if status.st_mode & need != need and stat.S_ISREG(status.st_mode):
                    self._find(status, prefix + entry.name, is_folder=False, opened=False)
        self.batch.files += examined
        self.batch.seen_files += seen
        return names

    def _find(self, status: os.stat_result, path: str, *, is_folder: bool, opened: bool) -> None:
        mode = Mode(stat.S_IMODE(status.st_mode))
        self.batch.findings.append(
            Finding(self.batch.root, path, is_folder, mode, status.st_dev, status.st_ino, status.st_nlink, opened)
        )

    def _fault(self, path: str, error: OSError) -> None:
        if error.errno != errno.ENOENT:
            self.batch.faults.append((path, error.strerror or str(error)))


def open_root(path: str, flags: int = FOLDER_FLAGS) -> int:
    """Open a root name by name from /, through no symlink: those that may be followed were resolved before. Raises OSError."""
    names = [name for name in path.split("/") if name]
    fd = os.open("/", flags if not names else _PASS_FLAGS)
    try:
        for number, name in enumerate(names, 1):
            inner = os.open(name, flags if number == len(names) else _PASS_FLAGS, dir_fd=fd)
            os.close(fd)
            fd = inner
        return fd
    except OSError as error:
        error.filename2 = _name_link(fd, name)
        os.close(fd)
        raise


def _name_link(fd: int, name: str) -> str:
    """Return the name if it is a symlink in that folder, else ""."""
    try:
        return name if stat.S_ISLNK(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode) else ""
    except OSError:
        return ""


def _open_or_fault(path: str) -> int | RootFault:
    try:
        fd = open_root(path)
    except OSError as error:
        if error.filename2:
            return RootFault.FOREIGN_LINK
        return _FAULTS.get(error.errno or 0, RootFault.FAILED)
    # The descriptor's own name: bind mounts have more than one.
    if is_system_folder(os.readlink(f"/proc/self/fd/{fd}")):
        os.close(fd)
        return RootFault.SYSTEM_FOLDER
    return fd


def _serve(pipe: Connection, roots: Sequence[str], demand: Demand) -> NoReturn:
    """A worker's life: a batch of paths in, what was found in them out, until the pipe closes."""
    # Ctrl-C is the parent's to handle; a worker ends with its pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    opened: dict[int, int | RootFault] = {}
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            root, paths = pipe.recv()
            if root not in opened:
                opened[root] = _open_or_fault(roots[root])
            target = opened[root]
            if isinstance(target, RootFault):
                pipe.send(Batch(root, root_fault=target))
                continue
            walker = _Walker(demand, root, pipe)
            walker.walk(target, paths)
            pipe.send(walker.batch)
    os._exit(0)


# -- the parent -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Worker:
    pid: int
    pipe: Connection
    root: int = -1
    silent_since_s: float = 0.0


class Walk:
    """One walk over all roots. Iterate over it for batches; `add` folders that became readable meanwhile."""

    def __init__(self, roots: Sequence[str], demand: Demand, *, workers: int, stall_timeout_s: float) -> None:
        self._roots = roots
        self._demand = demand
        self._stall_timeout_s = stall_timeout_s
        self._waiting: deque[tuple[int, str]] = deque((number, "") for number in range(len(roots)))
        self._workers: list[_Worker] = []
        self._width = workers
        self._given_up: set[int] = set()

    def add(self, root: int, path: str) -> None:
        self._waiting.append((root, path))

    def __enter__(self) -> "Walk":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            _end(worker)

    def __iter__(self) -> Iterator[Batch]:
        while True:
            self._hand_out()
            busy = [worker for worker in self._workers if worker.root >= 0]
            if not busy:
                return
            ready = wait([worker.pipe for worker in busy], timeout=self._time_left(busy))
            for worker in busy:
                if worker.pipe in ready:
                    yield from self._receive(worker)
            yield from self._give_up_stalled(busy)

    def _hand_out(self) -> None:
        while self._waiting:
            worker = self._idle_worker()
            if worker is None:
                return
            root, paths = self._next_paths()
            if not paths:
                continue
            worker.root, worker.silent_since_s = root, time.monotonic()
            try:
                worker.pipe.send((root, paths))
            except OSError:
                # Killed from outside while it had nothing to do: nothing is lost but the worker.
                self._workers.remove(worker)
                _end(worker)
                self._waiting.extendleft((root, path) for path in reversed(paths))

    def _idle_worker(self) -> _Worker | None:
        for worker in self._workers:
            if worker.root < 0:
                return worker
        if len(self._workers) < self._width:
            self._workers.append(self._fork())
            return self._workers[-1]
        return None

    def _next_paths(self) -> tuple[int, list[str]]:
        """Take a share of the waiting folders of one root: all that wait, split over the workers."""
        root, path = self._waiting.popleft()
        paths = [path]
        share = len(self._waiting) // self._width
        while len(paths) < share and self._waiting and self._waiting[0][0] == root:
            paths.append(self._waiting.popleft()[1])
        return root, [] if root in self._given_up else paths

    def _fork(self) -> _Worker:
        ours, theirs = Pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            ours.close()
            for worker in self._workers:
                worker.pipe.close()
            _serve(theirs, self._roots, self._demand)
        theirs.close()
        return _Worker(pid, ours)

    def _receive(self, worker: _Worker) -> Iterator[Batch]:
        worker.silent_since_s = time.monotonic()
        try:
            batch = worker.pipe.recv()
        except (EOFError, OSError):
            # Killed from outside (out of memory, for one), perhaps in the middle of its answer: what it had in hand is
            # lost, so its root is not proven.
            yield self._abandon(worker, RootFault.FAILED)
            return
        if batch is None:
            return
        worker.root = -1
        if batch.root_fault is not None:
            self._given_up.add(batch.root)
        # Newest first: depth before breadth keeps the list of what waits short.
        self._waiting.extendleft((batch.root, path) for path in reversed(batch.left_over))
        if batch.root not in self._given_up or batch.root_fault is not None:
            yield batch

    def _time_left(self, busy: Sequence[_Worker]) -> float:
        return max(0.0, min(worker.silent_since_s for worker in busy) + self._stall_timeout_s - time.monotonic())

    def _give_up_stalled(self, busy: Sequence[_Worker]) -> Iterator[Batch]:
        limit = time.monotonic() - self._stall_timeout_s
        for worker in busy:
            # Whose answer waits is not stuck: we were, with what others had found.
            if worker.root >= 0 and worker.silent_since_s <= limit and not worker.pipe.poll():
                yield self._abandon(worker, RootFault.HUNG)

    def _abandon(self, worker: _Worker, fault: RootFault) -> Batch:
        """Give up a worker and its root; the others go on with the other roots."""
        root = worker.root
        self._given_up.add(root)
        self._workers.remove(worker)
        _end(worker)
        self._waiting = deque(item for item in self._waiting if item[0] != root)
        return Batch(root, root_fault=fault)


def _end(worker: _Worker) -> None:
    """End a worker. One that is stuck in the kernel dies when the kernel lets go of it: it is not waited for."""
    worker.pipe.close()
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker.pid, signal.SIGKILL)
    deadline = time.monotonic() + 1.0
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(worker.pid, os.WNOHANG)[0] == 0 and time.monotonic() < deadline:
            time.sleep(0.005)
