"""Carry out the steps of a swap, and look at where one stands. One rename, link or sync a step."""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from plexguard.core.errors import IoFailed, NoPermission, PlexguardError, SystemRefused
from plexguard.core.state import sync_folder
from plexguard.db_export.database.files import PlexData
from plexguard.db_export.swap.plan import Do, Found, Kind, Plan, Seen, Step, Swap

# A link to itself: SQLite finds "too many levels of symbolic links", for root too, and makes no new file in its place.
_BOLT_PREFIX = ".plexguard-bolt-"


class SwapFailed(IoFailed):
    """The file system refused a step."""

    hint = "df -h; then start the same command again: it finishes or takes back what was begun"


class Carrier:
    """What changes places in one data folder. look: raises an error when somebody has one of these files open."""

    def __init__(self, data: PlexData, swap: Swap, *, look: Callable[[tuple[Path, ...]], None]) -> None:
        self._folder = data.folder
        self._swap = swap
        self._look = look

    def see(self) -> dict[str, Seen]:
        """Return where each piece is. Raises IoFailed."""
        try:
            return {
                piece.place: Seen(
                    place=self._find(piece.place, can_be_bolted=piece.kind is Kind.DATABASE),
                    is_kept=_exists(self._at(piece.kept)),
                    is_staged=bool(piece.staged) and _exists(self._at(piece.staged)),
                )
                for piece in self._swap.pieces
            }
        except OSError as error:
            raise _failed("look at", error) from error

    def carry_out(self, plan: Plan) -> None:
        """Raises SwapFailed, NoPermission, SystemRefused, and what look() raises."""
        for step in plan:
            self.carry(step)

    def carry(self, step: Step) -> None:
        try:
            self._carry(step)
        except OSError as error:
            raise _failed(f"{step.do.value} {step.target or step.source}", error) from error

    def _carry(self, step: Step) -> None:
        source, target = self._at(step.source), self._at(step.target)
        match step.do:
            case Do.LINK:
                with suppress(FileExistsError):
                    os.link(source, target, follow_symlinks=False)
            case Do.BOLT:
                self._bolt(target)
            case Do.MOVE:
                _move(source, target)
            case Do.REMOVE:
                target.unlink(missing_ok=True)
            case Do.SYNC:
                for folder in self._folders():
                    sync_folder(folder)
            case Do.LOOK:
                self._look(tuple(self._at(piece.kept) for piece in self._swap.databases))

    def _bolt(self, place: Path) -> None:
        # Over what is there, which is linked elsewhere by now: the name is never free.
        bolt = place.with_name(_BOLT_PREFIX + place.name)
        bolt.unlink(missing_ok=True)
        bolt.symlink_to(place.name)
        bolt.replace(place)

    def _find(self, place: str, *, can_be_bolted: bool) -> Found:
        path = self._at(place)
        if can_be_bolted and is_bolt(path):
            return Found.BOLT
        return Found.SOMETHING if _exists(path) else Found.NOTHING

    def _folders(self) -> set[Path]:
        used = (path for piece in self._swap.pieces for path in (piece.place, piece.kept, piece.staged) if path)
        return {folder for folder in (self._at(path).parent for path in used) if folder.is_dir()}

    def _at(self, path: str) -> Path:
        return self._folder / path


def is_bolt(path: Path) -> bool:
    """Tell whether a name is held by a swap that is not over."""
    try:
        return os.readlink(path) == path.name
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return False
        raise


def remove_bolts(folder: Path) -> None:
    """Remove bolts that were made and never moved into place. Raises IoFailed."""
    try:
        for path in folder.glob(_BOLT_PREFIX + "*"):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise _failed("clean up", error) from error


def _move(source: Path, target: Path) -> None:
    if _is_same(source, target):
        # Two names of one file: a rename would leave both.
        source.unlink()
        return
    try:
        source.rename(target)
    except FileNotFoundError:
        if not _exists(target):
            raise


def _exists(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def _is_same(one: Path, other: Path) -> bool:
    try:
        first, second = one.lstat(), other.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(first.st_mode) and (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def _failed(what: str, error: OSError) -> PlexguardError:
    message = f"Failed to {what}: {error.strerror}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return NoPermission(message, hint="run it as root, on a file system that is writable and has hard links")
    return SystemRefused(message) if error.errno == errno.EXDEV else SwapFailed(message)
