"""What Plex holds in the end, brought home: packed on the run's machine, fetched, and verified there and here."""

import hashlib
import shutil
from pathlib import Path

from plexguard.cloud_run import events
from plexguard.cloud_run.life.summary import make_summary, show_libraries
from plexguard.cloud_run.phases.carry import fetch
from plexguard.cloud_run.phases.following import Following
from plexguard.cloud_run.phases.work import Work
from plexguard.cloud_run.reference.own import verify
from plexguard.cloud_run.section.told import Packed, Plan
from plexguard.cloud_run.section.worker import FORMER
from plexguard.cloud_run.server.place import Place
from plexguard.core.errors import DataError, IoFailed
from plexguard.core.events import FilePath
from plexguard.core.spans import show_bytes
from plexguard.core.state import make_folder

# Beside the newest, for who finds out late what it lacks.
_MOST_KEPT = 3
# What a disk has to have left.
_SPARE_BYTES = 1 << 30


class NotWhole(DataError):
    """What was brought home is not what was packed, or what was packed is damaged."""


def work(run: Work) -> None:
    """Raises WorkFailed, NotWhole, IoFailed, and what the machine and carrying raise."""
    if not run.file.scan:
        run.tell("none: nothing was worked on")
        return
    place = Place(run.lease.label)
    plan = Plan(
        data=place.data,
        export=place.program("db-export"),
        trees=run.file.bring,
        former=f"{place.folder}/scan/{FORMER}",
    )
    with run.machine() as machine:
        told = Following(run=run, machine=machine, task="export", limit_s=run.file.limit.total_seconds()).do(plan)
    # Named by the lease, so that an attempt after this one goes on with what is there.
    folder = make_folder(make_folder(run.book.folder / "results") / run.lease.label.name)
    _refuse_full(folder, told.packed)
    archive, *_ = [_bring(run, packed, folder) for packed in told.packed]
    run.tell(f"verifying {Path(archive).name}")
    fault, _ = verify(archive, run.ports.host)
    if fault:
        raise NotWhole(f"{archive}: {fault}", hint=f"plexguard-db-export verify --deep {archive}")
    _forget_old(folder)
    changes = show_libraries(make_summary(run.book.change(after=told.counted, result=archive)))
    run.ports.journal.send(events.EXPORTED, run=run.name, path=FilePath(archive), changes=changes)
    run.tell(changes)


def _bring(run: Work, packed: Packed, folder: Path) -> str:
    """Return where a file is here, which is what was packed. Raises NotWhole, and what carrying raises."""
    here = fetch(run, packed.path, str(folder / Path(packed.path).name), total=packed.size_bytes)
    try:
        with Path(here).open("rb") as file:
            is_same = hashlib.file_digest(file, "sha256").hexdigest() == packed.sha256
    except OSError as error:
        raise IoFailed(f"Failed to read {here}: {error.strerror}") from error
    if not is_same:
        raise NotWhole(f"{here}: is not what was packed there", hint="look at the disk here: dmesg; smartctl")
    return here


def _refuse_full(folder: Path, packed: tuple[Packed, ...]) -> None:
    """Raise IoFailed where what is to come has no room: that is known now, and not after an hour of carrying."""
    wanted = sum(one.size_bytes for one in packed)
    there = sum(path.stat().st_size for path in folder.iterdir())
    free = shutil.disk_usage(folder).free
    if wanted - there + _SPARE_BYTES > free:
        raise IoFailed(
            f"{folder}: {show_bytes(free)} are free, and {show_bytes(wanted - there)} are to be brought there",
            hint=f"make room, while the machine is kept: systemctl start plexguard-cloud-hold@{folder.parent.parent.name}",
        )


def _forget_old(newest: Path) -> None:
    """Remove what earlier runs have brought home, but for the last of them. By their names, which end with a time."""
    earlier = sorted((one for one in newest.parent.iterdir() if one != newest), key=lambda one: one.name)
    for folder in earlier[: -(_MOST_KEPT - 1)]:
        shutil.rmtree(folder, ignore_errors=True)
