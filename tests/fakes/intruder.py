"""Tries in a unit's place what no unit of plexguard may, and says what of it went well, as one line of JSON.

    intruder.py NAME FOLDER…    what it can write to has a file of NAME afterwards, which proves it from outside

Standard library only: it runs in test machines, in each unit's sandbox.
"""

import contextlib
import ctypes
import glob
import json
import os
import re
import resource
import socket
import sys
from collections.abc import Callable, Iterator

# Where secrets lie, or end up by mistake. What is planted says of itself what it is.
_PLACES = (
    "/etc/plexguard/credentials/*",
    "/run/credentials/*/*",
    "/run/credentials/.*/*",
    "/proc/[0-9]*/environ",
    "/proc/[0-9]*/cmdline",
)
_PLANTED = re.compile(rb"planted-in-([a-z.-]+)-[0-9a-f]{32}")
_PRIVATE = ("/etc/shadow", "/root/private", "/home/anna/private")
_FILES = ("/etc/passwd", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/dev/kmsg", "/dev/mem", "/sys/fs/cgroup/cgroup.procs")
_CLONE_NEWUSER, _PTRACE_ATTACH = 0x10000000, 16
_TIMEOUT_S = 2.0
# Where somebody listens.
PORT = 9


def main(name: str, folders: list[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for folder in folders:
        with contextlib.suppress(OSError):
            os.close(os.open(f"{folder}/{name}", os.O_CREAT | os.O_WRONLY, 0o600))
    tries: dict[str, Callable[[], object]] = {
        "reach the network": lambda: socket.create_connection(("127.0.0.1", PORT), _TIMEOUT_S),
        "read the network's packets": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
        "become root": lambda: (os.getuid() and os.setuid(0)) or _refuse_root(),
        "make a namespace": lambda: _check(libc.unshare(_CLONE_NEWUSER)),
        "mount": lambda: _check(libc.mount(b"none", b"/var/tmp", b"tmpfs", 0, None)),
        "make a device": lambda: os.mknod("/var/tmp/device", 0o600 | 0o020000, os.makedev(1, 3)),
        "trace PID 1": lambda: _check(libc.ptrace(_PTRACE_ATTACH, 1, None, None)),
        "leave its memory in a file": lambda: resource.getrlimit(resource.RLIMIT_CORE)[1] or _check(-1),
        "set the clock": lambda: _check(libc.settimeofday(bytes(16), None)),
    }
    print(
        json.dumps(
            {
                "user": os.getuid(),
                "does": [what for what, attempt in tries.items() if _succeeds(attempt)],
                "secrets": sorted(set(_secrets())),
                "reads": [path for path in _PRIVATE if _succeeds(lambda path=path: os.close(os.open(path, os.O_RDONLY)))],
                "opens": [path for path in _FILES if _succeeds(lambda path=path: os.close(os.open(path, os.O_WRONLY)))],
            }
        )
    )


def _secrets() -> Iterator[str]:
    own = os.environ.get("CREDENTIALS_DIRECTORY")
    for pattern in (*_PLACES, *((f"{own}/*",) if own else ())):
        for path in glob.glob(pattern):
            with contextlib.suppress(OSError), open(path, "rb") as file:
                yield from (found.decode() for found in _PLANTED.findall(file.read(1 << 20)))


def _succeeds(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), "refused")


def _refuse_root() -> None:
    if os.getuid() == 0:
        raise OSError("root already")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
