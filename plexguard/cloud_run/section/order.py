"""Which libraries a run works on, and in which order. Pure."""

from collections.abc import Sequence

from plexguard.core.errors import DataError, MissingInput
from plexguard.core.plex import Library


class UnknownSection(MissingInput):
    """The run's file names a library that Plex does not have."""


def choose_sections(known: Sequence[Library], wanted: Sequence[str], left_out: Sequence[str]) -> tuple[Library, ...]:
    """Return the libraries of a run: those that are wanted, in that order, or all; without the kinds that are left out.

    wanted: titles, as people see them; what is named is never left out. Raises UnknownSection with those that there are, and
    DataError where two have one title.
    """
    if not wanted:
        return tuple(library for library in known if library.type not in left_out)
    titles = [library.title for library in known]
    unknown = [title for title in wanted if title not in titles]
    if unknown:
        there = ", ".join(titles) or "none"
        raise UnknownSection(
            f"there is no library called {', '.join(unknown)}; there are: {there}", hint="sections in the run's file"
        )
    twice = [title for title in dict.fromkeys(wanted) if titles.count(title) > 1]
    if twice:
        raise DataError(f"there are two libraries called {', '.join(twice)}", hint="rename one of them in Plex")
    return tuple(known[titles.index(title)] for title in dict.fromkeys(wanted))
