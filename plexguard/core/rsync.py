"""Carry files to and from another machine: rsync over OpenSSH, taken up where it was broken off, with the login of core/ssh.py."""

import re
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass

from plexguard.core.host import CommandEnded, CommandFailed, CommandTimeout, Host
from plexguard.core.ssh import KEEPALIVE_S, KEEPALIVES, Login

# Gives up a transfer that stands still: the same time after which a peer that is gone is noticed.
_STALL_S = KEEPALIVE_S * KEEPALIVES
# The most that a transfer may take: a library of a terabyte over a home's line.
LIMIT_S = 4 * 86_400.0


# "  1238099968  57%   95.21MB/s    0:00:09": of all files together.
_PROGRESS = re.compile(r"\s*(\d+)\s+(\d+)%\s", re.ASCII)
# How long a transfer may say nothing before it is looked whether its time is over.
_QUIET_S = 5.0
_LAST_LINES = 3
# Of rsync(1): socket, protocol, signal and time-outs, and whatever ssh has ended with.
_BROKEN = frozenset({10, 12, 20, 30, 35, 255})


class TransferBroken(CommandFailed):
    """The connection was lost: what was carried is there, and another attempt goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a transfer is. done_bytes: carried, or found there already."""

    done_bytes: int
    percent: int


Tell = Callable[[Progress], object]


def send(host: Host, login: Login, source: str, target: str, *, limit_bytes_per_s: int = 0, tell: Tell | None = None) -> None:
    """Carry a file of this machine there. limit_bytes_per_s: 0 for none. tell: is called as it goes. Raises CommandError.

    What an attempt that broke off has carried is not carried again.
    """
    _carry(host, [*_rsync(login, limit_bytes_per_s), source, f"{_place(login)}:{target}"], tell)


def fetch(host: Host, login: Login, source: str, target: str, *, limit_bytes_per_s: int = 0, tell: Tell | None = None) -> None:
    """Carry a file from there to this machine, or with a slash behind both what is in a folder; the rest as send()."""
    _carry(host, [*_rsync(login, limit_bytes_per_s), f"{_place(login)}:{source}", target], tell)


def read_progress(line: str) -> Progress | None:
    """Return what a line of rsync's --info=progress2 says, None for any other. Pure."""
    found = _PROGRESS.match(line)
    return Progress(done_bytes=int(found[1]), percent=int(found[2])) if found else None


def _carry(host: Host, argv: list[str], tell: Tell | None) -> None:
    if tell is None:
        host.run(argv, timeout_s=LIMIT_S)
        return
    deadline_s, last = time.monotonic() + LIMIT_S, [""]
    stream = host.follow([argv[0], "--info=progress2", "--no-human-readable", *argv[1:]], rewrites=True)
    try:
        while time.monotonic() < deadline_s:
            line = stream.read_line(_QUIET_S)
            progress = read_progress(line or "")
            if progress is not None:
                tell(progress)
            elif line and line.strip():
                last = [*last, line.strip()][-_LAST_LINES:]
    except CommandEnded as error:
        if error.code != 0:
            kind = TransferBroken if error.code in _BROKEN else CommandFailed
            raise kind(f"{shlex.join(argv)}: exit code {error.code}: {' / '.join(filter(None, last))}") from error
        return
    finally:
        stream.close()
    raise CommandTimeout(f"{shlex.join(argv)}: no end within {LIMIT_S:g} s")


def _rsync(login: Login, limit_bytes_per_s: int) -> tuple[str, ...]:
    return (
        *("rsync", "--recursive", "--times", "--perms", "--partial", "--secluded-args"),
        f"--timeout={_STALL_S}",
        # In units of 1024 bytes; 0 would be no limit at all.
        *((f"--bwlimit={max(1, limit_bytes_per_s >> 10)}",) if limit_bytes_per_s else ()),
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
