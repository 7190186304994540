"""The port to the manager of this very process: READY, STATUS, WATCHDOG (sd_notify(3))."""

import contextlib
import os
from typing import Protocol


class Notifier(Protocol):
    def tell(self, *assignments: str) -> None:
        """Send one or more assignments such as "READY=1", together. Does nothing where nobody listens."""
        ...


class SystemdNotifier:
    """The manager behind $NOTIFY_SOCKET, if there is one."""

    def tell(self, *assignments: str) -> None:
        if "NOTIFY_SOCKET" in os.environ:
            _send(os.environ["NOTIFY_SOCKET"], "\n".join(assignments).encode("utf-8", "replace"))


def _send(address: str, message: bytes) -> None:
    """Send without python3-sdnotify: it drops a message with a letter beyond Latin-1, and swallows the signal to stop."""
    import socket  # only under a manager that listens

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender, contextlib.suppress(OSError):
        sender.sendto(message, address.replace("@", "\0", 1) if address.startswith("@") else address)


def one_line(text: str) -> str:
    """Return a text that cannot end its assignment early."""
    return " ".join(text.split())
