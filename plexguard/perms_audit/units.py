"""What of [perms-audit] only a unit can hold: where it may write, what it waits for, when it runs. Pure."""

import os

from plexguard.core.folders import is_system_folder
from plexguard.core.mounts import MountPoint, is_below, mount_of
from plexguard.core.units import DropIns, Site, calendar_drop_in, interval_drop_in, quote_path
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.roots import normalise

_SERVICES = (
    "plexguard-perms-audit.service",
    "plexguard-perms-audit-full.service",
    "plexguard-perms-guard.service",
    "plexguard-perms-request.service",
)
_TEMPLATE = "plexguard-perms-audit@.service"


def drop_ins(config: Config, site: Site) -> DropIns:
    """Return the drop-ins of the audit's units, by "unit/file"."""
    roots = [root for root in map(normalise, config.roots or site.folders) if not is_system_folder(root)]
    # "-": a root that is missing is told by the audit itself, as an event that says what to do.
    lines = [f"ReadWritePaths=-{quote_path(path)}" for path in _writable(roots, site.mounts)]
    service = ("[Service]\n" + "\n".join(lines) + "\n") if lines else ""
    waits = [f"RequiresMountsFor={quote_path(root)}" for root in roots if not mount_of(root, site.mounts).is_remote]
    unit = ("[Unit]\n" + "\n".join(waits) + "\n") if waits and config.roots else ""
    made = {f"{name}.d/50-roots.conf": unit + service for name in _SERVICES if unit or service}
    if _changes_owners(config):
        owners = "[Service]\nCapabilityBoundingSet=CAP_CHOWN\nSystemCallFilter=@chown\n"
        made |= {f"{name}.d/50-owners.conf": owners for name in (*_SERVICES, _TEMPLATE)}
    if config.interval != Config().interval:
        made |= interval_drop_in("plexguard-perms-audit.timer", config.interval, first="2min")
    if config.full_calendar != Config().full_calendar:
        made |= calendar_drop_in("plexguard-perms-audit-full.timer", config.full_calendar)
    return made


def _writable(roots: list[str], mounts: tuple[MountPoint, ...]) -> list[str]:
    """Return the folders that the units may write to.

    A network or FUSE mount is never named in ReadWritePaths=: with a dead one that would fail the unit before it could say
    anything, with a frozen one hang it. Named is the local folder that it is mounted in, which makes what is below it
    writable too; where that would be a folder of the system, the mount stays read-only and the audit says so.
    """
    found = [place for root in roots if not is_system_folder(place := _local_above(root, mounts))]
    return [path for path in dict.fromkeys(found) if not any(path != other and is_below(path, other) for other in found)]


def _local_above(path: str, mounts: tuple[MountPoint, ...]) -> str:
    mount = mount_of(path, mounts)
    return _local_above(os.path.dirname(mount.path), mounts) if mount.is_remote and mount.path != "/" else path


def _changes_owners(config: Config) -> bool:
    return bool(config.owner or config.group or any(override.owner or override.group for override in config.overrides))
