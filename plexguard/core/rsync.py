"""Carry files to and from another machine: rsync over OpenSSH, taken up where it was broken off, with the login of core/ssh.py."""

import shlex

from plexguard.core.host import Host
from plexguard.core.ssh import KEEPALIVE_S, KEEPALIVES, Login

# Gives up a transfer that stands still: the same time after which a peer that is gone is noticed.
_STALL_S = KEEPALIVE_S * KEEPALIVES
# The most that a transfer may take: a library of a terabyte over a home's line.
LIMIT_S = 4 * 86_400.0


def send(host: Host, login: Login, source: str, target: str) -> None:
    """Carry a file of this machine there. Raises CommandError."""
    host.run([*_rsync(login), source, f"{_place(login)}:{target}"], timeout_s=LIMIT_S)


def fetch(host: Host, login: Login, source: str, target: str) -> None:
    """Carry a file from there to this machine, or with a slash behind both what is in a folder. Raises CommandError."""
    host.run([*_rsync(login), f"{_place(login)}:{source}", target], timeout_s=LIMIT_S)


def _rsync(login: Login) -> tuple[str, ...]:
    return (
        *("rsync", "--recursive", "--times", "--perms", "--partial", "--secluded-args"),
        f"--timeout={_STALL_S}",
        f"--rsh={_remote_shell(login)}",
        "--",
    )


def _remote_shell(login: Login) -> str:
    """Return the command by which rsync reaches the machine, which rsync itself takes apart (rsync(1), --rsh)."""
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": " ".join(f'"{file}"' for file in login.known_hosts) or "/dev/null",
        "ServerAliveInterval": str(KEEPALIVE_S),
        "ServerAliveCountMax": str(KEEPALIVES),
        "ConnectTimeout": "15",
    }
    words = ["ssh", "-p", str(login.port), *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
    return shlex.join([*words, *(word for key in login.keys for word in ("-i", key))])


def _place(login: Login) -> str:
    address = f"[{login.address}]" if ":" in login.address else login.address
    return f"{login.user}@{address}"
