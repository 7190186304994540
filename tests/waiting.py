"""The one loop of the tests that waits for something to come true: in vain it fails, and says what there was instead."""

import signal
import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

import psutil

T = TypeVar("T")
_POLL_S = 0.01


def await_true(ask: Callable[[], T], *, what: str | Callable[[], object] = "", timeout_s: float = 20.0) -> T:
    """Ask until the answer is true, and return it; the usual time stands for never.

    what: what is waited for, or for the moment in which it was in vain, what there is to see.
    """
    deadline_s = time.monotonic() + timeout_s
    while not (found := ask()):
        if time.monotonic() > deadline_s:
            raise AssertionError(f"in vain for {timeout_s:g} s: {what() if callable(what) else what}")
        time.sleep(_POLL_S)
    return found


def freeze(process: "subprocess.Popen[bytes]") -> None:
    """Stop a program as SIGSTOP does, and wait until all of it stands: until then it goes on answering."""
    process.send_signal(signal.SIGSTOP)
    await_true(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
