"""A connection that is made, written and read by a deadline, however slowly the bytes drip, and whose answer is bounded.

The resolver and http.client know limits of their own only, or of single reads.
"""

import http.client
import io
import ipaddress
import socket
import time
from typing import Any

# What a status line and headers may add to a body.
_MAX_HEADER_BYTES = 256 * 1024


class TooMuch(Exception):
    """More bytes than an answer may have."""


class NoAddress(OSError):
    """A host's name leads nowhere, or nobody has said in time where it leads."""


def connect(host: str, port: int, deadline: float) -> socket.socket:
    """Open a connection to the first address of a host that takes one; each of those that are left has an equal share of the time.

    Raises TimeoutError, NoAddress and OSError.
    """
    addresses = _find_addresses(host, port, deadline)
    failure: OSError = TimeoutError()
    for number, address in enumerate(addresses):
        share_s = seconds_left(deadline) / (len(addresses) - number)
        try:
            # As bytes: of a text Python would first ask for its IDNA form, whose tables cost a healthy check 3 ms.
            return socket.create_connection((address.encode("ascii"), port), timeout=share_s)  # type: ignore[arg-type]  # typeshed knows texts only
        except OSError as error:
            failure = error
    raise failure


def _find_addresses(host: str, port: int, deadline: float) -> list[str]:
    """Return the addresses of a host. The resolver knows only limits of its own, of half a minute and more.

    So it is asked by a thread that nobody waits for longer than to the deadline; it ends with the resolver's patience or with
    this process.
    """
    if _is_address(host) or host == "localhost":
        return [host]
    import queue  # what a server on this machine does not need
    import threading

    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(address[0]) for *_, address in found)))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=seconds_left(deadline))
    except queue.Empty as error:
        raise NoAddress("its name does not resolve in time") from error
    if isinstance(answer, Exception):
        raise NoAddress(f"its name leads nowhere: {reason_of(answer)}") from answer
    return answer


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def reason_of(error: BaseException) -> str:
    """Return what an error says, in the system's words where it is the system's."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


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
