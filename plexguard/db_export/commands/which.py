"""Which database a command that looks at paths is about, and where its files lie on this machine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plexguard.core.program import Ports
from plexguard.db_export.arguments import find_plex_data
from plexguard.db_export.config import Config

if TYPE_CHECKING:  # --help needs no more than names
    from plexguard.core.found import FoundPlex, Mount
    from plexguard.db_export.database.files import PlexData


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
