"""Whether Plex is well: who it is, which libraries it shows, and of which of these it can read a file. Before and after."""

from collections.abc import Callable
from dataclasses import dataclass

from plexguard.core.clock import Clock
from plexguard.core.errors import Unavailable
from plexguard.core.plex import Plex, PlexError, PlexMaintenance, PlexUnauthorized

_ASK_S = 30.0
_LOOK_S = 5.0
# A database of 15 GB may be brought up to date first.
READY_S = 900.0


class Unwell(Unavailable):
    """Plex is not as it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a Plex that answers says. readable: titles of libraries of which it reads a file."""

    identifier: str
    version: str
    libraries: frozenset[str]
    readable: frozenset[str]


def look(plex: Plex) -> Health:
    """Raises PlexError for a Plex that does not answer; a file that it cannot read is no such error."""
    identity = plex.identity(timeout_s=_ASK_S)
    readable = []
    libraries = plex.libraries(timeout_s=_ASK_S)
    for library in libraries:
        try:
            if plex.read_media(library, timeout_s=_ASK_S):
                readable.append(library.title)
        except PlexError:
            continue
    return Health(
        identifier=identity.machine_identifier,
        version=identity.version,
        libraries=frozenset(library.title for library in libraries),
        readable=frozenset(readable),
    )


def find_fault(before: Health, now: Health, expected: frozenset[str]) -> str:
    """Return what is wrong after a change, "" for nothing. expected: the libraries that the new database has. Pure."""
    if now.identifier != before.identifier:
        return f"another server answers there: {now.identifier}, and not {before.identifier}"
    if lacking := expected - now.libraries:
        return f"it does not show: {', '.join(sorted(lacking))}"
    if lost := (before.readable & expected) - now.readable:
        return f"it reads no file any more of: {', '.join(sorted(lost))}"
    return ""


def await_well(
    open_plex: Callable[[], Plex], before: Health, expected: frozenset[str], clock: Clock, *, limit_s: float = READY_S
) -> Health:
    """Wait until Plex is well, and return how it is. open_plex: with the token as it is by now. Raises Unwell with what was wrong
    last."""
    until_s = clock.monotonic_s() + limit_s
    while True:
        try:
            now = look(open_plex())
            fault = find_fault(before, now, expected)
            if not fault:
                return now
        except (PlexMaintenance, PlexUnauthorized) as error:
            fault = str(error)  # both pass while it starts
        except PlexError as error:
            fault = f"it does not answer: {error}"
        if clock.monotonic_s() >= until_s:
            raise Unwell(f"Plex is not well after {limit_s:.0f} s: {fault}")
        clock.sleep(_LOOK_S)
