"""Where what a run has done is at home: a folder for each lease, of which the last few stay."""

import hashlib
import shutil
from pathlib import Path

from plexguard.cloud_run.phases.carry import fetch
from plexguard.cloud_run.phases.work import Work
from plexguard.cloud_run.section.told import Packed
from plexguard.core.errors import DataError, IoFailed
from plexguard.core.spans import show_bytes
from plexguard.core.state import make_folder

# Beside the newest, for who finds out late what it lacks.
_MOST_KEPT = 3
# How often a file is fetched that arrives as another than was packed.
_MOST_FETCHED = 3
# What a disk has to have left.
_SPARE_BYTES = 1 << 30


class NotWhole(DataError):
    """What was brought home is not what was packed, or what was packed is damaged."""


def open_results(run: Work) -> Path:
    """Return the folder of this lease: an attempt after this one goes on with what is there. Raises IoFailed, NoPermission."""
    return make_folder(make_folder(run.book.folder / "results") / run.lease.label.name)


def bring(run: Work, packed: Packed, folder: Path) -> Path:
    """Return where a file is here, which is what was packed: days of work are in it, and one that is not is fetched anew. Raises
    NotWhole, and what carrying raises."""
    here = folder / Path(packed.path).name
    for attempt in range(1, _MOST_FETCHED + 1):
        fetch(run, packed.path, str(here), total=packed.size_bytes)
        try:
            with here.open("rb") as file:
                is_same = hashlib.file_digest(file, "sha256").hexdigest() == packed.sha256
            if is_same:
                return here
            here.unlink()
        except OSError as error:
            raise IoFailed(f"Failed to read {here}: {error.strerror}") from error
        if attempt < _MOST_FETCHED:
            run.tell_trouble(f"{here.name} has arrived as another than was packed: it is fetched anew")
    raise NotWhole(
        f"{here}: is not what was packed there, {_MOST_FETCHED} times in a row", hint="look at the disk here: dmesg; smartctl"
    )


def refuse_full(folder: Path, packed: tuple[Packed, ...]) -> None:
    """Raise IoFailed where what is to come has no room: that is known now, and not after an hour of carrying."""
    wanted = sum(one.size_bytes for one in packed)
    there = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    free = shutil.disk_usage(folder).free
    if wanted - there + _SPARE_BYTES > free:
        raise IoFailed(
            f"{folder}: {show_bytes(free)} are free, and {show_bytes(wanted - there)} are to be brought there",
            hint=f"make room, while the machine is kept: systemctl start plexguard-cloud-hold@{folder.parent.parent.name}",
        )


def forget_old(newest: Path) -> None:
    """Remove what earlier runs have brought home, but for the last of them. By their names, which end with a time."""
    earlier = sorted((one for one in newest.parent.iterdir() if one != newest), key=lambda one: one.name)
    for folder in earlier[: -(_MOST_KEPT - 1)]:
        shutil.rmtree(folder, ignore_errors=True)


def bring_checkpoint(run: Work, packed: Packed) -> None:
    """Bring home what was found out until now, in place of the one before. Raises what bring() and refuse_full() raise."""
    folder = make_folder(open_results(run) / "checkpoint")
    refuse_full(folder, (packed,))
    newest = bring(run, packed, folder)
    for path in folder.iterdir():
        if path != newest:
            path.unlink(missing_ok=True)


def forget_checkpoint(folder: Path) -> None:
    shutil.rmtree(folder / "checkpoint", ignore_errors=True)
