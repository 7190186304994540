"""What is held in Plex, for which mounts, and what it was before: on disk, so that it outlives every end of ours. Pure.

What each step relies on is written before it is done: a record can only promise more than Plex was told, and is made true by
doing the same again.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from plexguard.core.clock import Moment
from plexguard.core.plex import Activity, Library
from plexguard.core.published import HoldSeen

V = TypeVar("V")
EMPTY_TRASH = "autoEmptyTrash"
# In the order in which they are held. The first makes of items that a scan has missed items that are gone, and is read when a scan
# ends, also when it was broken off: so it is held before anything is cancelled. The others begin scans by themselves.
SETTINGS = (
    EMPTY_TRASH,
    "ScheduledLibraryUpdatesEnabled",
    "FSEventLibraryUpdatesEnabled",
    "FSEventLibraryPartialScanEnabled",
    "ButlerTaskRefreshLibraries",
)
HELD = "false"
ON = "true"
# Of a count that Plex did not give.
UNKNOWN = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(HoldSeen):
    """What is held, for all mounts together, for others and for ourselves.

    server: whose settings these are, as its identity names it. settled: which of them were seen to be held since; who changes one
    of these is a person. theirs: which a person has changed. missing: by library, how many of its items Plex missed when its hold
    began, UNKNOWN where Plex did not tell. scanned: libraries in which a scan was seen at work since. asked: by library, when it
    was last scanned before it was asked to be scanned again. freed: since when which mount was let go by hand; until it is proven
    nothing is held for it. told: by mount, what was told last.
    """

    server: str = ""
    settled: tuple[str, ...] = ()
    theirs: tuple[str, ...] = ()
    missing: dict[str, int] = field(default_factory=dict)
    scanned: tuple[str, ...] = ()
    asked: dict[str, int] = field(default_factory=dict)
    freed: dict[str, Moment] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)

    @property
    def holds(self) -> tuple[str, ...]:
        """The settings that are ours to hold."""
        return tuple(name for name in SETTINGS if name in self.before and name not in self.theirs)

    @property
    def is_set(self) -> bool:
        """Whether every setting that is ours was seen to be held."""
        return bool(self.before) and set(self.holds) <= set(self.settled)

    def concerns(self, name: str) -> bool:
        """Whether letting a mount go changes or ends anything, for itself, or for all when nobody else is left to do it."""
        return name in {**self.holders, **self.told} or bool(self.before and not self.holders)

    def add_holder(self, name: str, now: Moment) -> "Hold":
        """Return it with a mount that is not proven. A whole scan that was asked for before says nothing any more."""
        holders = self.holders if name in self.holders else {**self.holders, name: now}
        return dataclasses.replace(self, holders=holders, asked={})

    def remove_holder(self, name: str) -> "Hold":
        return dataclasses.replace(self, holders=_without(self.holders, name))

    def free(self, name: str, now: Moment) -> "Hold":
        """Return it after a person let a mount go, whatever becomes of it."""
        return dataclasses.replace(self, freed={name: now, **self.freed})

    def forgive(self, name: str) -> "Hold":
        """Return it after a mount was proven: that it was let go by hand is over."""
        return dataclasses.replace(self, freed=_without(self.freed, name))

    def note_scans(self, libraries: Iterable[str]) -> "Hold":
        return dataclasses.replace(self, scanned=tuple(sorted({*self.scanned, *libraries})))

    def note_told(self, name: str, kind: str, *, failed: str) -> "Hold":
        return dataclasses.replace(self, told={**self.told, name: kind}, failed=failed)

    def forget_told(self, name: str) -> "Hold":
        return dataclasses.replace(self, told=_without(self.told, name))

    def begin_end(self) -> "Hold":
        """Return it before settings are put back: from here on a value that is not held is our own doing, and no person's."""
        return dataclasses.replace(self, settled=())

    def end(self) -> "Hold":
        """Return it when all is as it was. What is still to be told, and who was let go by hand, is remembered."""
        return Hold(freed=self.freed, told=self.told)


def plain(value: str) -> str:
    """Return a setting's value in one way of writing it: XML answers may have 1 and 0."""
    return {"1": ON, "0": HELD}.get(value, value)


def take_in(hold: Hold, seen: Mapping[str, str]) -> Hold:
    """Return what is known after a look at Plex's settings: the new ones are remembered as they are, and what a person changed is
    a person's. A setting that this Plex does not have is left out."""
    values = {name: plain(value) for name, value in seen.items() if name in SETTINGS}
    before = {**hold.before, **{name: value for name, value in values.items() if name not in hold.before}}
    theirs = {name for name in hold.settled if values.get(name, HELD) != HELD} | set(hold.theirs)
    settled = {name for name in before if values.get(name, HELD) == HELD} - theirs
    return dataclasses.replace(hold, before=before, theirs=_in_order(theirs), settled=_in_order({*hold.settled, *settled} - theirs))


def to_hold(hold: Hold, seen: Mapping[str, str]) -> tuple[str, ...]:
    """Return which settings are still to be held, in their order."""
    return tuple(name for name in hold.holds if name in seen and plain(seen[name]) != HELD)


def to_restore(hold: Hold, seen: Mapping[str, str]) -> tuple[str, ...]:
    """Return which settings are still to be put back, in their order: the trash last, since this mount, or another, may fail until
    then. One that is not as it was held is as it was, or as a person wants it."""
    return tuple(name for name in reversed(hold.holds) if name in seen and plain(seen[name]) == HELD != hold.before[name])


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    known = set(names)
    return tuple(name for name in SETTINGS if name in known)


def _without(entries: Mapping[str, V], name: str) -> dict[str, V]:
    return {key: value for key, value in entries.items() if key != name}


# -- scans ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Scans:
    """The scans at work that concern a hold. libraries: those that are scanned. activities: what to cancel for it."""

    libraries: tuple[Library, ...] = ()
    activities: tuple[Activity, ...] = ()
    # A scan of a library that Plex has not named yet.
    is_nameless: bool = False


def find_scans(activities: Iterable[Activity], affected: tuple[Library, ...] | None) -> Scans:
    """Return which of the affected libraries are scanned, of all where nobody knows which are affected. A list of activities may
    lack a scan, and a scan the name of its library, which comes within a second."""
    scans = [activity for activity in activities if activity.is_scan]
    mine = {library.key: library for library in affected or ()}
    found = tuple(activity for activity in scans if activity.library in mine or affected is None)
    named = {activity.library for activity in found}
    unknown = (Library(key=a.library, title=a.title, type="", folders=(), scanning=True) for a in found if affected is None)
    return Scans(
        libraries=(*(library for key, library in mine.items() if library.scanning or key in named), *unknown),
        activities=found,
        is_nameless=any(not activity.library for activity in scans) and affected is not None,
    )


# -- the end ----------------------------------------------------------------------------------------------------------


class Next(Enum):
    """What is next for a library before settings come back."""

    # Nothing is missing that was not before.
    DONE = "done"
    # It is to be scanned as a whole, which takes back what was marked as missing.
    SCAN = "scan"
    # That scan was asked for, and has not ended.
    WAIT = "wait"
    # It was scanned, and items are still missing.
    MISSING = "missing"


def judge_library(hold: Hold, library: Library, missing: int) -> Next:
    """Return what is next for a library in which no scan is at work.

    A scan that overlapped may have marked items before the hold began and they were counted: so one that was seen at work is
    reason enough to scan again whatever is missing, and what is missing then is what was missing before.
    """
    base = hold.missing.get(library.key, UNKNOWN)
    asked = hold.asked.get(library.key)
    if asked is None:
        is_suspect = missing > max(base, 0) or (missing > 0 and (base == UNKNOWN or library.key in hold.scanned))
        return Next.SCAN if is_suspect else Next.DONE
    if library.scanned_at == asked:
        return Next.WAIT
    return Next.MISSING if missing > max(base, 0) and hold.before.get(EMPTY_TRASH) == ON else Next.DONE
