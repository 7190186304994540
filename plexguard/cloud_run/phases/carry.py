"""Carry a file between this machine and the run's: taken up where it broke off, with how far it is told."""

import shutil
from collections.abc import Callable
from pathlib import Path

from plexguard.cloud_run.phases.work import Work
from plexguard.core import rsync
from plexguard.core.errors import IoFailed, Unavailable
from plexguard.core.spans import show_bytes
from plexguard.core.ssh import Login

# A line that is down for a night, and then goes on where it was.
_AWAY_S = 12 * 3600.0
_PAUSE_S = 30.0


def send(run: Work, source: str, target: str, *, total: int) -> str:
    """Bring a file to the run's machine, and return where it is there: on this very machine, where it lies.

    total: its bytes. Raises CommandError when the connection stays lost, and for anything else.
    """

    def do(login: Login, tell: rsync.Tell) -> None:
        rsync.send(run.ports.host, login, source, target, limit_bytes_per_s=run.file.bandwidth, tell=tell)

    return target if _insist(run, f"bringing {Path(source).name}", total, do) else source


def fetch(run: Work, source: str, target: str, *, total: int) -> str:
    """Bring a file home, as send(), and return where it is here. Raises IoFailed too."""

    def do(login: Login, tell: rsync.Tell) -> None:
        rsync.fetch(run.ports.host, login, source, target, limit_bytes_per_s=run.file.bandwidth, tell=tell)

    if not _insist(run, f"fetching {Path(source).name}", total, do):
        try:
            # What the run has there goes with the next of its name.
            shutil.copyfile(source, target)
        except OSError as error:
            raise IoFailed(f"Failed to copy {source} to {target}: {error.strerror}") from error
    return target


def _insist(run: Work, words: str, total: int, do: Callable[[Login, rsync.Tell], None]) -> bool:
    """Do it until it is done, and return False where the run's machine is this one, and nothing is to be carried. What was carried
    is not carried again."""
    clock = run.ports.clock
    carried, told_s, moved_s = 0, 0.0, clock.monotonic_s()

    def tell(progress: rsync.Progress) -> None:
        nonlocal carried, told_s, moved_s
        if progress.done_bytes > carried:
            carried, moved_s = progress.done_bytes, clock.monotonic_s()
        if clock.monotonic_s() - told_s >= 1.0:
            told_s = clock.monotonic_s()
            run.tell(f"{words}: {show_bytes(carried)} of {show_bytes(total)}", done=carried, total=total)

    while True:
        try:
            # Asked for at each attempt: it may have another address since.
            login = run.world.provider.find_login(run.server, run.keys)
            if login is None:
                return False
            do(login, tell)
            return True
        except (rsync.TransferBroken, Unavailable) as error:
            if clock.monotonic_s() - moved_s >= _AWAY_S:
                raise
            run.tell(f"trying again: {error}")
            clock.sleep(_PAUSE_S)
