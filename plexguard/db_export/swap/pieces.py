"""What is to change in a swap: which files, where each comes from and where what is there goes."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from plexguard.core.errors import IoFailed, SystemRefused
from plexguard.core.state import sync_folder
from plexguard.db_export.database.files import NAMES, PlexData, mount_id
from plexguard.db_export.swap.carry import is_bolt
from plexguard.db_export.swap.generations import Generation
from plexguard.db_export.swap.owned import take_over
from plexguard.db_export.swap.plan import Kind, Piece, Swap

DATABASES = Path("Plug-in Support") / "Databases"
# What SQLite keeps beside a database; -journal: of one that is not in WAL mode. A left-over goes into whatever is there then.
_SIDES = ("-wal", "-shm", "-journal")
# Made anew by whoever opens the database first.
_NEVER_STAGED = "-shm"
_WHOLE = ("Preferences.xml", "Metadata", "Media")
_PRIVATE, _PUBLIC = 0o600, 0o644


def is_place(place: str) -> bool:
    """Tell whether a name in the data folder is that of something which is ever swapped."""
    return place in _WHOLE or place in {f"{DATABASES}/{name}{side}" for name in NAMES for side in ("", *_SIDES)}


def check_places(data: PlexData, wanted: Mapping[str, Path | None]) -> None:
    """Refuse what can't be one swap. Raises SystemRefused."""
    mount = mount_id(data.databases)
    for place, path in wanted.items():
        target = data.folder / place
        if not is_place(place):
            raise SystemRefused(f"{place}: is nothing of Plex's that can be swapped")
        if target.is_symlink() and place.startswith(str(DATABASES)) and not is_bolt(target):
            raise SystemRefused(f"{target}: is a symbolic link, which can't be swapped together with what is beside it")
        there = (target.parent, *([target] if os.path.lexists(target) else []), *([path] if path is not None else []))
        if any(mount_id(each) != mount for each in there):
            raise SystemRefused(f"{target}: on another mount than {data.databases}; all that is swapped must be on one")


def stage(data: PlexData, place: str, path: Path, staging: Path) -> None:
    target = data.folder / place
    is_file = stat.S_ISREG(path.lstat().st_mode)
    if is_file:
        take_over(path, place=target, mode=_PUBLIC if place.startswith(str(DATABASES)) else _PRIVATE)
    try:
        staging.mkdir(mode=0o700, exist_ok=True)
        path.rename(staging / target.name)
        sync_folder(staging)
        if not is_file:
            sync_folder(staging / target.name)
    except OSError as error:
        raise IoFailed(f"Failed to stage {path}: {error.strerror}") from error


def describe(data: PlexData, generation: Generation, *, staging: Path) -> Swap:
    """Return what is to change: databases in the order in which they are bolted, then what belongs to them, then the rest."""
    databases = [place for name in NAMES if (place := str(DATABASES / name)) in generation.places]
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
