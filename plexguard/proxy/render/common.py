"""What both processes of HAProxy have in common: the names of files and sockets, and the sections that come first."""

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from plexguard.core.state import RUNTIME_ROOT
from plexguard.proxy.config import Config
from plexguard.proxy.kinds import METADATA, Kind, span_ms

MAIN = "haproxy.cfg"
FORMS, TYPES = "forms.map", "types.map"
BODIES = {503: "answers-503.map", 504: "answers-504.map"}
SERVERS = "servers.state"
SOCKET = "admin.sock"
# The server whose state is the breaker's. The others follow it.
BREAKER = f"{METADATA.name}/plex"
PRESENT_SOCKET, AWAY_SOCKET = "present.sock", "away.sock"
KEY = "x-plexguard-key"
# A player that is paused reads nothing; one that is gone is found out by TCP's own keep-alive.
_PAUSED = timedelta(hours=12)
# HAProxy counts milliseconds in 31 bits.
_UNLIMITED = timedelta(days=24)
# How long a stream that was begun before a reload may flow on; who watches for longer is cut once.
_OLD = timedelta(days=7)
_CONNECT = timedelta(seconds=1)
# What is moved at once of a film without being looked at. The system gives a user 64 MiB of pipes; who comes later gets small ones.
_PIPE_BYTES = 256 * 1024
_TAG = "plexguard-proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """run, pictures: the folders of the sockets and files of the two processes. log: where a syslog daemon listens."""

    run: str = f"{RUNTIME_ROOT}/proxy"
    pictures: str = f"{RUNTIME_ROOT}/proxy-pictures"
    log: str = "/run/systemd/journal/dev-log"


def begin(places: Places, socket: str, *, servers: str = "") -> list[str]:
    return [
        "# Made by plexguard-proxy from plexguard.toml; what is changed here is lost. See plexguard-proxy(8).",
        "global",
        # No higher than notice: HAProxy calls it an emergency when no server is left, and journald would tell every terminal.
        f"    log {places.log} format local local0 info notice",
        f"    log-tag {_TAG}",
        f"    stats socket {socket} mode 660 level admin expose-fd listeners",
        *([f"    server-state-file {servers}"] if servers else []),
        # Streams that were begun before a reload go on in the process of before.
        f"    hard-stop-after {ms(_OLD)}",
        f"    tune.pipesize {_PIPE_BYTES}",
        "",
        "defaults",
        "    mode http",
        "    option clitcpka",
        "    option srvtcpka",
        "    option splice-response",
        # A caller who dawdles over a request is waited for here, and not by Plex.
        "    option http-buffer-request",
        "    option http-restrict-req-hdr-names delete",
        # Plex speaks HTTP/1.1, and so do its players: HTTP/2 would be another parser for strangers to try.
        "    option disable-h2-upgrade",
        # No idle-close-on-response: connections that are idle at a reload would ask once more, of the process of before, whose gate
        # nobody shuts any more and whose Plex may have moved.
        "    timeout http-request 10s",
        "    timeout http-keep-alive 75s",
        f"    timeout connect {ms(_CONNECT)}",
        "    timeout queue 5s",
        f"    timeout client {ms(_PAUSED)}",
        f"    timeout tunnel {ms(_UNLIMITED)}",
        *(["    load-server-state-from-file global"] if servers else []),
        "",
    ]


def limit_of(kind: Kind, config: Config) -> timedelta:
    """Return how long an attempt may take to its first byte."""
    limit: timedelta = getattr(config, kind.limit) if kind.limit else _UNLIMITED
    return limit


def address_of(url: str) -> str:
    """Return Plex's address as a server has it."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 32400
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if parts.scheme != "https":
        return shown
    # Plex's own certificate is for a name under plex.direct; on this very machine there is nobody in the middle.
    proof = "verify none" if is_loopback(host) else f"verify required ca-file @system-ca sni str({host}) verifyhost {host}"
    return f"{shown} ssl {proof}"


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def ms(span: timedelta) -> str:
    return f"{span_ms(span)}ms"
