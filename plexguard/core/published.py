"""What the programs publish of themselves in their state files, for who shows it or passes it on.

Each record here names the fields that others may rely on, as the program's man page documents them; the rest of a state is its
own program's. A file that is missing, torn or closed gives None: nothing is known, which is never "well".
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

from plexguard.core.clock import Moment
from plexguard.core.journal import StderrJournal
from plexguard.core.state import STATE_ROOT, StateFile

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Generic[T]):
    """Where a record is: file, below the folder of all states, and the schema that it is read by."""

    file: str
    record: type[T]
    schema: int

    def read(self, root: Path = STATE_ROOT) -> T | None:
        return StateFile(root / self.file, self.record, schema=self.schema, journal=StderrJournal()).peek()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSeen:
    """What the probe knows of Plex. verdict: of plexguard-plex-probe(8). level: the one that failed, "" when none did.
    found_in_row: how many checks in a row have found the same. latencies: seconds by level. viewers: None when Plex does not tell."""

    verdict: str
    level: str = ""
    detail: str = ""
    version: str = ""
    found_in_row: int = 0
    checked: Moment | None = None
    silent_since: Moment | None = None
    latencies: dict[str, float] = field(default_factory=dict)
    viewers: int | None = None


PROBE = Source(file="plex-probe/state.json", record=ProbeSeen, schema=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSeen:
    """A channel of notifications. state: "well", "waiting", "quiet" (until the hours are over) or "failed". oldest: of
    what is waiting, None when nothing is. dropped, rejected: since ever. reason: why it does not take anything, "" when it does."""

    name: str
    kind: str
    waiting: int = 0
    oldest: datetime | None = None
    delivered: int = 0
    dropped: int = 0
    rejected: int = 0
    state: str = "well"
    reason: str = ""
    succeeded: datetime | None = None
    failed: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySeen:
    """What notify has to deliver. checked: when this was written; a service that is off does not write it. trouble: why events
    cannot be taken from the journal or kept, "" when they can."""

    checked: Moment | None = None
    channels: tuple[ChannelSeen, ...] = ()
    trouble: str = ""


NOTIFY = Source(file="notify/state.json", record=NotifySeen, schema=1)
