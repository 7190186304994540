"""The process that sends over one channel: forked when there is something to send, gone when there is not.

Only there are the libraries of the channels loaded. It shows that it is at work with a byte in a pipe before each call; the pipe
closes with it.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Protocol

from plexguard.core.child import end_child, end_here
from plexguard.core.errors import PlexguardError
from plexguard.core.events import show_path

_SIGN, _DONE, _FAILED = b".", b"E", b"!"
_MAX_REASON = 2000


class Worker(Protocol):
    """pipe: closed by the other side when it ends. ended: whether it has. failure: why it ended before it was done, "" when it was
    not so."""

    pipe: int
    ended: bool
    failure: str

    def look(self) -> bool:
        """Take note of its signs; return whether there was one since the last time."""
        ...

    def end(self) -> None:
        """End it by its number, if it has not ended, and forget it."""
        ...


Work = Callable[[Callable[[], None], Callable[[], bool]], None]


class ForkedWorker:
    def __init__(self, work: Work) -> None:
        """work: takes a function that shows a sign, and one that tells whether to go on."""
        self.ended = False
        self.failure = ""
        self._heard = b""
        parent = os.getpid()
        self.pipe, theirs = os.pipe()
        os.set_blocking(self.pipe, False)
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            # With whatever it starts itself, a group that can be ended as one.
            os.setpgid(0, 0)
            os.close(self.pipe)
            end_here(lambda: _work(work, theirs, parent))
        os.close(theirs)

    def look(self) -> bool:
        found = b""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self.pipe, 65536):
                found += chunk
            self.ended = True
        # Its last word may have been read before the pipe was closed.
        self._heard = (self._heard + found)[-2 * _MAX_REASON :]
        if self.ended and not self._heard.endswith(_DONE):
            _, _, reason = self._heard.partition(_FAILED)
            self.failure = reason.decode("utf-8", "replace") or "the process that sends ended without a word"
        return bool(found)

    def end(self) -> None:
        # What it started would go on sending, and keep the channel's lock.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        end_child(self._pid)
        os.close(self.pipe)


def _work(work: Work, pipe: int, parent: int) -> None:
    # The parent's way of stopping would unwind through its code.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.set_blocking(pipe, False)

    def sign() -> None:
        # Full, or nobody reads any more: that is for `go_on` to tell.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(pipe, _SIGN)

    try:
        work(sign, lambda: os.getppid() == parent)
    except PlexguardError as error:
        _last_word(pipe, _FAILED + show_path(str(error)).encode("utf-8", "replace")[:_MAX_REASON])
    else:
        _last_word(pipe, _DONE)


def _last_word(pipe: int, text: bytes) -> None:
    os.set_blocking(pipe, True)
    with contextlib.suppress(BrokenPipeError):
        os.write(pipe, text)
