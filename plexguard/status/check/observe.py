"""What the configuration needs around it: the files with credentials, and the units that read it."""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from plexguard.core.config import Settings
from plexguard.core.endpoints import Endpoint
from plexguard.core.errors import PlexguardError
from plexguard.core.found import FoundPlex
from plexguard.core.manager import Manager, Unit
from plexguard.core.options import options
from plexguard.core.secret import ADMIN_CREDENTIALS
from plexguard.core.suite import PROGRAMS, sections


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialFile:
    """A file of secrets. is_file: it is a regular one. Its content is nobody's business here."""

    path: str
    mode: int
    uid: int
    is_file: bool = True

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """credentials: None when this user may not look. needed: names of those that the configuration cannot do without. configured:
    the programs with a section of their own. units: none when the service manager did not answer. listen: where the programs do, by
    section and option. found: Plex, None when it was not looked for yet."""

    folder: str
    credentials: tuple[CredentialFile, ...] | None
    needed: tuple[str, ...] = ()
    configured: frozenset[str] = frozenset()
    units: tuple[Unit, ...] = field(default=())
    listen: Mapping[str, tuple[Endpoint, ...]] = field(default_factory=dict)
    found: FoundPlex | None = None


def observe(
    settings: Settings, manager: Manager, *, folder: Path = ADMIN_CREDENTIALS, found: FoundPlex | None = None
) -> Observation:
    """Look. settings: without mistakes."""
    try:
        credentials: tuple[CredentialFile, ...] | None = tuple(_look_at(folder))
    except FileNotFoundError:
        credentials = ()
    except PermissionError:
        credentials = None
    try:
        units = manager.find_units("plexguard*")
    except PlexguardError:
        units = ()
    given = {place.partition(".")[0] for place, values in settings.values.items() if values}
    return Observation(
        folder=str(folder),
        credentials=credentials,
        needed=tuple(_find_needed(settings)),
        configured=frozenset(program.name for program in PROGRAMS if program.name in given),
        units=units,
        listen=dict(_find_listening(settings)),
        found=found,
    )


def _find_listening(settings: Settings) -> Iterator[tuple[str, tuple[Endpoint, ...]]]:
    for section in sections():
        for name in options(section):
            if name.endswith("listen"):
                yield f"[{section.SECTION}] {name}", getattr(settings.take(section), name)


def _look_at(folder: Path) -> Iterator[CredentialFile]:
    for name in sorted(os.listdir(folder)):
        status = os.lstat(folder / name)
        yield CredentialFile(
            path=str(folder / name), mode=stat.S_IMODE(status.st_mode), uid=status.st_uid, is_file=stat.S_ISREG(status.st_mode)
        )


def _find_needed(settings: Settings) -> Iterator[str]:
    for section in sections():
        if hasattr(section, "needed_credentials"):
            yield from settings.take(section).needed_credentials()
