"""What is remembered from run to run, and where it lies."""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from plexguard.core.errors import NoPermission
from plexguard.core.journal import Journal
from plexguard.core.mounts import MountPoint, mount_of
from plexguard.core.published import AuditSeen
from plexguard.core.state import StateFile, state_directory
from plexguard.perms_audit.access import Identity
from plexguard.perms_audit.config import Config

STATE_SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class State(AuditSeen):
    """What is remembered from run to run, for others and for itself. uid, gids: whom Plex ran as when that was last known, -1 and
    () when it never was. left: of what was told what was not repaired, the last full audit's too."""

    uid: int = -1
    gids: tuple[int, ...] = ()
    left: dict[str, int] = field(default_factory=dict)


def open_state(folder: Path, journal: Journal) -> StateFile[State]:
    return StateFile(folder / "state.json", State, schema=STATE_SCHEMA, journal=journal)


def load_state(state: StateFile[State]) -> State:
    """Return what is remembered; nothing, for an ordinary user who may not read what root's runs remember."""
    try:
        return state.load() or State()
    except NoPermission:
        return State()


def remember(past: State, healthy: Sequence[str], mounts: tuple[MountPoint, ...], identity: Identity | None) -> State:
    """Return the state after a run: which mount each root that was found well lies on, and whom Plex runs as."""
    return dataclasses.replace(
        past,
        mounts={**past.mounts, **{path: mount_of(path, mounts).path for path in healthy}},
        uid=past.uid if identity is None else identity.uid,
        gids=past.gids if identity is None else identity.gids,
    )


def find_state_folder() -> Path:
    """Return where state and undo lists are kept: an ordinary user's own runs have theirs in that user's home."""
    folder = state_directory(Config.SECTION)
    if os.geteuid() == 0 or "STATE_DIRECTORY" in os.environ:
        return folder
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    return home / "plexguard" / Config.SECTION
