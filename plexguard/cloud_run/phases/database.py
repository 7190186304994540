"""Plex's database, brought to the run's machine, put in place there, mended, made to fit, and counted."""

from pathlib import Path

from plexguard.cloud_run.phases.work import Work
from plexguard.cloud_run.server.counting import show_counts
from plexguard.cloud_run.server.inject import Injection
from plexguard.core import rsync
from plexguard.core.errors import IoFailed, MissingInput, Unavailable
from plexguard.core.spans import show_bytes

# A line that is down for a night, and then goes on where it was.
_AWAY_S = 12 * 3600.0
_PAUSE_S = 30.0


def work(run: Work) -> None:
    """Raises JobFailed, and what the machine raises."""
    reference = run.book.state.reference
    if not reference:
        run.tell("none: the run begins without one")
        return
    with run.machine() as machine:
        injection = Injection(machine=machine, label=run.lease.label, clock=run.ports.clock)
        injection.prepare()
        archive = _carry(run, reference, injection.archive)
        run.tell(f"putting {Path(reference).name} in place")
        if injection.restore(archive):
            run.tell("mending what can be mended without a loss")
            injection.repair()
        if run.file.mappings:
            run.tell("writing the paths that the files have now")
            moved = injection.remap(_read(run.file.mappings))
            run.tell(f"{moved:,} paths were written anew")
        before = injection.count()
        injection.tidy()
    run.book.change(before=before)
    run.tell(show_counts(before))


def _carry(run: Work, source: str, target: str) -> str:
    """Bring an archive to the machine, and return where it is there: on this very machine, where it lies. A connection that is lost
    is tried anew, and what was carried is not carried again. Raises CommandError when it stays lost, and for anything else."""
    clock = run.ports.clock
    if run.world.provider.find_login(run.server, run.keys) is None:
        return source
    total, carried, told_s, moved_s = _find_size(source), 0, 0.0, clock.monotonic_s()

    def tell(progress: rsync.Progress) -> None:
        nonlocal carried, told_s, moved_s
        if progress.done_bytes > carried:
            carried, moved_s = progress.done_bytes, clock.monotonic_s()
        if clock.monotonic_s() - told_s >= 1.0:
            told_s = clock.monotonic_s()
            line = f"bringing {Path(source).name}: {show_bytes(carried)} of {show_bytes(total)}"
            run.tell(line, done=carried, total=total)

    while True:
        try:
            # Asked for at each attempt: it may have another address since.
            login = run.world.provider.find_login(run.server, run.keys)
            assert login is not None
            rsync.send(run.ports.host, login, source, target, limit_bytes_per_s=run.file.bandwidth, tell=tell)
            return target
        except (rsync.TransferBroken, Unavailable) as error:
            if clock.monotonic_s() - moved_s >= _AWAY_S:
                raise
            run.tell(f"trying again: {error}")
            clock.sleep(_PAUSE_S)


def _find_size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError as error:
        raise MissingInput(f"{path}: {error.strerror}: it was there when the run began", hint="plexguard-db-export list") from error


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise IoFailed(f"Failed to read {path}: {error.strerror}") from error
