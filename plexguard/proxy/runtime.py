"""HAProxy's runtime socket: what a process knows of itself, and what it can be told while it runs. One connection a question."""

import csv
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from plexguard.core.errors import PeerError, Unavailable
from plexguard.proxy.kinds import KINDS, MEDIA, METADATA, TRANSCODE
from plexguard.proxy.render.backends import ONCE
from plexguard.proxy.render.common import BREAKER

_TIMEOUT_S = 2.0
_MAX_BYTES = 4 * 1024 * 1024
# "show stat" of every proxy, backends and servers.
_BACKENDS_AND_SERVERS = "show stat -1 6 -1"
# Backends of requests whose first attempts go to Plex. Another attempt at a picture may mean that the process of the pictures is
# away, which says nothing of Plex.
_DIRECT = frozenset({METADATA.name, MEDIA.name, TRANSCODE.name})
_KINDS = frozenset(kind.name for kind in KINDS)


class ProxyAway(Unavailable):
    """HAProxy's runtime socket does not answer."""

    hint = "systemctl status plexguard-proxy.service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What has gone through since the process began. asked: requests. good: answers of Plex that are no failures. bad: requests
    that failed, or whose first attempt did; it may fall for a moment, between an attempt and what becomes of it. waits: requests
    that wait for Plex just now."""

    asked: int = 0
    good: int = 0
    bad: int = 0
    waits: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The server that is Plex, as HAProxy has it. status: UP, DOWN, MAINT, DRAIN, as HAProxy shows it. is_held: HAProxy's own
    checks are off, and the state stays as it was set."""

    status: str
    is_held: bool
    counters: Counters

    @property
    def lets_through(self) -> bool:
        return self.status.startswith(("UP", "no check"))

    @property
    def is_drained(self) -> bool:
        return self.status.startswith(("MAINT", "DRAIN"))


class Runtime(Protocol):
    def look(self) -> Gate:
        """Raises ProxyAway and PeerError."""
        ...

    def tell(self, commands: Sequence[str]) -> None:
        """Give commands, all at once. Raises ProxyAway, and PeerError with what HAProxy says against one."""
        ...


class RuntimeSocket:
    """The socket of a running HAProxy."""

    def __init__(self, path: str | Path) -> None:
        self._path = str(path)

    def look(self) -> Gate:
        return parse_servers(self.ask(_BACKENDS_AND_SERVERS))

    def tell(self, commands: Sequence[str]) -> None:
        said = " ".join(self.ask(";".join(commands)).split())
        if said:
            raise PeerError(f"HAProxy: {said[:200]}")

    def ask(self, command: str) -> str:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
                peer.settimeout(_TIMEOUT_S)
                peer.connect(self._path)
                peer.sendall(command.encode("utf-8") + b"\n")
                return _read_all(peer).decode("utf-8", "replace")
        except OSError as error:
            raise ProxyAway(f"{self._path}: {error.strerror or error}") from error


def _read_all(peer: socket.socket) -> bytes:
    parts, size = [], 0
    while chunk := peer.recv(65536):
        parts.append(chunk)
        size += len(chunk)
        if size > _MAX_BYTES:
            raise TimeoutError("no end of the answer")
    return b"".join(parts)


def parse_servers(text: str) -> Gate:
    """Parse `show stat` of backends and servers. Raises PeerError where it is cut, is no such thing, or knows nothing of Plex."""
    # HAProxy ends what it says with an empty line.
    if not text.endswith("\n\n"):
        raise PeerError(f"HAProxy: {' '.join(text.split())[-80:] or 'no answer'}: that is no whole answer")
    try:
        rows = list(csv.DictReader(text.removeprefix("# ").splitlines()))
        if any(None in row.values() for row in rows):
            raise ValueError("a short line")
        return _read_gate(rows)
    except (KeyError, ValueError, csv.Error) as error:
        raise PeerError(f"HAProxy: its statistics make no sense: {error}") from error


def _read_gate(rows: list[dict[str, str]]) -> Gate:
    gate = next((row for row in rows if f"{row['pxname']}/{row['svname']}" == BREAKER), None)
    if gate is None:
        raise PeerError(f"HAProxy knows no server {BREAKER}")
    kinds = [row for row in rows if row["pxname"] in _KINDS]
    backends = [row for row in kinds if row["svname"] == "BACKEND"]
    servers = [row for row in kinds if row["svname"] != "BACKEND"]
    counters = Counters(
        asked=_sum(backends, "stot"),
        good=_sum(servers, "hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx"),
        bad=_count_failed(backends, servers),
        waits=_sum(servers, "scur"),
    )
    return Gate(status=gate["status"], is_held=not gate["check_status"], counters=counters)


def _count_failed(backends: list[dict[str, str]], servers: list[dict[str, str]]) -> int:
    """Return how many requests have failed, each counted once, and as soon as its first attempt has.

    HAProxy counts attempts, each in up to three columns. What tells a request that is made again is that its first server has
    seen it more often than its backend. Such a one is in the answers of the backend once more when the last attempt has failed.
    """
    first = [row for row in servers if row["pxname"] in _DIRECT and row["svname"] in ("plex", ONCE)]
    whole = [row for row in backends if row["pxname"] in _DIRECT]
    last = [row for row in servers if row["pxname"] in _DIRECT and row["svname"] == "last"]
    begun_again = _sum(first, "stot") - _sum(whole, "stot")
    return begun_again + _sum(backends, "hrsp_5xx") - _sum(last, "hrsp_5xx", "eresp", "econ")


def _sum(rows: list[dict[str, str]], *names: str) -> int:
    return sum(int(row[name] or 0) for row in rows for name in names)


def quote(text: str) -> str:
    """Return a text as one word of a command: what separates words or commands is escaped."""
    flat = " ".join(text.split())
    return "".join(f"\\{character}" if character in " ;\\\"'#" else character for character in flat)
