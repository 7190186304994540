"""Is it well? The answer for load balancers and uptime checks: yes only when that is known. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from plexguard.core.records import encode
from plexguard.status.overview import Breaker, Overview, State

# Of the probe: who watches can go on watching.
SERVING = frozenset({"healthy", "degraded"})
_PLEX, _DOOR = "plex", "proxy"
_TOLD = (State.PROBLEM, State.UNKNOWN, State.WARNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """reasons: what is wrong, or, while it is healthy, what is worth a look. checked: when Plex was looked at last."""

    healthy: bool
    reasons: tuple[str, ...]
    breaker: Breaker | None = None
    consecutive_failures: int | None = None
    response_times: dict[str, float] = field(default_factory=dict)
    checked: datetime | None = None

    @property
    def status(self) -> int:
        return 200 if self.healthy else 503

    def as_json(self) -> dict[str, Any]:
        return dict(encode(self))


def cannot_tell(reason: str) -> Health:
    return Health(healthy=False, reasons=(reason,))


def judge_all(overview: Overview) -> Health:
    """Judge everything that is guarded."""
    reasons = tuple(problem.text for problem in overview.problems)
    unknown = tuple(f"{thing.title}: {thing.summary}" for thing in overview.things if thing.state is State.UNKNOWN)
    told = tuple(dict.fromkeys((*reasons, *unknown)))
    return _make(overview, healthy=overview.healthy, reasons=told or (() if overview.healthy else ("something is not well",)))


def judge_plex(overview: Overview) -> Health:
    """Judge Plex alone. One that is slow serves, and is healthy here."""
    seen = next((thing for thing in overview.things if thing.name == _PLEX), None)
    if seen is None:
        return cannot_tell("nothing is known of Plex")
    healthy = overview.plex.verdict in SERVING and seen.state in (State.WELL, State.WARNING)
    reasons = () if seen.state is State.WELL and healthy else (seen.summary,)
    door = tuple(f"{thing.title}: {thing.summary}" for thing in overview.things if thing.name == _DOOR and thing.state in _TOLD)
    return _make(overview, healthy=healthy, reasons=reasons + door)


def _make(overview: Overview, *, healthy: bool, reasons: tuple[str, ...]) -> Health:
    plex = overview.plex
    return Health(
        healthy=healthy,
        reasons=reasons,
        breaker=plex.breaker,
        consecutive_failures=plex.consecutive_failures,
        response_times=plex.latencies,
        checked=plex.checked,
    )
