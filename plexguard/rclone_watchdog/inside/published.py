"""Where the answer is published: root's, for the watchdogs to read."""

from pathlib import Path

from plexguard.core.journal import Journal
from plexguard.core.state import RUNTIME_ROOT, StateFile
from plexguard.rclone_watchdog.inside.decide import InsideSeen

FOLDER = RUNTIME_ROOT / "rclone-inside"
SCHEMA = 1


def inside_file(name: str, journal: Journal, *, folder: Path = FOLDER) -> StateFile[InsideSeen]:
    return StateFile(folder / f"{name}.json", InsideSeen, schema=SCHEMA, journal=journal)
