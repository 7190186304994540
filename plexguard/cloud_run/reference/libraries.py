"""Which libraries a run makes that begins without a database: those that its file lists, or those of home's Plex."""

from collections.abc import Iterable

from plexguard.cloud_run.server.container import MEDIA
from plexguard.core.errors import DataError, Unavailable
from plexguard.core.found import FoundContainer, FoundPlex, Server, host_path, read_container, read_plex
from plexguard.core.journal import Journal
from plexguard.core.mounts import is_below
from plexguard.core.plex import Library, NewLibrary, PlexError
from plexguard.core.plex_http import HttpPlex
from plexguard.core.token import read_token

_ASK_S = 30.0
_HINT = "list them in the run's file, as [[libraries]]"


def ask_home(journal: Journal, point: str) -> tuple[NewLibrary, ...]:
    """Return the libraries of home's Plex as the run's is to have them. point: where home has the run's mount, "" for none. Raises
    Unavailable when Plex does not tell, and DataError for one whose files the run does not see."""
    found = read_plex(journal)
    if found is None or found.server is Server.NONE or not found.url:
        raise Unavailable("there is no Plex at home whose libraries the run could have", hint=_HINT)
    try:
        known = HttpPlex(found.url, read_token(), owners=found.owners).libraries(timeout_s=_ASK_S)
    except PlexError as error:
        raise Unavailable(f"Plex at home does not tell its libraries: {error}", hint=f"start it; or {_HINT}") from error
    return translate(known, found, read_container(journal) if found.server is Server.CONTAINER else None, point)


def translate(known: Iterable[Library], found: FoundPlex, container: FoundContainer | None, point: str) -> tuple[NewLibrary, ...]:
    """Return libraries with the folders that they have in the run's container. Pure. Raises DataError."""
    made, apart = [], []
    for library in known:
        places = [_find_place(folder, found, container, point) for folder in library.folders]
        apart += [f"{library.title}: {folder}" for folder, place in zip(library.folders, places, strict=True) if not place]
        made.append(
            NewLibrary(
                title=library.title,
                type=library.type,
                agent=library.agent,
                scanner=library.scanner,
                language=library.language,
                folders=tuple(places),
            )
        )
    if apart:
        raise DataError(f"what is in {'; '.join(apart)} is not below the run's mount, and would not be there", hint=_HINT)
    return tuple(made)


def _find_place(folder: str, found: FoundPlex, container: FoundContainer | None, point: str) -> str:
    """Return where a folder of home's Plex is in the run's container, "" where it is not."""
    at_home = folder if container is None else host_path(folder, container.mounts)
    place = found.follow(at_home) if at_home else ""
    return MEDIA + place.removeprefix(point) if place and point and is_below(place, point) else ""


def refuse_unknown(libraries: Iterable[NewLibrary], sections: Iterable[str]) -> None:
    """Raise DataError when the run's file names a library that will not be there: it is known before anything is rented."""
    titles = [library.title for library in libraries]
    if unknown := [title for title in sections if title not in titles]:
        raise DataError(
            f"there will be no library called {', '.join(unknown)}; there will be: {', '.join(titles) or 'none'}",
            hint="sections and libraries in the run's file",
        )
