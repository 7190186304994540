"""Orders of an administrator to the running service: small files that it finds within seconds, and what each makes of a channel."""

import contextlib
import dataclasses
import os
from collections.abc import Container, Iterator
from pathlib import Path

from plexguard.core.errors import IoFailed, NoPermission, Unavailable
from plexguard.notify.state import ChannelState

# Their folder, below that of the state.
ORDERS = "requests"
CLEAR, RETRY = "clear", "retry"


def leave_order(root: Path, what: str, channel: str) -> None:
    """Leave an order: "clear" or "retry". Raises Unavailable, NoPermission and IoFailed.

    The folder belongs to the service, which has fewer rights than who calls this: nothing in it is followed.
    """
    if os.geteuid() != 0:
        raise NoPermission("Failed to change the queue: only root may", hint="sudo plexguard-notify queue")
    try:
        folder = os.open(root / ORDERS, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise Unavailable(
            "Failed to change the queue: the service has not run yet", hint="systemctl start plexguard-notify.service"
        ) from error
    except OSError as error:
        raise IoFailed(f"Failed to open {root / ORDERS}: {error.strerror}") from error
    try:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(f"{what}.{channel}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=folder))
    except OSError as error:
        raise IoFailed(f"Failed to write to {root / ORDERS}: {error.strerror}") from error
    finally:
        os.close(folder)


def take_orders(root: Path, *, later: Container[str]) -> Iterator[tuple[str, str]]:
    """Yield the orders that were left, "clear" or "retry" and a channel's name, and forget each when the next is asked for. later:
    the channels whose orders are left where they are."""
    try:
        found = sorted((root / ORDERS).iterdir())
    except OSError:
        return
    for path in found:
        what, _, channel = path.name.partition(".")
        if channel in later:
            continue
        if what in (CLEAR, RETRY):
            yield what, channel
        with contextlib.suppress(OSError):
            path.unlink()


def clear(state: ChannelState, end: int) -> ChannelState:
    """Return the state of a channel that has nothing to tell of the events before that number. What was told to have begun is still
    told to have ended, its own outage too."""
    past = dataclasses.replace(state.past, position=end, windows={})
    outage = dataclasses.replace(state.outage, is_idle=True) if state.outage else None
    return dataclasses.replace(state, past=past, looked=end, wake_at=None, quiet_until=None, outage=outage)


def retry(state: ChannelState) -> ChannelState:
    """Return the state of a channel that is to be tried at once."""
    return dataclasses.replace(state, outage=dataclasses.replace(state.outage, wait_s=0.0) if state.outage else None)
