"""Have a changed configuration hold for mounts: who watches them is started anew, rclone itself never, since somebody may be
playing from it; which one goes on with older settings, or though it is in no configuration any more, is told."""

import os
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from plexguard.core import config
from plexguard.core.clock import Clock
from plexguard.core.guarded import find_mount_points
from plexguard.core.journal import Journal
from plexguard.core.made import SECTION, find_made, made_file, mark_settings
from plexguard.core.manager import Manager, Unit
from plexguard.core.published import HOLD, MOUNTS

_MOUNT, _WATCHER = "plexguard-rclone@{}.service", "plexguard-rclone-watchdog@{}.service"
# It is killed after 5 s.
_STOP_TIMEOUT_S = 20.0
_ALIVE = ("active", "activating", "reloading")


def apply_mounts(manager: Manager, clock: Clock, journal: Journal, *, config_path: Path, changed_at: datetime) -> tuple[str, ...]:
    """Do it, and return a line for each thing done, or left to be done."""
    settings = config.read(config_path, os.environ)
    names, remotes = find_mount_points(settings), settings.texts_below(SECTION, "remote")
    lines: list[str] = []
    for name in names:
        rclone, watcher = manager.unit(_MOUNT.format(name)), manager.unit(_WATCHER.format(name))
        if is_off(rclone) or is_off(watcher):
            continue
        if remotes.get(name) and rclone.active_state == "inactive":
            # Neither is waited for, and so not said to be done: a mount is proven when it is.
            manager.start(rclone.name)
            lines.append(f"{rclone.name}: starting")
        if is_outdated(watcher, changed_at=changed_at, now=clock.now(), now_s=clock.monotonic_s()):
            manager.try_restart(watcher.name)
            lines.append(f"{watcher.name}: starting anew")
        elif watcher.active_state == "inactive":
            manager.start(watcher.name)
            lines.append(f"{watcher.name}: starting")
        made = made_file(name, journal).peek()
        if rclone.runs and made is not None and made.settings != mark_settings(settings, name):
            lines.append(
                f"{rclone.name}: goes on as it was, for who plays from it; when nobody does: systemctl restart {rclone.name}"
            )
    return (*lines, *_end_watches(manager, names), *_find_left_over(journal, names))


def is_off(unit: Unit) -> bool:
    """Tell whether somebody has stopped it: that is final."""
    return unit.load_state == "masked" or (unit.was_told_to_stop and unit.active_state == "inactive")


def is_outdated(unit: Unit, *, changed_at: datetime, now: datetime, now_s: float) -> bool:
    """Tell whether it runs, or is about to, with an older configuration."""
    return unit.active_state in _ALIVE and now - timedelta(seconds=now_s - unit.started_s) <= changed_at


def _end_watches(manager: Manager, names: Collection[str]) -> Iterator[str]:
    """Stop who watches what the configuration has no more, which lets Plex go. It is not wanted any more: the generator has seen to
    that."""
    for name in (name for name, _ in MOUNTS.look_each() if name not in names):
        unit = manager.unit(_WATCHER.format(name))
        if unit.active_state not in _ALIVE:
            continue
        manager.stop(unit.name, timeout_s=_STOP_TIMEOUT_S)
        yield f"{unit.name}: stopped, since the configuration has no such mount any more"
        hold = HOLD.read()
        if hold is not None and name in hold.holders:
            yield f"Plex is held for {name} still: plexguard-rclone-watchdog release {name}"


def _find_left_over(journal: Journal, names: Collection[str]) -> Iterator[str]:
    for name in find_made(journal):
        if name not in names:
            unit = _MOUNT.format(name)
            yield f"{unit}: goes on, though the configuration has no such mount any more: systemctl stop {unit}"
