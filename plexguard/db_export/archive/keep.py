"""Which archives there are, and which of them have been kept long enough. Deciding is pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from plexguard.core.errors import MissingInput, NoPermission, PlexguardError
from plexguard.db_export.archive.manifest import BadArchive, Manifest
from plexguard.db_export.archive.read import open_archive

PATTERN = "plex-*.tar.zst"
# Of archives with a damaged database: they may be the only ones of a time, and count as none.
_DAMAGED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An archive by what it says of itself. fault: why it says nothing, then without a manifest."""

    path: Path
    size: int
    manifest: Manifest | None
    fault: str = ""

    @property
    def is_good(self) -> bool:
        return self.manifest is not None and self.manifest.is_good


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Of how many days, weeks and months the last good archive is kept."""

    daily: int
    weekly: int
    monthly: int


def list_archives(folder: Path) -> tuple[Kept, ...]:
    """Return the archives of a folder, oldest first. Raises MissingInput, NoPermission."""
    try:
        paths = [path for path in folder.iterdir() if path.match(PATTERN) and not path.is_symlink()]
    except FileNotFoundError as error:
        raise MissingInput(f"{folder}: no such folder", hint="plexguard-db-export export makes it") from error
    except PermissionError as error:
        raise NoPermission(f"{folder}: {error.strerror}", hint="run it as root") from error
    return tuple(
        sorted(map(_look, paths), key=lambda kept: (kept.manifest is not None and kept.manifest.made.timestamp(), kept.path))
    )


def _look(path: Path) -> Kept:
    size = path.stat().st_size
    try:
        with open_archive(path) as archive:
            return Kept(path=path, size=size, manifest=archive.manifest)
    except BadArchive as error:
        return Kept(path=path, size=size, manifest=None, fault=str(error).removeprefix(f"{path}: "))


def choose_removed(archives: Iterable[Kept], rules: Rules, *, machine_identifier: str) -> tuple[Kept, ...]:
    """Return the archives that may go. Those of another server stay, and those that say nothing of themselves: what they are is for
    a person to find out. The last good one stays whatever the rules say."""
    own = [(kept, kept.manifest) for kept in archives if kept.manifest is not None]
    own = sorted(
        (pair for pair in own if pair[1].machine_identifier == machine_identifier), key=lambda pair: pair[1].made, reverse=True
    )
    good = [(kept, manifest.made) for kept, manifest in own if manifest.is_good]
    damaged = [kept for kept, manifest in own if not manifest.is_good]
    stay = {kept.path for kept, _ in good[:1]} | {kept.path for kept in damaged[:_DAMAGED]}
    stay |= _last_of_each(good, rules.daily, lambda made: (made.year, made.month, made.day))
    stay |= _last_of_each(good, rules.weekly, lambda made: tuple(made.isocalendar()[:2]))
    stay |= _last_of_each(good, rules.monthly, lambda made: (made.year, made.month))
    return tuple(kept for kept, _ in reversed(own) if kept.path not in stay)


def _last_of_each(
    newest_first: list[tuple[Kept, datetime]], number: int, period: Callable[[datetime], tuple[int, ...]]
) -> set[Path]:
    """Return the last archives of the last so many periods in which there are any, by the local calendar."""
    last: dict[tuple[int, ...], Path] = {}
    for kept, made in newest_first:
        last.setdefault(period(made.astimezone()), kept.path)
    return set(list(last.values())[:number])


def prove_last_good(archives: Iterable[Kept], tell_bad: Callable[[Path, str], None]) -> Kept | None:
    """Return the newest good archive that is what it says, read whole; None where there is none. Each that is not is told."""
    for kept in sorted((kept for kept in archives if kept.is_good), key=_made, reverse=True):
        try:
            with open_archive(kept.path) as archive:
                archive.verify()
        except PlexguardError as error:
            tell_bad(kept.path, str(error).removeprefix(f"{kept.path}: "))
        else:
            return kept
    return None


def _made(kept: Kept) -> float:
    return kept.manifest.made.timestamp() if kept.manifest is not None else 0.0
