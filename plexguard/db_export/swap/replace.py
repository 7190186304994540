"""Swap files of Plex's for others, all or none, with what was there kept as a generation; take a generation back; and complete or
take back what was cut off.

What will change is on the disk before anything does, and that something will, where the next boot finds it. A swap that touched
nothing yet is forgotten; one that did is completed.
"""

import contextlib
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.clock import Clock
from plexguard.core.errors import IoFailed, NoPermission, PlexguardError
from plexguard.core.state import exclusive_lock
from plexguard.db_export.database.files import PlexData
from plexguard.db_export.swap.carry import Carrier, SwapFailed, remove_bolts
from plexguard.db_export.swap.generations import (
    STAGING,
    Generation,
    Record,
    begin_generation,
    find_generation,
    prune,
    remove_folder,
    sweep,
    undo_folder,
)
from plexguard.db_export.swap.journal import JOURNAL, forget_journal, read_journal, write_journal
from plexguard.db_export.swap.noted import forget_swap, note_swap
from plexguard.db_export.swap.pieces import DATABASES, all_files, check_places, describe, stage
from plexguard.db_export.swap.plan import Swap, is_begun, is_over, plan_back, plan_forward
from plexguard.db_export.swap.users import check_unused

# Folders beside the databases that runs work in, within hold().
WORK_PREFIX = "plexguard-work-"
Look = Callable[[tuple[Path, ...]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What became of a swap that was cut off."""

    reason: str
    is_complete: bool
    folder: Path

    @property
    def outcome(self) -> str:
        return "completed" if self.is_complete else "taken back"


@contextlib.contextmanager
def hold(data: PlexData, *, look: Look = check_unused) -> Iterator[Finished | None]:
    """Keep other runs from writing to this data for as long as the context lasts; first complete or take back what one of them
    left, and say what. Raises TryAgain while another run is at work, and what finish_or_undo() raises."""
    folder = undo_folder(data)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except PermissionError as error:
        raise NoPermission(f"Failed to make {folder}: {error.strerror}", hint="run it as root") from error
    except OSError as error:
        raise IoFailed(f"Failed to make {folder}: {error.strerror}") from error
    with exclusive_lock(folder / "lock"):
        finished = finish_or_undo(data, look=look)
        for work in data.databases.glob(f"{WORK_PREFIX}*"):
            # Of a run that was cut off: who is at work holds the lock.
            shutil.rmtree(work, ignore_errors=True)
        yield finished


def replace(
    data: PlexData,
    new: Mapping[str, Path | None],
    *,
    reason: str,
    keep: int,
    clock: Clock,
    others: Mapping[str, Path] | None = None,
    look: Look = check_unused,
) -> Generation:
    """Put files in place of Plex's and return the generation of what was there.

    new: ready files by the name of the database, on the same file system; they are moved. None: there is to be no such one. Owner,
    mode and attributes are taken over from what was there. others: more files and folders, by the name in the data folder. keep:
    how many generations stay. reason: a word. Call it within hold(), when Plex is proven to be stopped. Raises PlexRuns,
    SwapFailed, SystemRefused, IoFailed and NoPermission: then all is as it was, or the next hold() makes it so.
    """
    wanted: dict[str, Path | None] = {str(DATABASES / name): path for name, path in new.items()}
    wanted.update(others or {})
    check_places(data, wanted)
    look(all_files(data))
    generation = begin_generation(data, Record(made=clock.now(), reason=reason, places=tuple(wanted)))
    staging = generation.folder.with_name(generation.folder.name + STAGING)
    try:
        for place, path in wanted.items():
            if path is not None:
                stage(data, place, path, staging)
        swap = describe(data, generation, staging=staging)
        write_journal(data, swap)
    except PlexguardError:
        sweep(data)
        raise
    _carry_out(data, swap, look=look)
    _prune(data, keep=keep)
    return generation


def undo(
    data: PlexData, number: int | None, *, keep: int, clock: Clock, look: Look = check_unused
) -> tuple[Generation, Generation]:
    """Put a generation back, or the newest; what is there becomes a generation, so that this can be undone as well.

    Return the generation that was put back, which is none any more, and the new one. Call it as replace(). Raises MissingInput too.
    """
    older = find_generation(data, number)
    check_places(data, dict.fromkeys(older.places))
    look(all_files(data))
    generation = begin_generation(data, Record(made=clock.now(), reason="undo", places=older.places))
    try:
        swap = describe(data, generation, staging=older.folder)
        write_journal(data, swap)
    except PlexguardError:
        sweep(data)
        raise
    _carry_out(data, swap, look=look)
    _prune(data, keep=keep)
    return older, generation


def _prune(data: PlexData, *, keep: int) -> None:
    # All is in place by now; what could not be removed is removed the next time.
    with contextlib.suppress(IoFailed):
        prune(data, keep=keep)


def finish_or_undo(data: PlexData, *, look: Look = check_unused) -> Finished | None:
    """Complete or take back a swap that was cut off, and remove what else a run left. Return None where there was no swap.

    Raises PlexRuns when somebody uses what is to change: the swap then stays as it is, with no library for Plex to open.
    """
    swap = read_journal(data)
    if swap is None:
        _clean(data)
        return None
    folder = data.folder / swap.generation
    with _uninterrupted():
        carrier = Carrier(data, swap, look=look)
        seen = carrier.see()
        if not is_over(swap, seen):
            if not is_begun(swap, seen):
                _take_back(data, carrier, swap)
                return Finished(reason=swap.reason, is_complete=False, folder=folder)
            look((*all_files(data), *(data.folder / piece.kept for piece in swap.databases)))
            if not _complete(data, carrier, swap):
                return Finished(reason=swap.reason, is_complete=False, folder=folder)
        _close(data, swap)
    return Finished(reason=swap.reason, is_complete=True, folder=folder)


def _complete(data: PlexData, carrier: Carrier, swap: Swap) -> bool:
    try:
        carrier.carry_out(plan_forward(swap, carrier.see()))
    except SwapFailed:
        _take_back(data, carrier, swap)
        return False
    return True


def _carry_out(data: PlexData, swap: Swap, *, look: Look) -> None:
    carrier = Carrier(data, swap, look=look)
    with _uninterrupted():
        note_swap(data)
        try:
            carrier.carry_out(plan_forward(swap, carrier.see()))
        except PlexguardError:
            # The first error says more than what may come of this one; what is left then is the next run's.
            with contextlib.suppress(PlexguardError):
                _take_back(data, carrier, swap)
            raise
        _close(data, swap)


def _take_back(data: PlexData, carrier: Carrier, swap: Swap) -> None:
    seen = carrier.see()
    if is_over(swap, seen):
        # The new library is in place, and only something after that failed.
        return
    carrier.carry_out(plan_back(swap, seen))
    forget_journal(data)
    _clean(data)


def _close(data: PlexData, swap: Swap) -> None:
    remove_folder(data.folder / swap.staging)
    forget_journal(data)
    _clean(data)


def _clean(data: PlexData) -> None:
    remove_bolts(data.databases)
    for left in data.databases.glob(f".{JOURNAL}.*"):
        with contextlib.suppress(OSError):
            left.unlink()
    sweep(data)
    forget_swap(data)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Have Ctrl-C and SIGTERM wait until all is in place: it takes milliseconds."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
