"""Swap files of Plex's for others, all or none, with what was there kept as a generation; take a generation back; and complete or
take back what was cut off.

What will change is on the disk before anything does. A swap that touched nothing yet is forgotten; one that did is completed.
"""

import contextlib
import json
import os
import shutil
import signal
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.clock import Clock
from plexguard.core.errors import DataError, IoFailed, NoPermission, PlexguardError, SystemRefused
from plexguard.core.records import decode, encode
from plexguard.core.state import exclusive_lock, sync_folder, write_atomic
from plexguard.db_export.database.files import NAMES, PlexData, mount_id
from plexguard.db_export.swap.carry import Carrier, SwapFailed, is_bolt, remove_bolts
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
from plexguard.db_export.swap.owned import sync_file, take_over
from plexguard.db_export.swap.plan import Kind, Piece, Swap, is_begun, is_over, plan_back, plan_forward
from plexguard.db_export.swap.users import check_unused

JOURNAL = "plexguard-swap.json"
# Folders beside the databases that runs work in, within hold().
WORK_PREFIX = "plexguard-work-"
_SCHEMA = 1
# What SQLite keeps beside a database; -journal: of one that is not in WAL mode. A left-over goes into whatever is there then.
_SIDES = ("-wal", "-shm", "-journal")
# Made anew by whoever opens the database first.
_NEVER_STAGED = "-shm"
_DATABASES = Path("Plug-in Support") / "Databases"
_PRIVATE, _PUBLIC = 0o600, 0o644
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
    wanted: dict[str, Path | None] = {str(_DATABASES / name): path for name, path in new.items()}
    wanted.update(others or {})
    _check(data, wanted)
    look(all_files(data))
    generation = begin_generation(data, Record(made=clock.now(), reason=reason, places=tuple(wanted)))
    staging = generation.folder.with_name(generation.folder.name + STAGING)
    try:
        for place, path in wanted.items():
            if path is not None:
                _stage(data, place, path, staging)
        swap = _describe(data, generation, staging=staging)
        _write_journal(data, swap)
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
    look(all_files(data))
    generation = begin_generation(data, Record(made=clock.now(), reason="undo", places=older.places))
    try:
        swap = _describe(data, generation, staging=older.folder)
        _write_journal(data, swap)
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
    swap = _read_journal(data)
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
    _forget_journal(data)
    _clean(data)


def _close(data: PlexData, swap: Swap) -> None:
    remove_folder(data.folder / swap.staging)
    _forget_journal(data)
    _clean(data)


def _clean(data: PlexData) -> None:
    remove_bolts(data.databases)
    for left in data.databases.glob(f".{JOURNAL}.*"):
        with contextlib.suppress(OSError):
            left.unlink()
    sweep(data)


def _check(data: PlexData, wanted: Mapping[str, Path | None]) -> None:
    """Refuse what can't be one swap. Raises SystemRefused."""
    mount = mount_id(data.databases)
    for place, path in wanted.items():
        target = data.folder / place
        if target.is_symlink() and place.startswith(str(_DATABASES)) and not is_bolt(target):
            raise SystemRefused(f"{target}: is a symbolic link, which can't be swapped together with what is beside it")
        mounts = {mount_id(target.parent)} | ({mount_id(path)} if path is not None else set())
        if os.path.ismount(target) or mounts != {mount}:
            raise SystemRefused(f"{target}: on another mount than {data.databases}; all that is swapped must be on one")


def _stage(data: PlexData, place: str, path: Path, staging: Path) -> None:
    target = data.folder / place
    is_file = stat.S_ISREG(path.lstat().st_mode)
    if is_file:
        take_over(path, place=target, mode=_PUBLIC if place.startswith(str(_DATABASES)) else _PRIVATE)
    try:
        staging.mkdir(mode=0o700, exist_ok=True)
        path.rename(staging / target.name)
        sync_folder(staging)
        if not is_file:
            sync_file(staging / target.name)
    except OSError as error:
        raise IoFailed(f"Failed to stage {path}: {error.strerror}") from error


def _describe(data: PlexData, generation: Generation, *, staging: Path) -> Swap:
    """Return what is to change: databases in the order in which they are bolted, then what belongs to them, then the rest."""
    databases = [place for name in NAMES if (place := str(_DATABASES / name)) in generation.places]
    sides = [place + side for place in databases for side in _SIDES]
    rest = [place for place in generation.places if place not in databases]
    kinds = {**dict.fromkeys(databases, Kind.DATABASE), **dict.fromkeys(sides, Kind.SIDE)}
    return Swap(
        generation=_below(data, generation.folder),
        staging=_below(data, staging),
        reason=generation.reason,
        pieces=tuple(
            _piece(data, place, kinds.get(place), generation=generation.folder, staging=staging)
            for place in (*databases, *sides, *rest)
        ),
    )


def _piece(data: PlexData, place: str, kind: Kind | None, *, generation: Path, staging: Path) -> Piece:
    name = Path(place).name
    staged, target = staging / name, data.folder / place
    comes = os.path.lexists(staged) and not name.endswith(_NEVER_STAGED)
    is_folder = any(path.is_dir() or path.is_symlink() for path in (staged, target))
    return Piece(
        kind=kind or (Kind.TREE if is_folder else Kind.FILE),
        place=place,
        kept=_below(data, generation / name),
        staged=_below(data, staged) if comes else "",
    )


def _below(data: PlexData, path: Path) -> str:
    return str(path.relative_to(data.folder))


def all_files(data: PlexData) -> tuple[Path, ...]:
    """Every file of both databases."""
    return tuple(data.databases / f"{name}{side}" for name in NAMES for side in ("", *_SIDES))


def _write_journal(data: PlexData, swap: Swap) -> None:
    text = json.dumps({"schema": _SCHEMA, **encode(swap)}, indent=1) + "\n"
    # What is staged is on the disk before the word that it is to be put in place.
    sync_folder(undo_folder(data))
    write_atomic(data.databases / JOURNAL, text.encode("ascii"), mode=_PUBLIC)


def _read_journal(data: PlexData) -> Swap | None:
    path = data.databases / JOURNAL
    try:
        found = json.loads(path.read_bytes())
        if not isinstance(found, dict) or found.pop("schema", None) != _SCHEMA:
            raise DataError("from another version of plexguard")
        return decode(Swap, found)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise IoFailed(f"Failed to read {path}: {error.strerror}") from error
    except (ValueError, DataError) as error:
        raise DataError(f"{path}: {error}", hint="the files it names are in plexguard-undo; put them back by hand") from error


def _forget_journal(data: PlexData) -> None:
    try:
        (data.databases / JOURNAL).unlink(missing_ok=True)
        sync_folder(data.databases)
    except OSError as error:
        raise IoFailed(f"Failed to remove {data.databases / JOURNAL}: {error.strerror}") from error


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Have Ctrl-C and SIGTERM wait until all is in place: it takes milliseconds."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
