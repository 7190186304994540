"""What of [speed-test] only a unit can hold: when it runs, and in which time zone. Pure."""

from plexguard.core.units import DropIns, Site, calendar_drop_in
from plexguard.speed_test.config import TRIES, Config


def drop_ins(config: Config, site: Site) -> DropIns:
    """Return the drop-ins of the speed test's units, by "unit/file"."""
    if (config.at, config.time_zone) == (Config().at, Config().time_zone):
        return {}
    return calendar_drop_in("plexguard-speed-test.timer", make_calendar(config))


def make_calendar(config: Config) -> str:
    """Return when the timer fires, as systemd.time(7) writes it: the time itself, and an hour apart after it."""
    hours = ",".join(f"{(config.at.hour + number) % 24:02}" for number in range(TRIES))
    return f"*-*-* {hours}:{config.at:%M}:00 {config.time_zone}"
