"""What of [perms-audit] only a unit can hold: where it may write, what it waits for, when it runs. Pure."""

from plexguard.core.mounts import mount_of
from plexguard.core.units import DropIns, Site, calendar_drop_in, interval_drop_in, quote_path
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.roots import is_system_folder, normalise

_SERVICES = ("plexguard-perms-audit.service", "plexguard-perms-audit-full.service")


def drop_ins(config: Config, site: Site) -> DropIns:
    """Return the drop-ins of the audit's units, by "unit/file".

    A root on FUSE or a network is never named in ReadWritePaths=: with a dead mount that would fail the unit before it
    could say anything, with a frozen one hang it. It stays read-only, and the audit reports what it finds there.
    """
    roots = [root for root in map(normalise, config.roots or site.folders) if not is_system_folder(root)]
    writable = [root for root in roots if not mount_of(root, site.mounts).is_remote]
    # "-": a root that is missing is told by the audit itself, as an event that says what to do.
    lines = [f"ReadWritePaths=-{quote_path(root)}" for root in writable]
    service = ("[Service]\n" + "\n".join(lines) + "\n") if lines else ""
    waits = [f"RequiresMountsFor={quote_path(root)}" for root in writable]
    unit = ("[Unit]\n" + "\n".join(waits) + "\n") if waits and config.roots else ""
    made = {f"{name}.d/50-roots.conf": unit + service for name in _SERVICES if unit or service}
    if config.interval != Config().interval:
        made |= interval_drop_in("plexguard-perms-audit.timer", config.interval, first="2min")
    if config.full_calendar != Config().full_calendar:
        made |= calendar_drop_in("plexguard-perms-audit-full.timer", config.full_calendar)
    return made
