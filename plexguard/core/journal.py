"""The port to the journal: an event becomes one entry with typed fields, or one line on stderr outside of it."""

import atexit
import fcntl
import functools
import os
import socket
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, TextIO

from plexguard.core.clock import SystemClock
from plexguard.core.events import Event, show_path
from plexguard.core.secret import mask

# sd_journal_send(3); a packet there is taken at once by a journald that is not overloaded.
_SOCKET = "/run/systemd/journal/socket"
_TAKEN_TIMEOUT_S = 5.0
_TAKEN_STEP_S = 0.001


class Journal(Protocol):
    def send(self, event: Event, /, **values: object) -> None:
        """Tell an event. Raises TypeError when the values are not the fields that the event declares."""
        ...


class SystemdJournal:
    """Sends to journald, with the fields of the event and where in the code it was sent."""

    def __init__(self, identifier: str) -> None:
        self._identifier = identifier

    def send(self, event: Event, /, **values: object) -> None:
        # Imported where it is used: a healthy probe tick sends nothing, and 30 of them run for every event.
        from systemd import journal

        _await_at_exit()
        caller: FrameType = sys._getframe(1)
        fields = {name: _clean_field(value) for name, value in event.journal_fields(values).items()}
        try:
            journal.send(
                _clean(event.render(values)),
                MESSAGE_ID=event.message_id,
                PRIORITY=str(int(event.priority)),
                SYSLOG_IDENTIFIER=self._identifier,
                CODE_FILE=caller.f_code.co_filename,
                CODE_LINE=caller.f_lineno,
                CODE_FUNC=caller.f_code.co_name,
                **fields,
            )
        except OSError:
            # journald's socket is stopped or broken: who guards goes on all the same. Standard error may lead there too.
            with suppress(OSError):
                StderrJournal().send(event, **values)


@functools.cache
def _await_at_exit() -> None:
    atexit.register(await_journald)


def await_journald(socket_path: str = _SOCKET, *, timeout_s: float = _TAKEN_TIMEOUT_S) -> None:
    """Wait until journald has taken what was sent before, by any socket: it learns an entry's unit from the process that sent it,
    so that the last words of one that has ended meanwhile are in no `journalctl -u`.

    An empty packet is sent, which journald drops, and is waited for: it takes them one after the other.
    """
    clock = SystemClock()
    deadline_s = clock.monotonic_s() + timeout_s
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as barrier:
        barrier.settimeout(timeout_s)
        barrier.sendto(b"", socket_path)
        while _bytes_not_taken(barrier) and clock.monotonic_s() < deadline_s:
            clock.sleep(_TAKEN_STEP_S)


def _bytes_not_taken(sender: socket.socket) -> int:
    """Return how much of what was sent, with the kernel's own, still waits at its receiver (SIOCOUTQ, unix(7))."""
    return int.from_bytes(fcntl.ioctl(sender, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


class StderrJournal:
    """Writes the line for people, with its <N> priority, which any service manager understands (sd-daemon(3))."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def send(self, event: Event, /, **values: object) -> None:
        # A person at a terminal gets the level as a word; everything else reads the number.
        level = f"{event.priority.name.lower()}: " if self._stream.isatty() else f"<{int(event.priority)}>"
        for line in _clean(event.render(values)).split("\n"):
            print(f"{level}{line}", file=self._stream, flush=True)


def _clean(text: str) -> str:
    """Return a text that can be written down: no secrets, and what neither UTF-8 nor a terminal takes as escapes.

    journalctl shows a message with any other control character as "blob data" only.
    """
    return "\n".join("\t".join(map(show_path, line.split("\t"))) for line in mask(text).split("\n"))


def _clean_field(value: str | bytes) -> str | bytes:
    """Return a field without secrets; bytes are a path, which is kept as it is but for these."""
    if isinstance(value, str):
        return _clean(value)
    return mask(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def open_journal(identifier: str) -> Journal:
    """Return the journal where stderr is connected to it ($JOURNAL_STREAM, systemd.exec(5)), else stderr."""
    return SystemdJournal(identifier) if _stderr_is_journal() else StderrJournal()


def open_reader(folder: Path | None = None, **converters: Callable[[bytes], object]) -> Any:
    """Return python3-systemd's reader of this machine's journal, or of the journals in a folder. Raises OSError.

    Its own converters fail at a COREDUMP_TIMESTAMP= that is no time, which any user may write: fields are text here, or bytes
    where they are no UTF-8, but for what journald itself writes, and for `converters`.
    """
    from systemd import journal  # only for who reads it

    reader = journal.Reader(path=str(folder) if folder else None)
    reader.converters = {
        "__REALTIME_TIMESTAMP": lambda us: datetime.fromtimestamp(us / 1e6, UTC),
        "__MONOTONIC_TIMESTAMP": lambda moment: moment,
        "__CURSOR": str,
        "_UID": int,
        **converters,
    }
    return reader


def _stderr_is_journal() -> bool:
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
