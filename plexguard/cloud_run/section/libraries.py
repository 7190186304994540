"""Libraries that a run makes because it began without a database: each once, and each seen before the work on them begins."""

from collections.abc import Sequence
from functools import partial

from plexguard.cloud_run.section.labour import CALL_S, LabourFailed, insist
from plexguard.core.clock import Clock
from plexguard.core.plex import NewLibrary, PlexControl, PlexDeclined

_VISIBLE_S, _LOOK_S = 120.0, 2.0


def add_libraries(wanted: Sequence[NewLibrary], plex: PlexControl, clock: Clock) -> None:
    """Have Plex make those that it does not have yet, by their titles: who was cut off makes none twice. Raises LabourFailed, and
    what Plex raises."""
    for library in wanted:
        if library.title in _list_titles(plex, clock):
            continue
        try:
            insist(clock, partial(_add, library, plex))
        except PlexDeclined as error:
            folders = ", ".join(library.folders)
            raise LabourFailed(f"Plex does not make the library {library.title}, of {folders}: {error}") from error
        until_s = clock.monotonic_s() + _VISIBLE_S
        while library.title not in _list_titles(plex, clock):
            if clock.monotonic_s() >= until_s:
                raise LabourFailed(f"{library.title}: Plex was to make this library, and does not show it")
            clock.sleep(_LOOK_S)


def _add(library: NewLibrary, plex: PlexControl) -> None:
    """Make a library that is not there: of a call that was cut off nobody knows whether it was heard."""
    if library.title not in {one.title for one in plex.libraries(timeout_s=CALL_S)}:
        plex.add_library(library, timeout_s=CALL_S)


def _list_titles(plex: PlexControl, clock: Clock) -> set[str]:
    return {library.title for library in insist(clock, lambda: plex.libraries(timeout_s=CALL_S))}
