"""What a folder of journals holds of each host: its events of the last days, and when it was last heard of at all.

The folder is what systemd-journal-remote(8) writes. It is a copy: who may write there, or send to it, may say anything in the name
of any host.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from plexguard.core.clock import Clock
from plexguard.core.errors import MissingInput, NoPermission
from plexguard.core.events import MARK
from plexguard.core.told import JournalEvents, Told
from plexguard.status.observe import LOOK_BACK

_CHUNK = 500
# A person waits for it; so many events are more than a week of a great many healthy hosts.
_READ_S = 30.0
_MOST_HOSTS = 1000
# systemd.io, JOURNAL_FILE_FORMAT.
_SIGNATURE = b"LPKSHHRH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Journals:
    """told: events of the last days by host, oldest first. heard: when each host that has ever told an event last wrote anything.
    is_complete: all was read within the time there is. broken: files that are no journals, whosever they were."""

    told: Mapping[str, tuple[Told, ...]]
    heard: Mapping[str, datetime]
    is_complete: bool = True
    broken: tuple[str, ...] = ()


def read_journals(folder: Path, clock: Clock) -> Journals:
    """Read a folder. Raises MissingInput where there is no journal in it, NoPermission where it cannot be read."""
    broken = _check_folder(folder)
    try:
        events, is_complete = _read_told(folder, clock)
        names = name_hosts({(one.host, one.machine) for one in events})
        heard = _find_heard(folder, names)
    except OSError as error:
        raise NoPermission(f"Failed to read the journals in {folder}: {error.strerror}", hint="run it as root") from error
    told: defaultdict[str, list[Told]] = defaultdict(list)
    for one in events:
        told[names[one.host, one.machine]].append(one)
    return Journals(told={name: tuple(found) for name, found in told.items()}, heard=heard, is_complete=is_complete, broken=broken)


def name_hosts(machines: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return how machines are called, by their name and id: by the name, where no other one has it."""
    known = tuple(machines)
    often = Counter(host for host, _ in known)
    return {(host, machine): host if often[host] == 1 else f"{host} ({machine[:8]})" for host, machine in known}


def _check_folder(folder: Path) -> tuple[str, ...]:
    """Return what is called a journal and is none: the library leaves such files out without a word."""
    try:
        files = [file for file in folder.rglob("*.journal*") if file.is_file()]
    except PermissionError as error:
        raise NoPermission(f"Failed to read {folder}: {error.strerror}", hint="run it as root") from error
    if not files:
        raise MissingInput(f"{folder}: there is no journal in it", hint="plexguard-status --journal /var/log/journal/remote")
    return tuple(sorted(str(file) for file in files if not _is_journal(file)))


def _is_journal(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(len(_SIGNATURE)) == _SIGNATURE
    except OSError as error:
        raise NoPermission(f"Failed to read {file}: {error.strerror}", hint="run it as root") from error


def _find_heard(folder: Path, names: Mapping[tuple[str, str], str]) -> dict[str, datetime]:
    from systemd import journal

    reader: Any = journal.Reader(path=str(folder))
    reader.add_match("=".join(MARK))
    # Those which have told nothing of late are there as well.
    silent = {str(name) for name in reader.query_unique("_HOSTNAME")} - {host for host, _ in names}
    asked = [*((host, machine, name) for (host, machine), name in names.items()), *((host, "", host) for host in sorted(silent))]
    found = {}
    for host, machine, name in asked[:_MOST_HOSTS]:
        reader.flush_matches()
        reader.add_match(f"_HOSTNAME={host}")
        if machine:
            reader.add_match(f"_MACHINE_ID={machine}")
        reader.seek_tail()
        entry = reader.get_previous()
        if entry:
            found[name] = entry["__REALTIME_TIMESTAMP"].astimezone(UTC)
    reader.close()
    return found


def _read_told(folder: Path, clock: Clock) -> tuple[list[Told], bool]:
    told: list[Told] = []
    deadline_s = clock.monotonic_s() + _READ_S
    reader = JournalEvents(folder)
    reader.seek_time(clock.now() - LOOK_BACK)
    while chunk := reader.read(_CHUNK):
        told += chunk
        if clock.monotonic_s() >= deadline_s:
            return told, False
    return told, True
