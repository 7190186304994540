"""A connection whose every read and write ends at a deadline, however slowly the bytes drip, and whose answer is bounded.

For http.client, which knows timeouts of single reads only.
"""

import http.client
import io
import socket
import time
from typing import Any

# What a status line and headers may add to a body.
_MAX_HEADER_BYTES = 256 * 1024


class TooMuch(Exception):
    """More bytes than an answer may have."""


class DeadlineSocket:
    """What http.client uses of a socket, with the time that is left as the timeout of each single read and write."""

    def __init__(self, plain: socket.socket, deadline: float, *, max_bytes: int) -> None:
        self._plain = plain
        self._deadline = deadline
        self._max_bytes = max_bytes

    def sendall(self, data: bytes) -> None:
        self._plain.settimeout(seconds_left(self._deadline))
        self._plain.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_DeadlineReader(self._plain, self._deadline, self._max_bytes + _MAX_HEADER_BYTES))

    def close(self) -> None:
        """Do nothing: http.client closes the connection of a last answer before it reads the body. The caller closes."""


class _DeadlineReader(io.RawIOBase):
    def __init__(self, plain: socket.socket, deadline: float, room_bytes: int) -> None:
        super().__init__()
        self._plain = plain
        self._deadline = deadline
        self._room_bytes = room_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._plain.settimeout(seconds_left(self._deadline))
        got = self._plain.recv_into(buffer)
        self._room_bytes -= got
        if self._room_bytes < 0:  # also where chunks lie about their length, and where headers never end
            raise TooMuch
        return got


def seconds_left(deadline: float) -> float:
    """Return the seconds left; raises TimeoutError when there are none (a timeout of 0 would mean non-blocking)."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def read_bounded(response: http.client.HTTPResponse, max_bytes: int) -> bytes:
    """Return the whole body of an answer. Raises TooMuch, TimeoutError, and http.client.HTTPException for one that is cut."""
    body = response.read(max_bytes + 1)
    if len(body) > max_bytes:
        raise TooMuch
    if response.length:
        # read(amount) does not complain when the peer closes early; the rest that was promised tells.
        raise http.client.IncompleteRead(body, response.length)
    return body
