"""From the configuration and the machine to systemd drop-ins: what is to be generated, and what has been.

The generator writes them, `plexguard-status apply` compares them, and `plexguard-discover` has them made anew when the
machine has changed: a mount that came after boot, a library folder that was added.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from plexguard.core import suite
from plexguard.core.config import Settings
from plexguard.core.errors import ConfigError
from plexguard.core.found import FoundPlex
from plexguard.core.guarded import Guarded, find_mount_points
from plexguard.core.host import Host
from plexguard.core.manager import Manager
from plexguard.core.mounts import MountPoint
from plexguard.core.options import CALENDAR, options
from plexguard.core.plex_config import PlexConfig
from plexguard.core.units import DropIns, Site

GENERATED = Path("/run/systemd/generator")
# Where the service manager looks for templates, the first first.
UNIT_FOLDERS = tuple(map(Path, ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")))
_GROUPS = Path("/etc/group")
_HEADER = "# Made by plexguard-generator from plexguard.toml and from what plexguard-discover found.\n"
_CALENDAR_TIMEOUT_S = 5.0


def make_drop_ins(
    settings: Settings, found: FoundPlex | None, mounts: tuple[MountPoint, ...], groups: Mapping[int, str]
) -> DropIns:
    """Return the drop-ins for a configuration, by "unit.d/file". groups: of this machine, the names by number.

    Raises ConfigError with all its mistakes; pure.
    """
    for section in suite.sections():
        settings.take(section)
    settings.check(suite.section_names())
    # At boot nothing is mounted yet, and what is guarded stands in no fstab(5).
    guarded = Guarded(mount_points=find_mount_points(settings))
    unit = settings.take(PlexConfig).unit
    site = replace(
        _site(found, (*mounts, *guarded.as_mounts()), groups),
        plex_unit=unit if unit != PlexConfig().unit else "",
    )
    return {name: _HEADER + content for name, content in suite.drop_ins(settings, site).items()}


def _site(found: FoundPlex | None, mounts: tuple[MountPoint, ...], groups: Mapping[int, str]) -> Site:
    if found is None:
        return Site(folders=(), mounts=mounts)
    known = {gid: groups[gid] for gid in found.gids if gid in groups}
    return Site(folders=found.folders, mounts=mounts, preferences=found.preferences, groups=known)


def make_instances(names: Iterable[str], folders: Iterable[Path] = UNIT_FOLDERS) -> DropIns:
    """Return units that are known by their names before they were ever started, and so offered by completion and list-unit-files:
    copies of their templates, the administrator's own before the shipped. One without a template is left out. Raises OSError."""
    made = {}
    for name in names:
        template = re.sub("@.*[.]", "@.", name)
        file = next((folder / template for folder in folders if (folder / template).is_file()), None)
        if file is not None:
            made[name] = f"# Made by plexguard-generator: {file}, for a name that there is.\n{file.read_text(encoding='utf-8')}"
    return made


def read_groups(file: Path = _GROUPS) -> dict[int, str]:
    """Return the names of this machine's own groups, by number. Not by getgrent(3): at boot a directory service would be
    asked that is not there yet."""
    rows = (line.split(":") for line in file.read_text(encoding="utf-8", errors="replace").splitlines())
    return {int(row[2]): row[0] for row in rows if len(row) >= 3 and row[2].isascii() and row[2].isdigit()}


def read_drop_ins(folder: Path = GENERATED) -> DropIns:
    """Return the drop-ins that were generated for plexguard's units, by "unit.d/file"."""
    return {str(file.relative_to(folder)): file.read_text(encoding="utf-8") for file in folder.glob("plexguard[-.]*.d/*.conf")}


def find_changed_units(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """Return the units whose drop-ins appeared, went or changed."""
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return tuple(sorted({name.partition(".d/")[0] for name in changed}))


def find_running_services(changed: Iterable[str], manager: Manager) -> tuple[str, ...]:
    """Return which of the changed units stay running with what they were started with: the services that are no oneshots.

    A oneshot at work is never "active", and reads everything at its next run. Templates have no state of their own; their
    instances are mounts, which are never restarted over a setting.
    """
    services = (name for name in changed if name.endswith(".service") and "@" not in name)
    return tuple(name for name in services if manager.unit(name).runs)


def find_mistakes(settings: Settings, host: Host) -> tuple[str, ...]:
    """Return every mistake of a configuration, of all programs."""
    return find_config_mistakes(settings) or find_bad_calendars(settings, host)


def find_config_mistakes(settings: Settings) -> tuple[str, ...]:
    """Return every mistake that can be told without asking anybody."""
    try:
        make_drop_ins(settings, None, (), {})
    except ConfigError as error:
        return error.mistakes
    return ()


def find_bad_calendars(settings: Settings, host: Host) -> tuple[str, ...]:
    """Return the mistakes in calendar expressions, which only systemd itself can judge: a timer with one would not start."""
    mistakes = []
    for section in suite.sections():
        for name, (declared, default) in options(section).items():
            given = settings.values.get(section.SECTION, {}).get(name)
            if declared.kind is CALENDAR and given is not None and given.value != default:
                mistakes += _judge_calendar(f"{given.source}: [{section.SECTION}] {name}", str(given.value), host)
    return tuple(mistakes)


def _judge_calendar(place: str, expression: str, host: Host) -> list[str]:
    done = host.run(["systemd-analyze", "calendar", "--", expression], timeout_s=_CALENDAR_TIMEOUT_S, check=False)
    return [f'{place}: found "{expression}", which is no calendar expression of systemd.time(7)'] if done.code else []
