"""What a pass works with, and what comes of it: for holding and for letting go alike."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.errors import IoFailed, NoPermission, PlexguardError
from plexguard.core.journal import Journal
from plexguard.core.plex import (
    Library,
    PlexControl,
    PlexError,
    PlexMaintenance,
    PlexRefused,
    PlexTimeout,
    PlexUnauthorized,
)
from plexguard.rclone_watchdog.protect.record import FOLDER, MEMORY, Record

# A Plex that is busy with its database answers after seconds; nobody waits for it but the pass.
CALL_S = 10.0


class NoPlex(PlexError):
    """No Plex is known that could be told anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectState:
    """How far it is. is_done: the settings are held, or Plex is let go. kind: one word, the same for as long as it is the same
    thing. detail: what is still missing, or what is so, in one line. is_refused: Plex does not take the token."""

    is_done: bool
    kind: str
    detail: str = ""
    is_refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The world beside the ports. open_plex: None where no Plex is found; asked anew for each pass, since Plex may come, and go
    elsewhere. pick_affected: of all libraries those that the mount concerns. find_blindness: why Plex's container does not see the
    mount that lives, "" when it does or Plex has none. folder, memory: of the record that all mounts share."""

    open_plex: Callable[[], PlexControl | None]
    pick_affected: Callable[[Iterable[Library]], tuple[Library, ...]]
    find_blindness: Callable[[], str] = lambda: ""
    folder: Path = FOLDER
    memory: Path = MEMORY

    def plex(self) -> PlexControl:
        plex = self.open_plex()
        if plex is None:
            raise NoPlex("no Plex is found on this machine")
        return plex

    def open_record(self, journal: Journal) -> Record:
        return Record(self.folder, self.memory, journal)


def explain(error: PlexguardError) -> str:
    """Return why Plex, or our own disk, did not do it, for people."""
    if isinstance(error, PlexRefused):
        return "Plex does not run, or not where it is sought; as long as it does not, it loses nothing"
    if isinstance(error, PlexMaintenance):
        return f"Plex is in maintenance, and takes no orders: {error}"
    if isinstance(error, PlexUnauthorized):
        return f"Plex refuses our token: {error}"
    if isinstance(error, PlexTimeout):
        return f"Plex does not answer: {error}"
    if isinstance(error, IoFailed | NoPermission):
        return f"what Plex's settings are cannot be written down, so they stay: {error}"
    return str(error)


def fail(error: PlexguardError, *, is_done: bool = False) -> ProtectState:
    kind = type(error).__name__
    return ProtectState(is_done=is_done, kind=kind, detail=explain(error), is_refused=isinstance(error, PlexUnauthorized))
