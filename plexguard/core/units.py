"""Pieces of unit files that are made from the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from plexguard.core.mounts import MountPoint
from plexguard.core.spans import show_span

# Content by "unit.d/file", below the generator's folder.
DropIns = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What drop-ins depend on beside the configuration. folders: of Plex's libraries. mounts: those that are there, then
    those that fstab(5) names, since at boot nothing is mounted yet. preferences: the path of Plex's Preferences.xml, "" when
    unknown. groups: Plex's groups by number, its own first, without those that this machine has no name for: one of them in
    SupplementaryGroups= fails a unit (216), by number as by name. plex_unit: that of a native Plex, "" for the usual one."""

    folders: tuple[str, ...]
    mounts: tuple[MountPoint, ...]
    preferences: str = ""
    groups: Mapping[int, str] = field(default_factory=dict)
    plex_unit: str = ""


def quote_path(path: str) -> str:
    """Return a path as a list in a unit file takes it (systemd.syntax(7)): quoted, with the few escapes that it knows.

    Lists of paths know no \\xNN (tried with 252: "\\xc3" is read as "xc3"). What no unit file can hold, line ends and
    bytes that are no UTF-8, becomes U+FFFD: such a path is one that is not there, which "-" lets pass.
    """
    return '"' + "".join(map(_escape, path)) + '"'


def _escape(character: str) -> str:
    if character in "\0\n\r" or "\ud800" <= character <= "\udfff":
        return "\N{REPLACEMENT CHARACTER}"
    return {"%": "%%", '"': '\\"', "\\": "\\\\"}.get(character, character)


def interval_drop_in(timer: str, interval: timedelta, *, first: str) -> DropIns:
    """Return the drop-in that gives a timer another time from one run to the next.

    first: its OnBootSec=, which must be said again, since resetting one setting of a timer resets them all.
    """
    lines = ["[Timer]", "OnUnitInactiveSec=", f"OnBootSec={first}", f"OnUnitInactiveSec={show_span(interval)}"]
    return {f"{timer}.d/50-interval.conf": "\n".join(lines) + "\n"}


def calendar_drop_in(timer: str, calendar: str) -> DropIns:
    """Return the drop-in that gives a timer another calendar. Whether it is one is for the caller to have asked."""
    return {f"{timer}.d/50-calendar.conf": f"[Timer]\nOnCalendar=\nOnCalendar={calendar}\n"}
