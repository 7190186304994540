"""Who listens on a TCP port of this machine, and how many are connected, from /proc/net (proc(5)).

Needs no right, but the machine's own user ids."""

from pathlib import Path

_ESTABLISHED = "01"
_LISTEN = "0A"
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def find_listener_uids(port: int) -> frozenset[int]:
    """Return the users that own the sockets listening on a port; none where a container's port is only forwarded."""
    return frozenset(uid for table in _TABLES for uid in parse_listeners(_read(table), port))


def count_connections(port: int) -> int:
    """Return how many connections this machine has open at a port of its own; none where a container's port is forwarded."""
    return sum(len(parse_sockets(_read(table), port, _ESTABLISHED)) for table in _TABLES)


def parse_listeners(table: str, port: int) -> tuple[int, ...]:
    """Return the users of the sockets of a table that listen on a port."""
    return parse_sockets(table, port, _LISTEN)


def parse_sockets(table: str, port: int, state: str) -> tuple[int, ...]:
    """Parse a table: local address as hex IP:PORT, state, and uid are its columns 2, 4 and 8. Return the users."""
    rows = (line.split() for line in table.splitlines()[1:])
    return tuple(int(row[7]) for row in rows if len(row) > 7 and row[3] == state and row[1].endswith(f":{port:04X}"))


def _read(table: Path) -> str:
    try:
        return table.read_text(encoding="ascii")
    except OSError:
        return ""
