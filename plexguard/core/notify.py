"""The port to the manager of this very process: READY, STATUS, WATCHDOG (sd_notify(3), through python3-sdnotify)."""

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
            import sdnotify  # only under a manager that listens

            sdnotify.SystemdNotifier().notify("\n".join(assignments))


def one_line(text: str) -> str:
    """Return a text that cannot end its assignment early."""
    return " ".join(text.split())
