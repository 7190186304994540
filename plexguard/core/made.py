"""What root remembers of a mount by rclone from its beginning to its end, and whether the configuration has changed since."""

import hashlib
import json
from dataclasses import dataclass

from plexguard.core.config import Settings
from plexguard.core.journal import Journal
from plexguard.core.state import RUNTIME_ROOT, StateFile

SECTION = "rclone"
_SCHEMA = 1
# What its watchdog reads, and rclone never hears of.
_OF_THE_WATCHDOG = frozenset({"canary", "protect", "cover", "restart_container"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """path, remote: of the mount, "" while there is none. Its unit clears that path also when the configuration has changed
    meanwhile. strays: that were told, and are in the folder still. settings: the mark of those that it was made with."""

    path: str = ""
    remote: str = ""
    strays: int = 0
    settings: str = ""


def made_file(name: str, journal: Journal) -> StateFile[Made]:
    return StateFile(RUNTIME_ROOT / f"rclone-{name}.json", Made, schema=_SCHEMA, journal=journal)


def find_made(journal: Journal) -> tuple[str, ...]:
    """Return the names of the mounts that are made now."""
    names = (file.stem.removeprefix("rclone-") for file in sorted(RUNTIME_ROOT.glob("rclone-*.json")))
    return tuple(name for name in names if (made := made_file(name, journal).peek()) is not None and made.path)


def mark_settings(settings: Settings, name: str) -> str:
    """Return a text that differs when what rclone is given differs: for who compares, not for who reads."""
    own = {key: found.value for key, found in settings.values.get(f"{SECTION}.{name}", {}).items() if key not in _OF_THE_WATCHDOG}
    program = settings.values.get("rclone-watchdog", {}).get("rclone")
    text = json.dumps([own, program.value if program is not None else ""], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
