"""Whether the trash of a library may be emptied, and who empties it: Plex, or plexguard. Pure."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from plexguard.core.clock import Moment
from plexguard.core.mounts import is_below
from plexguard.core.plex import Item
from plexguard.core.published import TrashLibrarySeen, TrashSeen
from plexguard.rclone_watchdog.trash.limits import Reason, Why
from plexguard.rclone_watchdog.trash.observe import LibrarySeen, Observation

_ON = ("true", "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An emptying that was begun. list: the file that names what was missing; missing, total: the numbers before it."""

    list: str
    missing: int
    total: int
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryState(TrashLibrarySeen):
    """What is remembered of a library, for others and for itself. told: for what it was told that its
    trash is kept, "" when it was not. begun: an emptying whose end is not known."""

    told: str = ""
    begun: Begun | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State(TrashSeen):
    """What is known from run to run, for others and for itself. is_off: Plex's own emptying was seen to be off
    since plexguard does it."""

    libraries: Mapping[str, LibraryState] = field(default_factory=dict)
    is_off: bool = False

    def with_library(self, key: str, library: LibraryState) -> "State":
        return dataclasses.replace(self, libraries={**self.libraries, key: library})


class Switch(Enum):
    """What is done about Plex's own emptying."""

    NOTHING = "nothing"
    # It is off already, and is written down so that nothing is ever put back.
    NOTE = "note"
    TAKE_OVER = "take over"
    # Somebody has switched it on meanwhile.
    TAKE_AGAIN = "take over again"
    GIVE_BACK = "give back"
    # It is as it was before, or an administrator has decided otherwise meanwhile.
    FORGET = "forget"


def decide_switch(state: State, seen: Observation, *, wanted: bool) -> Switch:
    """Return what is done about Plex's own emptying. wanted: plexguard is to empty the trash.

    While the settings are another's nothing is: what is put back then would be put back over it.
    """
    if seen.fault or seen.held:
        return Switch.NOTHING
    is_on = seen.setting in _ON
    if wanted and not state.before:
        return Switch.TAKE_OVER if is_on else Switch.NOTE
    if wanted:
        return (Switch.TAKE_AGAIN if state.is_off else Switch.TAKE_OVER) if is_on else Switch.NOTHING
    if not state.before:
        return Switch.NOTHING
    return Switch.GIVE_BACK if state.before in _ON and not is_on else Switch.FORGET


def find_reasons(seen: Observation, library: LibrarySeen) -> tuple[Reason, ...]:
    """Return all that speaks against emptying the trash of a library now."""
    return tuple(_general_reasons(seen)) + library.reasons


def _general_reasons(seen: Observation) -> Iterable[Reason]:
    if seen.fault:
        yield Reason(why=Why.PLEX, text=seen.fault)
    if seen.held:
        yield Reason(why=Why.HELD, text=seen.held)


def compare(first: Observation, then: Observation, key: str, *, is_later: bool) -> tuple[Reason, ...]:
    """Return what speaks against emptying the trash of a library when two looks are laid side by side: both have to find the same.
    is_later: there was time between them, in which every mount has to have been proven anew."""
    one, other = first.find(key), then.find(key)
    if one is None or other is None:
        return (Reason(why=Why.CHANGED, text="the library is not there any more"),)
    if (one.missing, one.count, one.library.folders) != (other.missing, other.count, other.library.folders):
        return (Reason(why=Why.CHANGED, text="what is missing changed between two looks"),)
    if not is_later:
        return ()
    stale = [path for path, at in first.proven.items() if _is_involved(other, path) and then.proven.get(path, at) == at]
    return tuple(Reason(why=Why.MOUNT, text=f"no bytes of {path} were read between two looks") for path in stale)


def _is_involved(library: LibrarySeen, path: str) -> bool:
    return any(is_below(folder, path) or is_below(path, folder) for folder in library.mounts)


def sum_up(reasons: tuple[Reason, ...]) -> str:
    """Return reasons as one text."""
    return "; ".join(dict.fromkeys(reason.text for reason in reasons))


def tell_key(reasons: tuple[Reason, ...], missing: int) -> str:
    """Return for what it is told that trash is kept: anew when the kinds of the reasons change, or how much is missing."""
    return " ".join((*sorted({reason.why.value for reason in reasons}), str(missing))) if reasons else ""


def keep(past: LibraryState, library: LibrarySeen, reasons: tuple[Reason, ...], now: Moment) -> LibraryState:
    """Return what is remembered of a library whose trash is kept, or that has none (no reasons)."""
    count = library.count
    return dataclasses.replace(
        past,
        title=library.library.title,
        missing=count.missing if count is not None else None,
        total=count.items if count is not None else None,
        limit=library.limit,
        kept=sum_up(reasons),
        kept_since=(past.kept_since or now) if reasons else None,
        told=tell_key(reasons, count.missing if count is not None else -1),
        begun=None,
    )


def name_items(items: tuple[Item, ...], *, most: int) -> str:
    """Return titles as one text that has an end."""
    named = ", ".join(item.title for item in items[:most])
    return named + (f" and {len(items) - most} more" if len(items) > most else "")
