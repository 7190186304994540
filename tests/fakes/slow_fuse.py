"""A FUSE file system as far away as a cloud: every name that is looked up costs 2 ms, for many askers side by side.

`slow_fuse.py SOURCE FOLDER` shows at FOLDER the files and folders that SOURCE had when it was mounted: names, modes,
owners and the first bytes. Nothing is cached by the kernel, so that each access asks again. A chmod or chown changes
what is shown and never SOURCE; nothing can be made, renamed or deleted. Links and special files are left out.

It can also be told, line by line on its standard input, to misbehave as real ones do:

- `lie`: a chmod succeeds and changes nothing, as on rclone, NTFS and exFAT.
- `deny UID PATH`: a ghost, as an NFS client's cached rights are: PATH refuses UID whatever its mode says, until somebody
  sets its mode again, be it to the same. The kernel judges by mode before it asks, so this takes `--judge`.
- `hang`: no request is answered any more. Who asks waits uninterruptibly, as with a backend that has stopped answering.
- `stop`: its process is stopped, and takes no request any more. Who asks waits too, but lets itself be killed.
- `die`: the mount stays and has nobody behind it; everything fails with ENOTCONN.
- `recover`: well again, but for a death. `count`: what it was asked for. `end`: unmounted and gone.

Speaks as much of the protocol (linux/fuse.h, 7.31) as that takes, in a single thread: replies that are due later wait in
a heap. It also unmounts and ends when its standard input ends; with /dev/null there it stays until it is killed.
"""

import argparse
import contextlib
import ctypes
import errno
import heapq
import json
import os
import select
import signal
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

LOOKUP_S = 0.002
_ROOT = 1
_LOOKUP, _FORGET, _GETATTR, _SETATTR, _OPEN, _READ, _STATFS, _RELEASE, _FLUSH, _INIT = 1, 2, 3, 4, 14, 15, 17, 18, 25, 26
_OPENDIR, _READDIR, _RELEASEDIR, _ACCESS, _INTERRUPT, _BATCH_FORGET = 27, 28, 29, 34, 36, 42
_UNANSWERED = {_FORGET, _BATCH_FORGET, _INTERRUPT}
_REQUEST, _REPLY = struct.Struct("<IIQQIIIHH"), struct.Struct("<IiQ")
_ENTRY, _ATTRIBUTES = struct.Struct("<QQQQII"), struct.Struct("<QQQQQQIIIIIIIIII")
_SET_MODE, _SET_UID, _SET_GID = 1, 2, 4
# Lookups in one folder run side by side, as libfuse 3 asks for: without it the kernel lets in one at a time.
_PARALLEL_LOOKUPS = 1 << 18
_DIRECT_IO = 1
_SHOWN_BYTES = 4096
_NOSUID_NODEV, _DETACH = 2 | 4, 2


class Unmountable(Exception):
    """The file system could not be mounted."""


# -- the program ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Node:
    mode: int
    uid: int
    gid: int
    content: bytes = b""
    names: dict[bytes, int] = field(default_factory=dict)
    changed_ns: int = 0
    # Who is refused whatever the mode says.
    denied: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Request:
    operation: int
    unique: int
    node: int
    uid: int
    gid: int
    body: bytes


def _read_tree(source: bytes) -> dict[int, _Node]:
    """Return the nodes of a folder by number; the root is number 1."""
    nodes: dict[int, _Node] = {}

    def add(path: bytes, status: os.stat_result) -> int:
        node = _Node(status.st_mode, status.st_uid, status.st_gid, changed_ns=status.st_ctime_ns)
        number = len(nodes) + _ROOT
        nodes[number] = node
        if stat.S_ISREG(status.st_mode):
            with open(path, "rb") as file:
                node.content = file.read(_SHOWN_BYTES) if status.st_size else b""
            return number
        for entry in sorted(os.scandir(path), key=lambda e: e.name):
            if entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False):
                node.names[entry.name] = add(entry.path, entry.stat(follow_symlinks=False))
        return number

    add(source, os.stat(source))
    return nodes


class _Server:
    """Answers the kernel, and obeys the lines on standard input."""

    def __init__(self, device: int, nodes: dict[int, _Node], *, lookup_s: float, judge: bool) -> None:
        self._device = device
        self._nodes = nodes
        self._lookup_s = lookup_s
        self._judge = judge
        self._lies = self._hangs = False
        self._due: list[tuple[float, int, _Request]] = []
        self._lookups = self._most_waiting = 0
        self._answers: dict[int, Callable[[_Request], bytes]] = {
            _INIT: lambda r: struct.pack("<IIIIHHIIHHI28x", 7, 31, 0, _PARALLEL_LOOKUPS, 64, 48, 131072, 1, 0, 0, 0),
            _LOOKUP: self._look_up,
            _GETATTR: lambda r: struct.pack("<QII", 0, 0, 0) + self._attributes(r.node),
            _SETATTR: self._set_attributes,
            _ACCESS: self._check_access,
            _OPEN: self._open,
            _OPENDIR: self._open,
            _READ: self._read,
            _READDIR: self._list,
            _STATFS: lambda r: struct.pack("<QQQQQIIII24x", 1 << 20, 0, 0, len(self._nodes), 0, 4096, 255, 4096, 0),
            _RELEASE: lambda r: b"",
            _RELEASEDIR: lambda r: b"",
            _FLUSH: lambda r: b"",
        }

    def serve(self, commands: int | None) -> None:
        """Serve until the commands end, or until the file system is unmounted."""
        sources = [commands] if commands is not None else []
        while True:
            left_s = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            ready, _, _ = select.select([*sources, *([self._device] if self._device >= 0 else [])], [], [], left_s)
            if commands in ready and commands is not None and not self._obey(commands):
                return
            if self._device in ready and not self._take_requests():
                return
            while self._due and self._due[0][0] <= time.monotonic():
                self._reply(heapq.heappop(self._due)[2])

    def _take_requests(self) -> bool:
        """Take all requests that wait; tell whether the file system is still mounted."""
        while True:
            try:
                data = os.read(self._device, 1 << 18)
            except BlockingIOError:
                return True
            except FileNotFoundError:  # given up by who asked
                continue
            except OSError:
                return False
            _, operation, unique, node, uid, gid, *_ = _REQUEST.unpack_from(data)
            request = _Request(operation, unique, node, uid, gid, data[_REQUEST.size :])
            if operation in _UNANSWERED or (self._hangs and operation != _INIT):
                continue
            if operation != _LOOKUP or not self._lookup_s:
                self._reply(request)
                continue
            heapq.heappush(self._due, (time.monotonic() + self._lookup_s, unique, request))
            self._lookups += 1
            self._most_waiting = max(self._most_waiting, len(self._due))

    def _reply(self, request: _Request) -> None:
        try:
            answer = self._answers.get(request.operation)
            body, error = (answer(request), 0) if answer else (b"", errno.ENOSYS)
        except OSError as refusal:
            body, error = b"", refusal.errno or errno.EIO
        with contextlib.suppress(FileNotFoundError):  # given up by who asked
            os.write(self._device, _REPLY.pack(_REPLY.size + len(body), -error, request.unique) + body)

    # -- answers --

    def _look_up(self, request: _Request) -> bytes:
        folder = self._nodes[request.node]
        self._demand(folder, request, os.X_OK)
        number = folder.names.get(request.body.rstrip(b"\0"))
        if number is None:
            raise FileNotFoundError(errno.ENOENT, "")
        return _ENTRY.pack(number, 0, 0, 0, 0, 0) + self._attributes(number)

    def _attributes(self, number: int) -> bytes:
        node = self._nodes[number]
        links = 2 + len(node.names) if stat.S_ISDIR(node.mode) else 1
        seconds, nanoseconds = divmod(node.changed_ns, 1_000_000_000)
        times = (0, 0, seconds, 0, 0, nanoseconds)  # of the last access, of the content, of the status
        return _ATTRIBUTES.pack(number, len(node.content), 0, *times, node.mode, links, node.uid, node.gid, 0, 4096, 0)

    def _set_attributes(self, request: _Request) -> bytes:
        node, (wanted,) = self._nodes[request.node], struct.unpack_from("<I", request.body)
        mode, _, uid, gid = struct.unpack_from("<IIII", request.body, 68)
        if self._judge and request.uid not in (0, node.uid):
            raise PermissionError(errno.EPERM, "")
        if not self._lies:
            if wanted & _SET_MODE:
                node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(mode)
                node.denied.clear()
            node.uid = uid if wanted & _SET_UID else node.uid
            node.gid = gid if wanted & _SET_GID else node.gid
            node.changed_ns = time.time_ns()
        return struct.pack("<QII", 0, 0, 0) + self._attributes(request.node)

    def _check_access(self, request: _Request) -> bytes:
        self._demand(self._nodes[request.node], request, struct.unpack_from("<I", request.body)[0])
        return b""

    def _open(self, request: _Request) -> bytes:
        flags = struct.unpack_from("<I", request.body)[0]
        self._demand(self._nodes[request.node], request, os.R_OK if flags & os.O_ACCMODE == os.O_RDONLY else os.W_OK)
        return struct.pack("<QII", 1, _DIRECT_IO if request.operation == _OPEN else 0, 0)

    def _read(self, request: _Request) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", request.body)
        return self._nodes[request.node].content[offset : offset + size]

    def _list(self, request: _Request) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", request.body)
        listing = b""
        for place, (name, number) in enumerate(list(self._nodes[request.node].names.items())[offset:], offset + 1):
            kind = stat.S_IFMT(self._nodes[number].mode) >> 12
            entry = struct.pack("<QQII", number, place, len(name), kind) + name + bytes(-len(name) % 8)
            if len(listing) + len(entry) > size:
                break
            listing += entry
        return listing

    def _demand(self, node: _Node, request: _Request, mask: int) -> None:
        """Judge as the kernel does, but for groups beyond the first; without `judge` it has done so already."""
        if request.uid in node.denied:
            raise PermissionError(errno.EACCES, "")
        if not self._judge or request.uid == 0:
            return
        shift = 6 if request.uid == node.uid else 3 if request.gid == node.gid else 0
        if node.mode >> shift & mask != mask:
            raise PermissionError(errno.EACCES, "")

    # -- commands --

    def _obey(self, commands: int) -> bool:
        """Obey a line; tell whether to go on."""
        line = os.read(commands, 1 << 16)
        if line in (b"", b"end\n"):
            return False
        command, *arguments = line.rstrip(b"\n").split(b" ", 2)
        if command == b"deny":
            self._find(arguments[1]).denied.add(int(arguments[0]))
        elif command == b"die" and self._device >= 0:
            os.close(self._device)
            self._device = -1
            self._due.clear()
        elif command in (b"lie", b"hang", b"recover"):
            self._lies, self._hangs = command == b"lie", command == b"hang"
            self._due.clear()
        print(json.dumps({"lookups": self._lookups, "most_waiting": self._most_waiting}), flush=True)
        if command == b"stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        return True

    def _find(self, path: bytes) -> _Node:
        number = _ROOT
        for name in path.split(b"/") if path else ():
            number = self._nodes[number].names[name]
        return self._nodes[number]


def _mount(device: int, target: str, *, kind: str, judge: bool) -> None:
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    options += "" if judge else ",default_permissions"
    if _libc().mount(b"slow", os.fsencode(target), kind.encode(), _NOSUID_NODEV, options.encode()) != 0:
        sys.exit(f"Failed to mount {target}: {os.strerror(ctypes.get_errno())}")


def _unmount(target: str) -> None:
    """Unmount, lazily where somebody is still in there."""
    if _libc().umount2(os.fsencode(target), 0) != 0 and ctypes.get_errno() == errno.EBUSY:
        _libc().umount2(os.fsencode(target), _DETACH)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Mount a file system that is slow to look up names.")
    parser.add_argument("source")
    parser.add_argument("folder")
    parser.add_argument("--kind", default="fuse.slow", help="the type that the mount table shows")
    parser.add_argument("--lookup-s", type=float, default=LOOKUP_S)
    parser.add_argument("--judge", action="store_true", help="check rights here and not in the kernel")
    given = parser.parse_args()
    nodes = _read_tree(os.fsencode(given.source))
    device = os.open("/dev/fuse", os.O_RDWR | os.O_NONBLOCK)
    _mount(device, given.folder, kind=given.kind, judge=given.judge)
    try:
        print("mounted", flush=True)
        commands = None if stat.S_ISCHR(os.fstat(0).st_mode) else 0
        _Server(device, nodes, lookup_s=given.lookup_s, judge=given.judge).serve(commands)
    finally:
        # Closed first: that frees whoever waits for an answer.
        with contextlib.suppress(OSError):
            os.close(device)
        _unmount(given.folder)


# -- its handle -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """What the file system was asked for. most_waiting: how many names at most were looked up at one time."""

    lookups: int
    most_waiting: int


class SlowFuse:
    """Mounts the file system for the length of a `with` block, in a process of its own, and unmounts it whatever happens."""

    def __init__(
        self, source: Path, target: Path, *, lookup_s: float = LOOKUP_S, kind: str = "fuse.slow", judge: bool = False
    ) -> None:
        self.target = target
        command = [sys.executable, __file__, str(source), str(target), "--lookup-s", str(lookup_s), "--kind", kind]
        self._command = [*command, *(["--judge"] if judge else [])]

    def __enter__(self) -> "SlowFuse":
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self._hear() != "mounted":
            self._process.wait()
            raise Unmountable(f"{self.target}: see what the file system's program says above")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        process = self._process
        assert process.stdin is not None
        # Said as well as meant: a child that was forked meanwhile may hold the other end of the pipe open.
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(b"end\n")
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        finally:
            _unmount(str(self.target))

    @property
    def pid(self) -> int:
        return self._process.pid

    def lie(self) -> None:
        self._tell("lie")

    def deny(self, uid: int, path: str) -> None:
        """Make a path below the mount a ghost for a user. It must be mounted with judge=True."""
        self._tell(f"deny {uid} {path}")

    def hang(self) -> None:
        self._tell("hang")

    def stop(self) -> None:
        """Stop for good: only its end is left."""
        self._tell("stop")
        # It stops after it has said so; woken before that, it would stop for ever.
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def die(self) -> None:
        self._tell("die")

    def recover(self) -> None:
        """Answer and obey again. Who was left waiting waits on."""
        self._tell("recover")

    def count(self) -> Asked:
        return self._tell("count")

    def _tell(self, line: str) -> Asked:
        assert self._process.stdin is not None
        self._process.stdin.write(os.fsencode(line) + b"\n")
        self._process.stdin.flush()
        return Asked(**json.loads(self._hear()))

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode().rstrip("\n")


if __name__ == "__main__":
    main()
