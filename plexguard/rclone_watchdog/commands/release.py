"""`release`: Plex as it was, whatever its mounts are like."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from plexguard.core.errors import UsageError
from plexguard.core.program import FOUND_PROBLEMS, Ports
from plexguard.core.state import make_folder
from plexguard.rclone_watchdog.config import Mount
from plexguard.rclone_watchdog.protect.open import open_world
from plexguard.rclone_watchdog.protect.record import FOLDER, MEMORY, Record
from plexguard.rclone_watchdog.protect.release import Releaser

# Nobody's name: for settings that are still held though no mount asks for it.
_NOBODY = "nobody"


def run(names: Sequence[str], mounts: Mapping[str, Mount], ports: Ports) -> int:
    """Let Plex go for the mounts of these names, for all when there are none. Raises UsageError."""
    holders = tuple(Record(FOLDER, MEMORY, ports.journal).peek().holders)
    unknown = set(names) - set(holders) - set(mounts)
    if unknown:
        raise UsageError(f"{', '.join(sorted(unknown))}: Plex is not held for a mount of this name", hint="plexguard-status")
    worlds = [(name, open_world(name, mounts.get(name), ports.journal)) for name in names or holders or (_NOBODY,)]
    # The token was read with root's rights.
    _become_owner(FOLDER, MEMORY)
    states = [Releaser(name, world, ports, by_hand=True).release() for name, world in worlds]
    for state in states:
        click.echo(state.detail)
    return 0 if all(state.is_done for state in states) else FOUND_PROBLEMS


def _become_owner(folder: Path, memory: Path) -> None:
    """Write as the user to whom the folder belongs: what root makes there the watchdogs could not change, and could make root write
    elsewhere. Its place in memory is missing where no watchdog has run since boot."""
    if os.geteuid() == 0 and folder.exists():
        owner = folder.stat()
        os.chown(make_folder(memory), owner.st_uid, owner.st_gid)
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)
