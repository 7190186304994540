"""Runs that are cut off: killed right before one of the calls that change the file system, or told there that the disk is full."""

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

_CHANGES = {"os.mkdir", "os.link", "os.symlink", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.chown", "os.truncate"}
# What needs room; the others free some, or need none.
_NEEDS_ROOM = {"os.mkdir", "os.link", "os.symlink", "os.rename", "open"}
DONE, REFUSED = 0, 3


def run_and_kill(work: Callable[[], object], *, before: int) -> bool:
    """Do something in a process of its own that dies by SIGKILL right before the call of that number, the first is 1. Return
    whether it came to its end before."""

    def on_call(number: int, _event: str) -> None:
        if number == before:
            os.kill(os.getpid(), signal.SIGKILL)

    return _run(work, on_call) == DONE


def run_with_full_disk(work: Callable[[], object], *, after: int, expected: type[Exception]) -> bool:
    """Do something in a process of its own in which all that needs room fails from the call of that number on. Return whether it
    came to its end; it may raise the expected error."""

    def on_call(number: int, event: str) -> None:
        if number >= after and event in _NEEDS_ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return _run(work, on_call, expected) == DONE


def _run(work: Callable[[], object], on_call: Callable[[int, str], None], expected: type[Exception] | None = None) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _watch_calls(on_call)
            with contextlib.suppress(*([expected] if expected else [])):
                code = REFUSED
                work()
                code = DONE
        except Exception as error:
            code = 1
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(code)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return -1
    code = os.WEXITSTATUS(status)
    assert code in (DONE, REFUSED), "it ended with an error that was not expected"
    return code


def _watch_calls(on_call: Callable[[int, str], None]) -> None:
    count = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        is_write = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if event in _CHANGES or (is_write and not str(arguments[0]).startswith(("/dev/", "/proc/"))):
            count += 1
            on_call(count, event)

    sys.addaudithook(hook)


def list_tree(folder: Path) -> dict[str, str]:
    """Return what every file below a folder holds, links as "-> target"."""
    return {
        str(path.relative_to(folder)): f"-> {os.readlink(path)}" if path.is_symlink() else path.read_text(errors="replace")
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }
