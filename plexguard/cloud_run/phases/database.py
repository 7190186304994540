"""Plex's database, brought to the run's machine, put in place there, mended, made to fit, and counted."""

from pathlib import Path

from plexguard.cloud_run.phases.carry import send
from plexguard.cloud_run.phases.work import Work
from plexguard.cloud_run.server.counting import show_counts
from plexguard.cloud_run.server.inject import Injection
from plexguard.core.errors import IoFailed, MissingInput


def work(run: Work) -> None:
    """Raises JobFailed, and what the machine raises."""
    reference = run.book.state.reference
    if not reference:
        run.tell("none: the run begins without one")
        return
    with run.machine() as machine:
        injection = Injection(machine=machine, label=run.lease.label, clock=run.ports.clock)
        injection.prepare()
        archive = send(run, reference, injection.archive, total=_find_size(reference))
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
