"""Between this very process and its manager: READY, STATUS, WATCHDOG there (sd_notify(3), through python3-systemd), and the sockets
that it listens at for us here (sd_listen_fds(3))."""

import contextlib
import os
import socket
from typing import Protocol

from plexguard.core.errors import UsageError
from plexguard.core.secret import mask


class Notifier(Protocol):
    def tell(self, *assignments: str) -> None:
        """Send one or more assignments such as "READY=1", together, without secrets. Does nothing where nobody listens."""
        ...


class SystemdNotifier:
    """The manager behind $NOTIFY_SOCKET, if there is one."""

    def tell(self, *assignments: str) -> None:
        if "NOTIFY_SOCKET" in os.environ:
            # Not python3-sdnotify: it drops a message with a letter beyond Latin-1, and swallows the signal to stop.
            from systemd import daemon  # only under a manager that listens

            with contextlib.suppress(OSError):  # a manager that is gone is no reason to end
                daemon.notify(mask("\n".join(assignments)).encode("utf-8", "replace").decode("utf-8"))


def take_sockets() -> tuple[socket.socket, ...]:
    """Return the sockets that the manager listens on for this service (sd_listen_fds(3)). Raises UsageError."""
    from systemd import daemon

    fds = daemon.listen_fds()
    if not fds:
        raise UsageError("no socket was handed over: this is a service that its socket unit starts")
    return tuple(socket.socket(fileno=fd) for fd in fds)


def take_socket() -> socket.socket:
    """Return the one socket that the manager listens on for this service. Raises UsageError."""
    first, *more = take_sockets()
    if more:
        raise UsageError("more than one socket was handed over: its socket unit has one")
    return first


def take_connection() -> socket.socket:
    """Return the connection that this service was started for (Accept=yes, StandardInput=socket). Raises UsageError."""
    try:
        return socket.socket(fileno=os.dup(0))
    except OSError as error:
        raise UsageError("no connection was handed over: this is a service that its socket unit starts") from error


def one_line(text: str) -> str:
    """Return a text that cannot end its assignment early."""
    return " ".join(text.split())
