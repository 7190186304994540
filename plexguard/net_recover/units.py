"""What of [net-recover] only a unit can hold: how often it checks. Pure."""

from plexguard.core.units import DropIns, Site, interval_drop_in
from plexguard.net_recover.config import Config


def drop_ins(config: Config, site: Site) -> DropIns:
    """Return the drop-ins of the check's units, by "unit/file"."""
    if config.interval == Config().interval:
        return {}
    return interval_drop_in("plexguard-net-recover.timer", config.interval, first="2min")
