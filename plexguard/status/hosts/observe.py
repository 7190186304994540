"""What a folder of journals holds of each host: its events of the last days, and when it was last heard of at all.

The folder is what systemd-journal-remote(8) writes. It is a copy: who may write there, or send to it, may say anything in the name
of any host.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from plexguard.core.clock import Clock
from plexguard.core.errors import MissingInput, NoPermission
from plexguard.core.events import MARK
from plexguard.core.journal import open_reader
from plexguard.core.told import JournalEvents, Told
from plexguard.status.observe import LOOK_BACK

_CHUNK = 500
# A person waits for it; so many events are more than a week of a great many healthy hosts.
_READ_S = 30.0
_MOST_HOSTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Journals:
    """told: events of the last days by host, oldest first. heard: when each host that has ever told an event last wrote anything.
    is_complete: all was read within the time there is."""

    told: Mapping[str, tuple[Told, ...]]
    heard: Mapping[str, datetime]
    is_complete: bool = True


def read_journals(folder: Path, clock: Clock) -> Journals:
    """Read a folder. Raises MissingInput where there is no journal in it, NoPermission where it cannot be read."""
    _check_folder(folder)
    try:
        heard = _find_hosts(folder)
        told, is_complete = _read_told(folder, clock)
    except OSError as error:
        raise NoPermission(f"Failed to read the journals in {folder}: {error.strerror}", hint="run it as root") from error
    return Journals(told={host: tuple(events) for host, events in told.items()}, heard=heard, is_complete=is_complete)


def _check_folder(folder: Path) -> None:
    try:
        files = [file for file in folder.rglob("*.journal*") if file.is_file()]
    except PermissionError as error:
        raise NoPermission(f"Failed to read {folder}: {error.strerror}", hint="run it as root") from error
    if not files:
        raise MissingInput(f"{folder}: there is no journal in it", hint="plexguard-status --journal /var/log/journal/remote")
    for file in files:
        try:
            file.open("rb").close()
        except OSError as error:
            raise NoPermission(f"Failed to read {file}: {error.strerror}", hint="run it as root") from error


def _find_hosts(folder: Path) -> dict[str, datetime]:
    reader = open_reader(folder)
    reader.add_match("=".join(MARK))
    hosts = sorted(str(name) for name in reader.query_unique("_HOSTNAME"))[:_MOST_HOSTS]
    found = {}
    for host in hosts:
        reader.flush_matches()
        reader.add_match(f"_HOSTNAME={host}")
        reader.seek_tail()
        entry = reader.get_previous()
        if entry:
            found[host] = entry["__REALTIME_TIMESTAMP"]
    reader.close()
    return found


def _read_told(folder: Path, clock: Clock) -> tuple[dict[str, list[Told]], bool]:
    told: defaultdict[str, list[Told]] = defaultdict(list)
    deadline_s = clock.monotonic_s() + _READ_S
    reader = JournalEvents(folder)
    reader.seek_time(clock.now() - LOOK_BACK)
    while chunk := reader.read(_CHUNK):
        for one in chunk:
            told[one.host].append(one)
        if clock.monotonic_s() >= deadline_s:
            return told, False
    return told, True
