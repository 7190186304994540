"""The overview of everything that is guarded, as plain data: what the screen, the web page and the metrics are made of.

`core.records.encode` makes JSON of it: the form that `plexguard-status --format json` prints and /api/v1/overview answers.
Texts come from outside as well (a Plex that answers nonsense, names of files): who shows one must show it as text.
"""

import enum
from dataclasses import dataclass, field
from datetime import datetime


class State(enum.Enum):
    """How a guarded thing is. What cannot be told is never well."""

    WELL = "well"
    WARNING = "warning"
    PROBLEM = "problem"
    UNKNOWN = "unknown"
    OFF = "off"

    @property
    def gravity(self) -> int:
        """From what needs nobody to what needs somebody."""
        return (State.OFF, State.WELL, State.UNKNOWN, State.WARNING, State.PROBLEM).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """Something that is guarded. name: stays the same ("plex", "mount media"); title: for people. summary: one line. since: when
    it came to be so, None when that is not known. details: rows of label and value. command: shows more."""

    name: str
    title: str
    state: State
    summary: str
    since: datetime | None = None
    details: tuple[tuple[str, str], ...] = ()
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """The proxy's guard before Plex. state: "closed" (all may pass), "open" (none may), "half-open" (only checks do) or "unknown":
    then nothing but opens, open_s and checked is told. since: of the state; opened: when callers were first turned away, None while
    they are not. trigger: "traffic", "checks", "verdict" or "drain". reason, text: what callers are told. failures, failed_checks:
    in a row. opens: how often it has opened; open_s: for how many seconds in all. checked: when it looked last."""

    state: str
    since: datetime | None = None
    opened: datetime | None = None
    trigger: str = ""
    reason: str = ""
    text: str = ""
    failures: int = 0
    failed_checks: int = 0
    opens: int = 0
    open_s: float = 0.0
    checked: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlexView:
    """What the probe says of Plex. verdict: of plexguard-plex-probe(8), "unknown" when there is no recent one. latencies: seconds
    by level. viewers: players at which somebody watches, None when that is not known."""

    verdict: str
    detail: str = ""
    level: str = ""
    checked: datetime | None = None
    version: str = ""
    latencies: dict[str, float] = field(default_factory=dict)
    viewers: int | None = None
    consecutive_failures: int = 0
    breaker: Breaker | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerView:
    """A timer. result: of the last run, in systemd's word, "" when there was none."""

    unit: str
    last: datetime | None = None
    next: datetime | None = None
    result: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetView:
    """How often something may still be done. period: in words ("24 h"). limit 0: it is switched off."""

    name: str
    used: int
    limit: int
    period: str
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelView:
    """Where messages go. waiting: not delivered yet; oldest: the time of the first of them. dropped: lost for want of room."""

    name: str
    kind: str
    waiting: int = 0
    oldest: datetime | None = None
    dropped: int = 0
    state: State = State.UNKNOWN
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemView:
    """What is wrong, and the command that shows more."""

    text: str
    since: datetime | None = None
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MountView:
    """A guarded mount, as core.published.MountSeen tells it. verdict: "unknown" when there is no fresh one, "stopped" when it was
    switched off. held_since: since when Plex is held for it, None while it is not."""

    name: str
    path: str
    state: State
    verdict: str
    detail: str = ""
    checked: datetime | None = None
    proven: datetime | None = None
    latency_s: float | None = None
    limit_s: float | None = None
    cache_bytes: int | None = None
    cache_limit_bytes: int | None = None
    waiting: int | None = None
    probes: dict[str, int] = field(default_factory=dict)
    remounts: int = 0
    remounts_total: int | None = None
    fault: str = ""
    fault_at: datetime | None = None
    held_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldView:
    """What is switched off in Plex for the sake of mounts. held: None when it cannot be told. mounts: that ask for it. failed: why
    it is not done yet."""

    held: bool | None
    since: datetime | None = None
    mounts: tuple[str, ...] = ()
    failed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrashView:
    """The trash of one library of Plex, as core.published.TrashLibrarySeen tells it."""

    library: str
    title: str
    state: State
    missing: int | None = None
    total: int | None = None
    limit: int = 0
    kept: str = ""
    kept_since: datetime | None = None
    emptied: datetime | None = None
    emptied_items: int = 0
    emptied_total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupView:
    name: str
    database: str
    state: State
    path: str = ""
    made: datetime | None = None
    size_bytes: int = 0
    kept: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudRunView:
    name: str
    phase: str
    began: datetime
    done: int = 0
    total: int = 0
    line: str = ""
    eta: datetime | None = None
    cost_euros: float = 0.0
    state: State = State.WELL
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All of it. healthy: nothing is a problem, and nothing that ought to be known is unknown."""

    at: datetime
    host: str
    healthy: bool
    things: tuple[Thing, ...] = ()
    plex: PlexView
    timers: tuple[TimerView, ...] = ()
    budgets: tuple[BudgetView, ...] = ()
    channels: tuple[ChannelView, ...] = ()
    problems: tuple[ProblemView, ...] = ()
    mounts: tuple[MountView, ...] = ()
    hold: HoldView | None = None
    trash: tuple[TrashView, ...] = ()
    backups: tuple[BackupView, ...] = ()
    cloud_runs: tuple[CloudRunView, ...] = ()
