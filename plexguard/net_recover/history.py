"""What was found and done, one line each on disk, for who reads it months later: `plexguard-net-recover history`."""

import contextlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from plexguard.core.clock import Clock
from plexguard.core.errors import IoFailed
from plexguard.core.events import Event
from plexguard.core.journal import Journal
from plexguard.core.state import STATE_ROOT, History

FILE = "history.jsonl"
KEEP = 500
# Written by the check, and by the unit that reboots: each has its own folder.
PROGRAM, REBOOT = "net-recover", "reboot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An event that was told: when (UTC), its name and its line for people."""

    when: datetime
    event: str
    text: str


def open_history(folder: Path) -> History[Record]:
    return History(folder / FILE, Record, keep=KEEP)


def read_all(root: Path = STATE_ROOT) -> tuple[Record, ...]:
    """Return the records of both writers, oldest first."""
    records = [record for name in (PROGRAM, REBOOT) for record in open_history(root / name).read()]
    return tuple(sorted(records, key=lambda record: record.when))


class Teller:
    """Tells an event to the journal, and keeps its line."""

    def __init__(self, journal: Journal, history: History[Record], clock: Clock) -> None:
        self._journal = journal
        self._history = history
        self._clock = clock

    def tell(self, event: Event, /, **values: object) -> None:
        self._journal.send(event, **values)
        # A disk that takes nothing must not stop what is done for the network; the journal has the line.
        with contextlib.suppress(IoFailed):
            self._history.append(Record(when=self._clock.now(), event=event.name, text=event.render(values)))
