"""From the configuration and the machine to systemd drop-ins: what is to be generated, and what has been.

The generator writes them, `plexguard-status apply` compares them, and `plexguard-discover` has them made anew when the
machine has changed: a mount that came after boot, a library folder that was added.
"""

from pathlib import Path

from plexguard.core import config, suite
from plexguard.core.config import Settings
from plexguard.core.errors import ConfigError
from plexguard.core.found import FoundPlex
from plexguard.core.host import Host
from plexguard.core.mounts import MountPoint
from plexguard.core.units import DropIns, Site

GENERATED = Path("/run/systemd/generator")
_HEADER = "# Made by plexguard-generator from plexguard.toml and from what plexguard-discover found.\n"
_CALENDAR_TIMEOUT_S = 5.0


def make_drop_ins(settings: Settings, found: FoundPlex | None, mounts: tuple[MountPoint, ...]) -> DropIns:
    """Return the drop-ins for a configuration, by "unit.d/file". Raises ConfigError with all its mistakes; pure."""
    for section in suite.sections():
        settings.take(section)
    settings.check(suite.section_names())
    site = Site(folders=found.folders if found is not None else (), mounts=mounts)
    return {name: _HEADER + content for name, content in suite.drop_ins(settings, site).items()}


def read_drop_ins(folder: Path = GENERATED) -> DropIns:
    """Return the drop-ins that were generated for plexguard's units, by "unit.d/file"."""
    return {str(file.relative_to(folder)): file.read_text(encoding="utf-8") for file in folder.glob("plexguard-*.d/*.conf")}


def find_mistakes(settings: Settings, host: Host) -> tuple[str, ...]:
    """Return every mistake of a configuration, of all programs."""
    try:
        make_drop_ins(settings, None, ())
    except ConfigError as error:
        return error.mistakes
    return find_bad_calendars(settings, host)


def find_bad_calendars(settings: Settings, host: Host) -> tuple[str, ...]:
    """Return the mistakes in calendar expressions, which only systemd itself can judge: a timer with one would not start."""
    mistakes = []
    for section in suite.sections():
        for name, (declared, default) in config.options(section).items():
            given = settings.values.get(section.SECTION, {}).get(name)
            if declared.kind is config.CALENDAR and given is not None and given.value != default:
                mistakes += _judge_calendar(f"{given.source}: [{section.SECTION}] {name}", str(given.value), host)
    return tuple(mistakes)


def _judge_calendar(place: str, expression: str, host: Host) -> list[str]:
    done = host.run(["systemd-analyze", "calendar", "--", expression], timeout_s=_CALENDAR_TIMEOUT_S, check=False)
    return [f'{place}: found "{expression}", which is no calendar expression of systemd.time(7)'] if done.code else []
