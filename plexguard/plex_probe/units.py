"""What of [plex-probe] only a unit can hold: how often it checks. Pure."""

from plexguard.core.units import DropIns, Site, interval_drop_in
from plexguard.plex_probe.config import Config


def drop_ins(config: Config, site: Site) -> DropIns:
    """Return the drop-ins of the probe's units, by "unit/file"."""
    if config.interval == Config().interval:
        return {}
    return interval_drop_in("plexguard-plex-probe.timer", config.interval, first="30s")
