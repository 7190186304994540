"""Ports of the loopback."""

import contextlib
import secrets
import socket

# Below those that the kernel gives to who asks for any, and to every connection: one of them would take it before it is listened on.
_FIRST, _COUNT = 20_000, 12_000


def free_port() -> int:
    """Return a port that nobody listens on, for now: for who is to listen there, or to be refused."""
    while True:
        port = _FIRST + secrets.randbelow(_COUNT)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def take_port() -> socket.socket:
    """Take a free port, and nobody gets it by chance while the socket is open: HAProxy would share it with another HAProxy, and
    each of them would get some of the callers."""
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    taken.bind(("127.0.0.1", 0))
    return taken
