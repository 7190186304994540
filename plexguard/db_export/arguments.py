"""What several commands are given: which Plex's data."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from plexguard.core.errors import Unavailable
from plexguard.core.program import Ports
from plexguard.db_export.config import Config

if TYPE_CHECKING:  # --help needs no more than names
    from plexguard.core.found import FoundPlex
    from plexguard.db_export.database.files import PlexData

F = TypeVar("F", bound=Callable[..., Any])


def data_option(command: F) -> F:
    """Add --data, the same for every command that needs Plex's folder."""
    help_text = "Plex's data folder, not that of the Plex that was found."
    return click.option("--data", metavar="DIR", type=click.Path(path_type=Path), help=help_text)(command)


def find_plex_data(given: Path | None, config: Config, ports: Ports) -> "tuple[PlexData, FoundPlex | None]":
    """Return the folder of Plex's data, and the server that was found where it is that one's. Raises Unavailable (no Plex is known
    here) and MissingInput (no such folder)."""
    from plexguard.core.found import Server, read_last_plex
    from plexguard.db_export.database.files import find_data

    named = given or (Path(config.data) if config.data else None)
    found = read_last_plex(ports.journal)
    if named is None and (found.server is Server.NONE or not found.preferences):
        raise Unavailable(
            found.missing or "Plex's data folder is not known: no Plex of this machine was found",
            hint="systemctl start plexguard-discover.service, or name the folder with --data",
        )
    data = find_data(named, found)
    is_its = found.preferences != "" and data.folder == Path(found.preferences).parent
    return data, found if is_its else None
