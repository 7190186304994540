"""What may be meant otherwise in the configuration of mounts and trash, by what is known of Plex without asking it. Pure."""

from collections.abc import Iterator, Mapping

from plexguard.core.events import show_path
from plexguard.core.found import FoundPlex, Server
from plexguard.core.mounts import MountPoint, is_below, mount_of
from plexguard.core.published import TrashSeen
from plexguard.rclone_watchdog.config import Config, Mount
from plexguard.rclone_watchdog.protect.observe import may_meet

_HERE = (Server.UNIT, Server.CONTAINER)
_TRASH_RUN = "systemctl start plexguard-trash.service"
# Whatever is configured.
_MOST_PERCENT = 50


def advise(
    config: Config, mounts: Mapping[str, Mount], found: FoundPlex, table: tuple[MountPoint, ...], trash: TrashSeen | None
) -> Iterator[str]:
    """Yield notes. table: of the machine's mounts. trash: what is known of it, None before its first run."""
    if found.server in _HERE and found.places:
        for name, mount in mounts.items():
            yield from (f"[rclone.{name}] {note}" for note in _advise_mount(mount, found.places, table))
    notes = _advise_trash(config, mounts, found, table, trash) if config.trash else _advise_no_trash(trash)
    yield from (f"[rclone-watchdog] {note}" for note in notes)


def _advise_mount(mount: Mount, places: tuple[str, ...], table: tuple[MountPoint, ...]) -> Iterator[str]:
    point = mount.mount_point
    if mount.protect and not any(may_meet(place, point, table) for place in places):
        yield "protect: no library of Plex is known to lie on it, so Plex is not held while it is not proven"
    if any(is_below(point, place) for place in places):
        yield "mount_point: a library of Plex is that folder, or lies above it; one below it is safer while the mount is away"


def _advise_trash(
    config: Config, mounts: Mapping[str, Mount], found: FoundPlex, table: tuple[MountPoint, ...], trash: TrashSeen | None
) -> Iterator[str]:
    if found.server not in _HERE:
        why = "runs on another machine, whose disks cannot be looked at" if found.server is Server.REMOTE else "was not found here"
        yield f"trash: no trash is emptied, since Plex {why}"
        return
    if trash is None or not trash.before:
        yield f"trash: Plex empties its trash by itself until plexguard has looked at it: {_TRASH_RUN}"
    if not config.trash_items and not config.trash_percent:
        yield "trash_items, trash_percent: no trash is ever emptied, since nothing may be missing"
    if config.trash_percent > _MOST_PERCENT:
        yield f"trash_percent: no trash is emptied where more than half of a library is missing, so {_MOST_PERCENT} says the same"
    watched = {mount.mount_point for mount in mounts.values()}
    for mount in sorted({mount_of(place, table) for place in found.places}, key=lambda mount: mount.path):
        if mount.is_remote and mount.path not in watched:
            yield (
                f"trash: of libraries on {show_path(mount.path)} ({mount.type}) no trash is emptied, since nobody watches it: "
                "name it in [rclone.NAME]"
            )


def _advise_no_trash(trash: TrashSeen | None) -> Iterator[str]:
    if trash is not None and trash.before:
        yield f"trash: off, and Plex's own emptying was not put back yet: {_TRASH_RUN}"
