"""Do something that may hang in a process that can be given up."""

import contextlib
import os
import pickle
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Generic, NoReturn, TypeVar

from plexguard.core.errors import PlexguardError, SystemRefused, TryAgain
from plexguard.core.secret import mask

T = TypeVar("T")


def in_child(work: Callable[[], T], *, timeout_s: float) -> T:
    """Return what a function returns in a process of its own.

    Raises TryAgain when it does not end in time, OSError and PlexguardError as the function raised it, SystemRefused for
    anything else that became of it.
    """
    ours, theirs = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        end_here(lambda: _answer(work, theirs))
    os.close(theirs)
    try:
        answer = _read(ours, time.monotonic() + timeout_s)
    finally:
        os.close(ours)
        end_child(pid)
    if answer is None:
        raise TryAgain(f"no answer within {timeout_s:g} s: its file system hangs")
    if not answer:
        raise SystemRefused("the process that looked ended without a word")
    value = pickle.loads(answer)  # noqa: S301  # our own child wrote it
    if isinstance(value, Exception):
        raise value
    return value  # type: ignore[no-any-return]  # our own child pickled a T


class Child(Generic[T]):
    """A process that does something that may hang, beside us. Nothing here waits for it."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._pipe, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._heard = bytearray()
        self.is_over = False
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.set_blocking(theirs, True)
            end_here(lambda: _work_alone(work, theirs))
        os.close(theirs)

    def take(self) -> T | None:
        """Return what the function returned, or None while it has not. Raises as in_child() does, but for TryAgain."""
        while not self.is_over:
            try:
                piece = os.read(self._pipe, 1 << 16)
            except BlockingIOError:
                return None
            self._heard += piece
            self.is_over = not piece
        self.close()
        if not self._heard:
            raise SystemRefused("the process that looked ended without a word")
        value = pickle.loads(self._heard)  # noqa: S301  # our own child wrote it
        if isinstance(value, Exception):
            raise value
        return value  # type: ignore[no-any-return]  # our own child pickled a T

    def kill(self) -> None:
        """Have it end as soon as the kernel lets it."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def close(self) -> bool:
        """Kill it and tell whether it is gone; ask again while it is not."""
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
            self.kill()
        try:
            return os.waitpid(self.pid, os.WNOHANG)[0] != 0
        except ChildProcessError:
            return True


def _work_alone(work: Callable[[], T], pipe: int) -> None:
    """Do it without what was inherited: who is stuck in the kernel would keep the parent's files and connections open, and whoever
    reads what the parent prints would wait for him."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nowhere, fd)
    if pipe != 3:
        os.dup2(pipe, 3)
    os.closerange(4, 1 << 20)
    _answer(work, 3)


def end_here(work: Callable[[], object]) -> NoReturn:
    """Do the work of a forked process and end it, whatever happens.

    An exception that left here would go on in the parent's code: a second parent, with all that the first one was about to do.
    """
    try:
        work()
    except BaseException:  # noqa: BLE001  # the edge of a process
        sys.stderr.write(mask(traceback.format_exc()))
    finally:
        sys.stderr.flush()
        os._exit(0)


def _answer(work: Callable[[], T], pipe: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        value: object = work()
    except (OSError, PlexguardError) as error:
        value = error
    with os.fdopen(pipe, "wb") as file:
        pickle.dump(value, file)


def _read(fd: int, deadline_s: float) -> bytes | None:
    """Read to the end, or return None when it does not come in time."""
    found = b""
    while True:
        if not select.select([fd], [], [], max(0.0, deadline_s - time.monotonic()))[0]:
            return None
        chunk = os.read(fd, 65536)
        if not chunk:
            return found
        found += chunk


def end_child(pid: int) -> None:
    """End a child that may have ended. One that is stuck in the kernel dies when the kernel lets go of it: it is not waited for."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 1.0
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(pid, os.WNOHANG)[0] == 0 and time.monotonic() < deadline:
            time.sleep(0.005)
