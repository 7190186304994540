"""Run a command on another machine: carry the code and its files there, pass on what it prints, bring back what it made."""

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator

import click

from plexguard.core import rsync
from plexguard.core.host import Host
from plexguard.core.ssh import ConnectionLost, Login, SshHost, connect, find_login
from plexguard.core.zipped import zip_suite
from plexguard.db_export.remote.decide import Errand, plan_errand

_CALL_S = 30.0


def run_there(target: str, name: str, group: click.Group, arguments: tuple[str, ...], host: Host) -> int:
    """Run a command of a program's group on "[USER@]HOST[:PORT]", and return its exit code. What it prints comes as it is printed.

    Raises what find_login() and connect() raise, ConnectionLost, and CommandError of what prepares it.
    """
    folder = f"/var/tmp/plexguard-{secrets.token_hex(8)}"  # noqa: S108  # made there, and refused if it is there already
    # A mistake is found before anything is carried.
    errand = plan_errand(group, arguments, folder)
    login = find_login(target)
    with connect(login) as there, _made(there, folder):
        suite = f"{folder}/plexguard.pyz"
        there.put(zip_suite(), suite)
        _send(errand, login, there, host)
        code = there.run_through(("/usr/bin/python3", suite, name, *errand.arguments), out=_say, err=_complain)
        if code == os.EX_OK:
            for transfer in errand.fetched:
                rsync.fetch(host, login, transfer.there, transfer.here)
        return code


@contextlib.contextmanager
def _made(there: SshHost, folder: str) -> Iterator[None]:
    """Have a folder there that is nobody else's, on a disk, for as long as the context lasts."""
    there.run(("mkdir", "--mode=0700", "--", folder), timeout_s=_CALL_S)
    try:
        yield
    finally:
        with contextlib.suppress(ConnectionLost):
            there.run(("rm", "--recursive", "--force", "--", folder), timeout_s=_CALL_S, check=False)


def _send(errand: Errand, login: Login, there: SshHost, host: Host) -> None:
    for transfer in (*errand.sent, *errand.fetched):
        there.run(("mkdir", "--parents", "--", os.path.dirname(transfer.there.rstrip("/"))), timeout_s=_CALL_S)
    for transfer in errand.sent:
        rsync.send(host, login, transfer.here, transfer.there)


def _say(piece: bytes) -> None:
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _complain(piece: bytes) -> None:
    sys.stderr.buffer.write(piece)
    sys.stderr.buffer.flush()
