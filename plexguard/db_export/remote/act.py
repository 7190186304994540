"""Run a command on another machine: carry the code and its files there, pass on what it prints, bring back what it made."""

import contextlib
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from plexguard.core import rsync
from plexguard.core.host import Host
from plexguard.core.program import FOUND_PROBLEMS
from plexguard.core.ssh import ConnectionLost, Login, SshHost, connect, find_login
from plexguard.core.zipped import zip_suite
from plexguard.db_export.archive.read import open_archive
from plexguard.db_export.remote.decide import Errand, Transfer, plan_errand

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
        # Where a file is that was made is said when it is here.
        said, complained = _Lines(errand, sys.stdout.buffer, waits=bool(errand.fetched)), _Lines(errand, sys.stderr.buffer)
        try:
            code = there.run_through(("/usr/bin/python3", suite, name, *errand.arguments), out=said.take, err=complained.take)
        finally:
            complained.close()
        if code in (os.EX_OK, FOUND_PROBLEMS):
            _fetch(errand, login, there, host)
        said.close()
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


def _fetch(errand: Errand, login: Login, there: SshHost, host: Host) -> None:
    for transfer in errand.fetched:
        if there.run(("test", "-e", transfer.there), timeout_s=_CALL_S, check=False).code != 0:
            continue
        if transfer.here.endswith("/"):
            _fetch_folder(transfer, login, host)
        else:
            rsync.fetch(host, login, transfer.there, transfer.here)


def _fetch_folder(transfer: Transfer, login: Login, host: Host) -> None:
    """Bring what is in a folder there into one here. An archive has its name here only when it is what was written there."""
    here = Path(transfer.here)
    here.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".plexguard-", dir=here) as place:
        rsync.fetch(host, login, transfer.there, f"{place}/")
        # Hidden are locks, and what a run of its own left half made.
        for file in sorted(Path(place).glob("[!.]*")):
            with open_archive(file) as archive:
                archive.verify()
            os.replace(file, here / file.name)
            click.echo(f"brought here, and verified: {here / file.name}", err=True)


class _Lines:
    """Passes on what is printed there, line by line. waits: all of it when it is closed."""

    def __init__(self, errand: Errand, target: BinaryIO, *, waits: bool = False) -> None:
        self._errand, self._target, self._waits = errand, target, waits
        self._left = b""

    def take(self, piece: bytes) -> None:
        self._left += piece
        if not self._waits:
            whole, newline, self._left = self._left.rpartition(b"\n")
            self._pass_on(whole + newline)

    def close(self) -> None:
        self._pass_on(self._left)
        self._left = b""

    def _pass_on(self, text: bytes) -> None:
        self._target.write(b"".join(map(self._errand.translate, text.splitlines(keepends=True))))
        self._target.flush()
