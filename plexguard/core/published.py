"""What the programs publish of themselves in their state files, for who shows it or passes it on.

Each record here names the fields that others may rely on, as the program's man page documents them; the program's own state
extends it, so that the two cannot part, and the rest of it is nobody else's. A file that is missing, torn or closed gives None
and the reason: nothing is known, which is never "well".

The server and its container, which root's side publishes in /run, are in `core/found.py`; the media that stay unreadable in
`core/unreadable.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

from plexguard.core import found, unreadable
from plexguard.core.clock import Moment
from plexguard.core.errors import DataError, PlexguardError
from plexguard.core.journal import StderrJournal
from plexguard.core.state import RUNTIME_ROOT, STATE_ROOT, History, StateFile

T = TypeVar("T")
# Of a folder with one state for each thing of a kind; nobody has so many.
_MOST_THINGS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Generic[T]):
    """What a file gave. why: there is no record, "" when there is one or the file is not there at all."""

    record: T | None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Generic[T]):
    """Where a record is: file, below the folder of all states or anywhere else when it begins with "/", and the schema that it is
    read by. spare: where it is while the disk takes nothing."""

    file: str
    record: type[T]
    schema: int
    spare: Path | None = None

    def read(self, root: Path = STATE_ROOT) -> T | None:
        return self.look(root).record

    def look(self, root: Path = STATE_ROOT) -> Reading[T]:
        """Return the record, or why there is none."""
        return self._look(root / self.file)

    def look_each(self, root: Path = STATE_ROOT) -> Iterator[tuple[str, Reading[T]]]:
        """Yield what the states of a folder "PROGRAM/*/state.json" hold, each with the name of its thing."""
        folder, _, name = self.file.partition("/*/")
        try:
            places = sorted(place for place in (root / folder).iterdir() if place.is_dir())[:_MOST_THINGS]
        except OSError:
            return
        for place in places:
            yield place.name, self._look(place / name)

    def _look(self, path: Path) -> Reading[T]:
        try:
            file = StateFile(path, self.record, schema=self.schema, journal=StderrJournal(), spare=self.spare)
            return Reading(record=file.read())
        except FileNotFoundError:
            return Reading(record=None)
        except DataError as error:
            return Reading(record=None, why=f"{path}: {error}")
        except PlexguardError as error:
            return Reading(record=None, why=str(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines(Generic[T]):
    """Where a history is: a file of records, one JSON line each, oldest first."""

    file: str
    record: type[T]

    def read(self, root: Path = STATE_ROOT) -> tuple[T, ...]:
        try:
            return History(root / self.file, self.record, keep=1).read()
        except PlexguardError:
            return ()


# -- Plex -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PlexProblemSeen:
    """A time during which Plex was not healthy. began: its first failed look. restarts: asked for in it, and not put off. gave_up:
    it is left to a person."""

    began: Moment
    restarts: int = 0
    gave_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSeen:
    """What the probe knows of Plex. verdict: of plexguard-plex-probe(8). level: the one that failed, "" when none did. found,
    found_in_row: what the last check found, and how many in a row have. interval_s: how often it looks. latencies: seconds by
    level. viewers: None when Plex does not tell. told_no_server: no Plex was found that could be looked at."""

    verdict: str
    level: str = ""
    detail: str = ""
    version: str = ""
    found: str = "healthy"
    found_in_row: int = 0
    problem: PlexProblemSeen | None = None
    checked: Moment | None = None
    interval_s: float = 30.0
    silent_since: Moment | None = None
    latencies: dict[str, float] = field(default_factory=dict)
    viewers: int | None = None
    told_no_server: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartsSeen:
    """The restarts of Plex of the last days, oldest first, and the refusal that was told last since. refused_at: when that was, or
    when it last came again if it is for good."""

    restarts: tuple[Moment, ...] = ()
    refused: str = ""
    refused_at: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySeen:
    """The proxy's breaker. phase: "closed" (requests pass to Plex), "open" (none does) or "half-open" (checks only). since: of the
    phase; opened: when callers were first turned away, None while they are not. trigger: "traffic", "checks", "verdict" or "drain".
    reason, text: what callers are told. opens: how often it has opened. open_s: how long it was open, without the time since
    `opened`. seen: when the proxy was last looked at."""

    phase: str
    since: Moment | None = None
    opened: Moment | None = None
    trigger: str = ""
    reason: str = ""
    text: str = ""
    failures: int = 0
    failed_checks: int = 0
    good_checks: int = 0
    opens: int = 0
    open_s: float = 0.0
    seen: Moment | None = None


PROXY = Source(file="proxy/state.json", record=ProxySeen, schema=1)
PROBE = Source(file="plex-probe/state.json", record=ProbeSeen, schema=1, spare=RUNTIME_ROOT / "plex-probe/state.json")
RESTARTS = Source(file="plex-restart/state.json", record=RestartsSeen, schema=1)
PLEX = Source(file=str(found.PLEX_FILE), record=found.FoundPlex, schema=found.SCHEMA)
CONTAINER = Source(file=str(found.CONTAINER_FILE), record=found.FoundContainer, schema=found.SCHEMA)


# -- the network ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSeen:
    """A time without network. began: its first failed look. round: the one of all that is at work or was last. put_off: why, as
    told. gave_up: it is left to a person."""

    began: Moment
    round: int = 0
    gave_up: bool = False
    put_off: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSeen:
    """What plexguard-net-recover knows. verdict: of plexguard-net-recover(8). interface, last_online: by which interface, "" when
    it is none that could be mended, and when the network was last seen. rounds: when rounds of steps were begun, of the last
    hour."""

    verdict: str
    detail: str = ""
    interface: str = ""
    checked: Moment | None = None
    last_online: Moment | None = None
    problem: LossSeen | None = None
    rounds: tuple[Moment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RebootSeen:
    """A reboot. is_dated: the clock followed a time server, so that the wall time is true."""

    at: Moment
    is_dated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RebootsSeen:
    """The reboots, oldest first, and the kind of the last refusal that was told."""

    reboots: tuple[RebootSeen, ...] = ()
    refused: str = ""


NETWORK = Source(file="net-recover/state.json", record=NetworkSeen, schema=1, spare=RUNTIME_ROOT / "net-recover/state.json")
REBOOTS = Source(file="reboot/state.json", record=RebootsSeen, schema=1)


# -- speed ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedDay:
    """attempts: at a test, on that day. tested: one gave a result."""

    attempts: int = 0
    tested: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedSeen:
    """What the speed test remembers. days: by date in its time zone. put_off: day and kind of what last spoke against a test.
    missing: the command that is not there. slow: which of download and upload fell below the usual."""

    days: dict[str, SpeedDay] = field(default_factory=dict)
    put_off: str = ""
    missing: str = ""
    slow: tuple[str, ...] = ()
    slow_since: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedResult:
    download_bit_per_s: float
    upload_bit_per_s: float
    ping_ms: float
    server: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedLine:
    """A test. failure: why it has no result."""

    time: datetime
    day: str
    result: SpeedResult | None = None
    failure: str = ""


SPEED = Source(file="speed-test/state.json", record=SpeedSeen, schema=1)
SPEED_LINES = Lines(file="speed-test/history.jsonl", record=SpeedLine)


# -- permissions and logs ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSeen:
    """What the audit remembers. told: what the last one left unrepaired, in its words, with the count. left_out: roots that it left
    out, since their mounts were not proven. mounts: by root, the mount that it was on when it was last found well."""

    told: dict[str, int] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    mounts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsSeen:
    """What the log watch remembers. folder: whose files it reads. unreadable: since when what cannot be read."""

    folder: str = ""
    unreadable: dict[str, Moment] = field(default_factory=dict)


AUDIT = Source(file="perms-audit/state.json", record=AuditSeen, schema=1)
UNREADABLE = Source(file="perms-audit/unreadable.json", record=unreadable.Record, schema=unreadable.SCHEMA)
LOGS = Source(file="log-watch/state.json", record=LogsSeen, schema=1)


# -- mounts, and what is done in Plex because of them -------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MountSeen:
    """A guarded mount. path: the mount point. verdict: a word of plexguard-rclone-watchdog(8), "proven" when bytes of a file were
    read. checked: when it was last looked at. since: of the verdict. proven: when bytes of it were last read. latency_s: how long
    the newest bytes took; limit_s: from when they are late. cache_bytes: what rclone keeps on disk, cache_limit_bytes the most.
    waiting: requests that the kernel has sent and nobody has answered. probes: how often what was asked, since ever. remounts: of
    the last day, remounts_total: since ever. fault, fault_at: the last thing that was wrong. gave_up: it is left to a person, or to
    the storage's return."""

    path: str
    verdict: str
    detail: str = ""
    checked: Moment | None = None
    since: Moment | None = None
    proven: Moment | None = None
    remounts: int = 0
    remounts_total: int = 0
    latency_s: float | None = None
    limit_s: float | None = None
    cache_bytes: int | None = None
    cache_limit_bytes: int | None = None
    waiting: int | None = None
    probes: dict[str, int] = field(default_factory=dict)
    fault: str = ""
    fault_at: Moment | None = None
    gave_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldSeen:
    """What is switched off in Plex while mounts are not proven. holders: since when which mount asks for it; none: nothing is.
    before: the values of the settings as they were when the first one came. failed: why not all is done that should be, "" when it
    is."""

    holders: dict[str, Moment] = field(default_factory=dict)
    before: dict[str, str] = field(default_factory=dict)
    failed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrashLibrarySeen:
    """The trash of a library of Plex, by the last run. missing: how many items are in it, and total how many there are in all, None
    when Plex did not tell. limit: the most that is emptied. kept: why it was not emptied, "" when it was, or nothing was missing.
    kept_since: since when. emptied: when it last was; emptied_items: how many items then; emptied_total: since ever."""

    title: str
    missing: int | None = None
    total: int | None = None
    limit: int = 0
    kept: str = ""
    kept_since: Moment | None = None
    emptied: datetime | None = None
    emptied_items: int = 0
    emptied_total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrashSeen:
    """What is known of Plex's trash. checked: when it was last looked at. libraries: by Plex's id. before: what Plex's own setting
    was before it was switched off, "" when it is as Plex's administrator left it. fault: why the last run could tell nothing."""

    checked: Moment | None = None
    libraries: Mapping[str, TrashLibrarySeen] = field(default_factory=dict)
    before: str = ""
    fault: str = ""


MOUNTS = Source(file="rclone-watchdog/*/state.json", record=MountSeen, schema=1)
HOLD = Source(file="plex-hold/state.json", record=HoldSeen, schema=1, spare=RUNTIME_ROOT / "plex-hold/state.json")
TRASH = Source(file="trash/state.json", record=TrashSeen, schema=1)


# -- backups and runs on rented machines ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSeen:
    """The backups of one database. path: of the newest that is verified, "" while there is none. failure: why the last try,
    at `tried`, gave none, "" when it did. kept: how many there are."""

    database: str
    path: str = ""
    made: datetime | None = None
    size_bytes: int = 0
    kept: int = 0
    tried: datetime | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudRunSeen:
    """A run on a rented machine. phase: its name, "done", "failed" or "stopped" at the end. done, total: of what the phase counts,
    total 0 when it counts nothing. line: how far it is, in words. eta: when the run is expected to end. ended: None while it goes
    on. failure: why it failed."""

    phase: str
    began: datetime
    updated: datetime
    done: int = 0
    total: int = 0
    line: str = ""
    eta: datetime | None = None
    cost_euros: float = 0.0
    ended: datetime | None = None
    failure: str = ""


BACKUPS = Source(file="db-export/backups/*/state.json", record=BackupSeen, schema=1)
CLOUD_RUNS = Source(file="cloud-run/*/state.json", record=CloudRunSeen, schema=1)


# -- notifications ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSeen:
    """A channel of notifications. state: "well", "waiting", "quiet" (until these hours end) or "failed". oldest: of what is
    waiting, None when nothing is. dropped, rejected: since ever. reason: why it takes nothing, "" when it does."""

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
