"""The loop of a long-running service: first cycle, READY, then cycle after cycle, each ending with WATCHDOG=1.

The watchdog is fed when a cycle ends and never from elsewhere: it proves work, not life. SIGTERM ends the cycle where it
stands, as a KeyboardInterrupt would: a cycle writes through `write_atomic` and holds what it must release in a `with`.

A service whose READY means more than that it looks is "activating" until it does; it is watched over all the same.
"""

import signal
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from plexguard.core.notify import Notifier, one_line


class StopAsked(BaseException):
    """The manager asked this service to stop. No Exception, so that nobody catches it by accident."""


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    # A second signal must not break into the clean-up of the first.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise StopAsked


def run_cycles(cycle: Callable[[], str], notifier: Notifier, *, is_ready: Callable[[], bool] = lambda: True) -> None:
    """Run cycles until asked to stop. A cycle waits for what it follows, bounded, and returns its line for STATUS=.

    is_ready: whether READY may be told, asked after each cycle until it is.
    """
    try:
        signal.signal(signal.SIGTERM, _stop)
        signal.signal(signal.SIGINT, _stop)
        was_ready = False
        while True:
            status = cycle()
            ready = () if was_ready or not is_ready() else ("READY=1",)
            notifier.tell(*ready, f"STATUS={one_line(status)}", "WATCHDOG=1")
            was_ready = was_ready or bool(ready)
    except StopAsked:
        notifier.tell("STOPPING=1")
