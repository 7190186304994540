"""What of [rclone.NAME] and [rclone-watchdog] only units can hold: which mounts there are, who starts whom, and when. Pure."""

import os

from plexguard.core.secret import ADMIN_CREDENTIALS, NO_CREDENTIAL
from plexguard.core.units import DropIns, Site, quote_path
from plexguard.rclone_watchdog.config import Config, Mount, Rclone


def drop_ins(config: Config, rclone: Rclone, site: Site) -> DropIns:
    """Return the drop-ins of each mount's units, by "unit.d/file"."""
    made: DropIns = {}
    if rclone.mount:
        ours = [f"plexguard-rclone@{name}.service" for name, mount in rclone.mount.items() if mount.is_ours]
        watchers = [f"plexguard-rclone-watchdog@{name}.service" for name in rclone.mount]
        made["plexguard.target.d/50-mounts.conf"] = f"[Unit]\nWants={' '.join((*ours, *watchers))}\n"
        made |= _for_runs([name for name, mount in rclone.mount.items() if mount.is_ours])
    if config.trash:
        made["plexguard.target.d/50-trash.conf"] = "[Unit]\nWants=plexguard-trash.timer\n"
    for name, mount in rclone.mount.items():
        if mount.is_ours:
            made |= _of_ours(name, mount)
    return made


def _of_ours(name: str, mount: Mount) -> DropIns:
    # Neither Requires=, with which the restart of a mount would be one of its watchdog, nor Wants=, with which the restart of a
    # watchdog would start a mount that somebody has stopped.
    rclone = f"plexguard-rclone@{name}.service"
    # What the folder lies on, and never the folder itself: the manager would have the mount require itself.
    waits = f"RequiresMountsFor={quote_path(os.path.dirname(mount.mount_point))}"
    return {
        f"plexguard-rclone-watchdog@{name}.service.d/50-mount.conf": f"[Unit]\nAfter={rclone}\n",
        f"{rclone}.d/50-mount.conf": f"[Unit]\n{waits}\n",
    }


def _for_runs(names: list[str]) -> DropIns:
    """Return what lets runs in the cloud have a mount on their own machines, where it has an rclone.conf of its own."""
    files = [f"rclone.{name}.conf" for name in names]
    lines = [
        line
        for file in files
        for line in (f"LoadCredential={file}:{ADMIN_CREDENTIALS}/{file}", f"SetCredential={file}:{NO_CREDENTIAL}")
    ]
    text = "\n".join(("[Service]", *lines, ""))
    # What holds the storage's listing against the database, and what mounts it there.
    return {f"plexguard-cloud-{phase}@.service.d/50-mounts.conf": text for phase in ("preflight", "mount")} if names else {}
