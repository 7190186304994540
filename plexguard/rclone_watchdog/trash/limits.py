"""How much of a library's trash may be emptied, and the words for what speaks against it. Pure."""

from dataclasses import dataclass
from enum import Enum

from plexguard.rclone_watchdog.config import Config


class Why(Enum):
    """What kind of thing speaks against emptying the trash of a library."""

    # Plex gives no answer, or not the one that is needed.
    PLEX = "plex"
    # Its scans and its trash are switched off, for the sake of a mount.
    HELD = "held"
    # A scan, or something else that may change what is missing.
    BUSY = "busy"
    # What its folders lie on is not proven.
    MOUNT = "mount"
    # A folder of it is away, empty, or cannot be looked at.
    FOLDER = "folder"
    MANY = "many"
    # Files of it are there again, or nobody can tell.
    BACK = "back"
    # Two looks saw different things.
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    why: Why
    text: str


def find_limit(items: int, config: Config) -> int:
    """Return how many of a library's items may be missing for its trash to be emptied.

    The larger of the two numbers of the configuration: fifty of a small library, one in a hundred of a large one. Never more than
    half of it, whatever they are: a library that has lost most of what it had has lost its disk.
    """
    return min(max(config.trash_items, items * config.trash_percent // 100), items // 2)
