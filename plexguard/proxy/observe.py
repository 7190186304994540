"""What is looked at beside the proxy: Plex, by a question that needs what real requests need; and where could be listened."""

import errno
import os
import socket
import threading
from collections.abc import Callable, Iterable

from plexguard.core.endpoints import Endpoint
from plexguard.core.found import FoundPlex, url_of
from plexguard.core.plex import (
    Plex,
    PlexError,
    PlexFailing,
    PlexMaintenance,
    PlexRefused,
    PlexTimeout,
    PlexUnauthorized,
    PlexUnreachable,
)
from plexguard.core.plex_http import HttpPlex
from plexguard.core.secret import Secret
from plexguard.proxy.decide import Check

_REASONS: tuple[tuple[type[PlexError], str, str], ...] = (
    (PlexMaintenance, "maintenance", "Plex is in maintenance: it is starting, or preparing its database"),
    (PlexRefused, "down", "Plex is down"),
    (PlexTimeout, "down", "Plex does not answer"),
    (PlexUnreachable, "down", "Plex cannot be reached"),
    (PlexFailing, "failing", "Plex answers with errors"),
    (PlexError, "failing", "Plex does not answer properly"),
)


def open_plex(found: FoundPlex | None, token: Secret | None) -> Plex:
    return HttpPlex(url_of(found), token, owners=found.owners if found is not None else None)


def check_plex(plex: Plex, *, timeout_s: float) -> Check:
    """Ask for the libraries: it needs the database, as nearly every request does. Without a token Plex refuses, from memory: then
    this is no more than a sign of life."""
    try:
        plex.libraries(timeout_s=timeout_s)
    except PlexUnauthorized:
        return Check(good=True)
    except PlexError as error:
        return next(Check(good=False, reason=reason, text=text) for kind, reason, text in _REASONS if isinstance(error, kind))
    return Check(good=True)


# How often a check that does not end has failed once more.
_OVERDUE_EVERY_S = 3.0


class Asking:
    """One check at a time, beside the loop: the gate is looked at while Plex is waited for."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._found: list[Check] = []
        self._until_s = 0.0

    @property
    def is_busy(self) -> bool:
        return self._thread is not None

    def begin(self, ask: Callable[[], Check], *, until_s: float) -> None:
        """until_s: when it is taken for failed, on the monotonic clock."""
        found: list[Check] = []
        self._until_s = until_s
        # A name service that hangs has no limit: the thread must not hold up our end.
        self._thread = threading.Thread(target=lambda: found.append(ask()), daemon=True)
        self._found = found
        self._thread.start()

    def take(self, now_s: float) -> Check | None:
        """Return what was found, once; None while nothing is. What does not end by its time has failed, and nothing is asked
        beside it before it does: it would only add to what hangs."""
        if self._thread is None:
            return None
        if self._thread.is_alive():
            return self._give_up(now_s)
        self._thread = None
        return self._found[0] if self._found else Check(good=False, reason="failing", text="Plex does not answer properly")

    def _give_up(self, now_s: float) -> Check | None:
        if now_s < self._until_s:
            return None
        self._until_s = now_s + _OVERDUE_EVERY_S
        return Check(good=False, reason="down", text="Plex does not answer")


def find_absent(listen: Iterable[Endpoint]) -> tuple[str, ...]:
    """Return the addresses that this machine does not have."""
    return tuple(endpoint.address for endpoint in listen if try_bind(endpoint.address, 0) == errno.EADDRNOTAVAIL)


def find_taken(listen: Iterable[Endpoint]) -> dict[str, str]:
    """Return where HAProxy could not listen, with the reason. Where our own HAProxy of the same user listens, it could: it shares
    its ports with whom it hands them over to."""
    tried = {str(endpoint): try_bind(endpoint.address, endpoint.port) for endpoint in listen}
    return {place: os.strerror(code) for place, code in tried.items() if code not in (0, errno.EADDRNOTAVAIL)}


def try_bind(address: str, port: int) -> int:
    """Take an address as HAProxy does, for a moment and without listening; return the errno, 0 for none."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            trial.bind((address, port))
    except OSError as error:
        return error.errno or errno.EIO
    return 0
