"""Which database a command that looks at paths is about, and where its files lie: on this machine, or in a storage."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from plexguard.core.program import Ports
from plexguard.db_export.arguments import find_plex_data
from plexguard.db_export.config import Config
from plexguard.db_export.remote.carried import Carried

if TYPE_CHECKING:  # --help needs no more than names
    from plexguard.core.found import FoundPlex, Mount
    from plexguard.db_export.database.files import PlexData
    from plexguard.db_export.paths.listing import Listing


F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """data: None for a database that lies in no data folder of Plex's. binds: what Plex's container sees of this machine, None
    where Plex sees it as it is."""

    library: Path
    data: "PlexData | None" = None
    found: "FoundPlex | None" = None
    binds: "tuple[Mount, ...] | None" = None

    @property
    def find_here(self) -> Callable[[str], str | None]:
        """Return the path here of one in the database."""
        from plexguard.core.found import host_path

        binds = self.binds
        return (lambda path: path) if binds is None else (lambda path: host_path(path, binds))

    @property
    def find_there(self) -> Callable[[str], str | None]:
        """Return the path in the database of one here."""
        from plexguard.core.found import Mount, host_path

        if self.binds is None:
            return lambda path: path
        turned = tuple(Mount(source=bind.destination, destination=bind.source) for bind in self.binds)
        return lambda path: host_path(path, turned)


@contextlib.contextmanager
def open_which(db: Path | None, data: Path | None, config: Config, ports: Ports) -> Iterator[Which]:
    """Yield the database that was named, be it in an archive, or that of Plex. Raises what find_which() and unpacked() raise."""
    from plexguard.db_export.archive.unpack import is_archive, unpacked
    from plexguard.db_export.database.files import LIBRARY
    from plexguard.db_export.progress_shown import shown

    if db is None or not is_archive(db):
        yield find_which(db, data, config, ports)
        return
    with shown(ports) as progress, unpacked(db, progress=progress) as made:
        yield Which(library=next(file for file in made if file.name == LIBRARY))


def listing_options(command: F) -> F:
    """Add --listing and --below, the same for every command that can take a storage's word for what is there."""
    listing_help = "Take this listing for what is there, and not the disk: of rclone lsjson --recursive."
    below_help = "Where the listed storage is in the database's paths."
    command = click.option("--below", metavar="DIR", default="/Media", show_default=True, help=below_help)(command)
    return click.option("--listing", metavar="FILE", type=Carried(path_type=Path), help=listing_help)(command)


def take_listing(file: Path | None, below: str) -> "Listing | None":
    """Return the listing that was named. Raises UsageError and what read_listing() raises."""
    from plexguard.core.errors import UsageError
    from plexguard.db_export.paths.listing import read_listing

    if not below.startswith("/"):
        raise UsageError(f"--below: found {below!r}, and it is a folder, beginning with /")
    return read_listing(file, below) if file is not None else None


def find_which(db: Path | None, data: Path | None, config: Config, ports: Ports) -> Which:
    """Return the database that was named, or that of Plex. Raises MissingInput, Unavailable."""
    from plexguard.core.errors import MissingInput
    from plexguard.core.found import Server, read_container
    from plexguard.db_export.database.files import LIBRARY, PlexData

    if db is not None:
        path = db.absolute()
        if not path.is_file():
            raise MissingInput(f"{db}: no such file")
        folder = PlexData(folder=path.parent.parent.parent)
        return Which(library=path, data=folder if path.name == LIBRARY and path == folder.library else None)
    place, found = find_plex_data(data, config, ports)
    container = read_container(ports.journal) if found is not None and found.server is Server.CONTAINER else None
    return Which(library=place.library, data=place, found=found, binds=container.mounts if container is not None else None)
