"""What mounts need around their configuration, looked at for `plexguard-status check-config`, and what may be meant otherwise. It
says nothing of what a file keeps secret, and touches no mount."""

import os
import shutil
from collections.abc import Iterator
from functools import partial

from plexguard.core.child import in_child
from plexguard.core.errors import PlexguardError
from plexguard.core.found import read_last_plex
from plexguard.core.host import Host
from plexguard.core.journal import StderrJournal
from plexguard.core.mounts import read_mounts
from plexguard.core.published import TRASH
from plexguard.core.suite import Around
from plexguard.rclone_watchdog.advice import advise
from plexguard.rclone_watchdog.config import Config, Mount, Rclone
from plexguard.rclone_watchdog.mounting import clear, prepare
from plexguard.rclone_watchdog.mounting.flags import Version
from plexguard.rclone_watchdog.mounting.render import find_idle, find_unknown

_LOOK_TIMEOUT_S = 2.0
# With a cache on disk a read of a storage that hangs was measured to last up to so many times the limit, for each retry.
_HANGS = 44
_LONG_S = 3600.0


def look_around(config: Config, rclone: Rclone, host: Host) -> Around:
    found, trash = read_last_plex(StderrJournal()), TRASH.read()
    advice = tuple(advise(config, rclone.mount, found, read_mounts(), trash))
    ours = {name: mount for name, mount in rclone.mount.items() if mount.is_ours}
    if not ours:
        return Around(notes=advice)
    faults, notes = [], []
    version: Version | None = None
    try:
        version = prepare.read_version(config.rclone, host)
        # Whoever asks: it is the user of the mounts who mounts.
        prepare.check_fuse(-1, device=None)
    except PlexguardError as error:
        faults.append(_show(error))
    for name, mount in ours.items():
        faults += [f"[rclone.{name}] {fault}" for fault in _find_faults(name, mount)]
        notes += [f"[rclone.{name}] {note}" for note in _find_notes(name, mount.resolve(), version)]
    return Around(faults=tuple(faults), notes=(*notes, *advice))


def _find_faults(name: str, mount: Mount) -> Iterator[str]:
    try:
        clear.check_place(mount.mount_point, read_mounts())
        in_child(partial(clear.check_way, mount.mount_point), timeout_s=_LOOK_TIMEOUT_S)
    except (PlexguardError, OSError) as error:
        yield f"mount_point: {_show(error)}"
    try:
        prepare.find_kind(prepare.read_storages(name, mount), mount)
    except prepare.NotReady as error:
        yield f"remote: {_show(error)}"
    except PlexguardError:
        return  # not root, who alone may look; that is said once, for all credentials


def _find_notes(name: str, mount: Mount, version: Version | None) -> Iterator[str]:
    for what, why in find_idle(mount, _kind(name, mount)).items():
        yield f"{what} has no effect: {why}"
    for what, why in (find_unknown(mount, version) if version else {}).items():
        yield f"{what} has no effect: {why}"
    longest_s = _HANGS * mount.retries * mount.timeout.total_seconds()
    if longest_s > _LONG_S and mount.cache_mode == "full":
        yield f"timeout, retries: one read of a storage that hangs may last {longest_s / 3600:.1f} h"
    place = mount.cache_folder or "/var/cache"
    try:
        size = in_child(partial(_disk_bytes, place), timeout_s=_LOOK_TIMEOUT_S)
    except (OSError, PlexguardError):
        return
    if mount.cache_mode != "off" and mount.cache_size > size:
        yield f"cache_size: more than the whole disk below {place}"


def _disk_bytes(folder: str) -> int:
    return shutil.disk_usage(folder).total


def _kind(name: str, mount: Mount) -> str:
    try:
        return prepare.find_kind(prepare.read_storages(name, mount), mount)
    except PlexguardError:
        return ""


def _show(error: Exception) -> str:
    hint = getattr(error, "hint", "")
    return f"{error}: {hint}" if hint else str(error) or os.strerror(getattr(error, "errno", 0) or 0)
