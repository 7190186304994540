"""What the units of a mount on a run's machine say, and why it is not mounted. Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from plexguard.core.errors import PlexguardError, Unavailable

# The properties of systemctl(1) that are asked for.
PROPERTIES = ("Id", "ActiveState", "Result", "StatusText")
_WARNING = 4
_MOST_WORDS = 3
_RCLONE = "rclone"


class NotMounted(PlexguardError):
    """The storage is not proven on the run's machine, and waiting is over."""

    exit_code = Unavailable.exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitThere:
    """A unit of the run's machine, in systemd's words. text: what it says of itself."""

    name: str
    active: str = ""
    result: str = ""
    text: str = ""


def read_units(stdout: str) -> dict[str, UnitThere]:
    """Return the units in what `systemctl show` prints, a paragraph each."""
    found = {}
    for paragraph in stdout.split("\n\n"):
        values = dict(line.partition("=")[::2] for line in paragraph.splitlines())
        if name := values.get("Id", ""):
            active, result = values.get("ActiveState", ""), values.get("Result", "")
            found[name] = UnitThere(name=name, active=active, result=result, text=values.get("StatusText", ""))
    return found


def is_proven(mount: UnitThere | None, watchdog: UnitThere | None) -> bool:
    """Tell whether the storage is. A watchdog is active when it has read bytes, and not before; it is not waited for when it, or
    what mounts, has failed for good: then this raises NotMounted."""
    for unit in (mount, watchdog):
        if unit is not None and unit.active == "failed":
            raise NotMounted(f"{unit.name} failed there ({unit.result})")
    return mount is not None and watchdog is not None and mount.active == watchdog.active == "active"


def explain(journal: str) -> str:
    """Return the last things that the units have complained of, in their words. journal: of journalctl -o json."""
    words = list(dict.fromkeys(_find_complaints(journal)))
    return "; ".join(words[-_MOST_WORDS:])


def _find_complaints(journal: str) -> Iterator[str]:
    """Yield the messages of plexguard's events and of rclone that are warnings, or worse."""
    for line in journal.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if not isinstance(entry, dict):
            continue
        message, level = entry.get("MESSAGE"), str(entry.get("PRIORITY", ""))
        speaks = "PLEXGUARD_EVENT" in entry or entry.get("SYSLOG_IDENTIFIER") == _RCLONE
        # One with bytes that are no text is a list.
        if speaks and isinstance(message, str) and level.isdecimal() and int(level) <= _WARNING:
            yield message.strip()
