"""How a path gets from a program without rights to the root side of the permissions audit: one packet there, one back.

The socket is root's and checks its peer; what a path means, and whether anything may be done to it, only the root side
decides. Both packets are JSON in ASCII: a path may be any bytes (surrogateescape), whoever wrote the log that named it.
"""

import json
import socket
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from plexguard.core.errors import DataError, PeerError, TryAgain, Unavailable
from plexguard.core.records import decode, encode
from plexguard.core.state import RUNTIME_ROOT

SOCKET = RUNTIME_ROOT / "perms-request.socket"
# The longest path (PATH_MAX, limits.h) with every byte escaped as \udcNN, and its braces.
MAX_PACKET_BYTES = 4096 * 6 + 256


class Verdict(Enum):
    """What the root side found out about a path."""

    READABLE = "readable"  # Plex can read it, and could before
    REPAIRED = "repaired"  # Plex could not read it and can now: proven by opening it
    UNREADABLE = "unreadable"  # Plex cannot read it, and it could not be repaired
    MISSING = "missing"  # there is no such file
    OUTSIDE = "outside"  # not below a configured root, or no path at all: nothing was looked at
    UNKNOWN = "unknown"  # it could not be found out, such as on a mount that is not proven alive
    LATER = "later"  # tried a while ago, or too many at once: nothing was looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """path: absolute, of this machine."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """detail: why, for people, on one line. retry_s: with LATER, the seconds after which it may be asked again."""

    verdict: Verdict
    detail: str = ""
    retry_s: float = 0.0


def to_packet(message: Request | Answer) -> bytes:
    return json.dumps(encode(message), ensure_ascii=True).encode("ascii")


def parse_request(packet: bytes) -> Request:
    """Return what a packet asks for. Raises DataError for anything that is no request."""
    return decode(Request, _parse(packet))


def parse_answer(packet: bytes) -> Answer:
    """Return what a packet answers. Raises DataError."""
    return decode(Answer, _parse(packet))


def _parse(packet: bytes) -> object:
    try:
        return json.loads(packet)
    except (ValueError, RecursionError) as error:
        raise DataError(f"no JSON: {error}") from error


def ask(path: str, *, timeout_s: float, address: Path = SOCKET) -> Answer:
    """Ask the root side to see to a path, and wait for its answer.

    Raises Unavailable when nobody listens, TryAgain when no answer came in time, PeerError for one that makes no sense.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
        peer.settimeout(timeout_s)
        try:
            peer.connect(str(address))
            peer.sendall(to_packet(Request(path=path)))
            packet = peer.recv(MAX_PACKET_BYTES)
        except TimeoutError as error:
            raise TryAgain(f"{address}: no answer within {timeout_s:g} s") from error
        except OSError as error:
            raise Unavailable(
                f"Failed to ask {address}: {error.strerror}", hint="systemctl status plexguard-perms-request.socket"
            ) from error
    try:
        return parse_answer(packet)
    except DataError as error:
        raise PeerError(f"{address}: {error}") from error
