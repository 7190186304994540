"""The storage on the run's machine, mounted and proven: by plexguard itself, which is brought there.

A run that works on this very machine uses the mount that home has.
"""

import os
from pathlib import Path

from plexguard.cloud_run import events
from plexguard.cloud_run.phases.work import Work
from plexguard.cloud_run.storage import bring
from plexguard.cloud_run.storage.choose import Media, choose_media, units_of
from plexguard.cloud_run.storage.judge import NotMounted
from plexguard.cloud_run.storage.parcel import Installed, make_items, pack
from plexguard.core import config, guarded
from plexguard.core.config import DEFAULT_PATH
from plexguard.core.errors import DataError, PlexguardError, Unavailable
from plexguard.core.rclone_conf import is_encrypted, pick_remote
from plexguard.core.secret import find_credential
from plexguard.core.zipped import zip_suite

# For how long the connection may be lost again and again.
_LIMIT_S = 900.0
_PAUSE_S = 10.0
# A machine that is gone keeps nobody from being given back.
_RELEASE_S = 30.0


def find_media(run: Work) -> Media | None:
    """Return the mount of a run, None for none. Raises ConfigError."""
    return choose_media(run.file, config.read(DEFAULT_PATH, os.environ), run.config)


def work(run: Work, installed: Installed | None = None) -> None:
    """Raises NotMounted, and what the connection to the machine raises."""
    media = find_media(run)
    if media is None:
        run.tell("none: the run's file names none")
    elif run.config.provider == "local":
        _use_home(run, media)
    else:
        _mount_there(run, media, installed or Installed())


def _use_home(run: Work, media: Media) -> None:
    """Use home's own mount, which its watchdog proves. Raises NotMounted and CommandError."""
    watchdog = units_of(media)[1]
    if not run.ports.manager.unit(watchdog).runs:
        run.tell(f"waiting for {watchdog}")
        run.ports.manager.start(watchdog, timeout_s=run.file.mount_timeout.total_seconds())
    seen = guarded.look({media.name: media.point}, run.ports.clock.moment())
    for unproven in seen.unproven:
        raise NotMounted(f"{media.point}: {unproven.why}", hint=f"journalctl -u {watchdog}")
    run.tell(f"{media.point} is proven")


def _mount_there(run: Work, media: Media, installed: Installed) -> None:
    storages, files = read_storages(media), pack(make_items(media, zip_suite(), installed))
    clock = run.ports.clock
    deadline_s = clock.monotonic_s() + _LIMIT_S
    while True:
        try:
            with run.machine() as there:
                run.tell(f"bringing what mounts {media.remote}")
                bring.bring(there, media, storages=storages, files=files)
                read = bring.prove(there, media, clock=clock, tell=run.tell, limit_s=run.file.mount_timeout.total_seconds())
                run.tell(f"{media.remote} is mounted at {media.point} and proven; {read} was read")
                return
        except Unavailable as error:
            # A connection that is lost is not the end of a mount: all of it may be done again.
            if clock.monotonic_s() >= deadline_s:
                raise
            run.tell(f"trying again: {error}")
            clock.sleep(_PAUSE_S)


def find_storages(media: Media) -> Path | None:
    """Return the rclone.conf of a mount, None where there is none. Raises NoPermission."""
    return find_credential(f"rclone.{media.name}.conf") or find_credential("rclone.conf")


def read_storages(media: Media) -> str:
    """Return the rclone.conf for the machine, of that remote alone. Raises DataError and NoPermission."""
    storages = find_storages(media)
    text = storages.read_text(encoding="utf-8", errors="replace") if storages is not None else ""
    if is_encrypted(text):
        raise DataError(
            "rclone.conf is encrypted with a password, which nobody is there to type: take it off", hint="rclone config"
        )
    return pick_remote(text, media.remote)


def release(run: Work) -> int:
    """Unmount the storage there, and remove what it is opened with. A machine that is out of reach is told, and no failure: it goes
    anyway. On a shutdown of this machine the run's stays at work, with its mount."""
    if run.config.provider == "local" or run.is_shut_down or not _has_machine(run):
        return 0
    run.ports.notifier.tell("STATUS=unmounting the storage")
    try:
        with run.machine(patience_s=_RELEASE_S) as there:
            bring.take_away(there, stays=not run.world.provider.is_rented)
    except PlexguardError as error:
        run.ports.journal.send(events.MOUNT_LEFT, run=run.name, reason=str(error))
    return 0


def _has_machine(run: Work) -> bool:
    read = run.world.leases.read(run.name)
    return read is not None and read.lease is not None and read.lease.has_server
