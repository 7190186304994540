"""What is kept of each channel, and what is published of all of them."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from plexguard.core.clock import Moment
from plexguard.core.journal import Journal
from plexguard.core.state import StateFile
from plexguard.notify.decide import Past

CHANNEL_SCHEMA = 1
FOLDER = "channels"
_FIRST_BACKOFF_S = 5.0
_LONGEST_BACKOFF_S = 600.0
LONGEST_RETRY_AFTER_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Since when a channel takes nothing. tries: how often it was tried since; last: when that was; wait_s: how long it is left
    alone from then on. told: whether the journal knows. is_idle: there is nothing to try it with for now."""

    since: Moment
    last: Moment
    reason: str
    kind: str
    tries: int = 1
    wait_s: float = _FIRST_BACKOFF_S
    told: bool = False
    is_idle: bool = False

    def wait_left_s(self, now: Moment) -> float:
        return max(0.0, self.wait_s - now.seconds_since(self.last))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """looked: the number of the first event that was not looked at. wake_at: when there may be something to tell without a new
    event; quiet_until: when the quiet hours end that hold something back."""

    past: Past
    looked: int = 0
    wake_at: datetime | None = None
    quiet_until: datetime | None = None
    outage: Outage | None = None
    delivered: int = 0
    dropped: int = 0
    rejected: int = 0
    succeeded: datetime | None = None
    failed: datetime | None = None
    reason: str = ""


def open_state(root: Path, name: str, journal: Journal) -> StateFile[ChannelState]:
    return StateFile(root / FOLDER / f"{name}.json", ChannelState, schema=CHANNEL_SCHEMA, journal=journal)


def fail(
    state: ChannelState,
    *,
    kind: str,
    reason: str,
    now: Moment,
    jitter: Callable[[], float],
    retry_after_s: float | None = None,
) -> ChannelState:
    """Return the state after a try that failed. jitter: gives 0.0 to 1.0."""
    before = state.outage
    tries = before.tries + 1 if before else 1
    backoff_s = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2 ** min(tries - 1, 20)) * (1 - 0.2 * jitter())
    if retry_after_s is not None:
        backoff_s = max(backoff_s, min(retry_after_s, LONGEST_RETRY_AFTER_S))
    outage = Outage(
        since=before.since if before else now,
        last=now,
        reason=reason,
        kind=kind,
        tries=tries,
        wait_s=backoff_s,
        told=before.told if before else False,
    )
    return dataclasses.replace(state, outage=outage, failed=now.wall, reason=reason)


def is_worth_telling(outage: Outage, now: Moment) -> bool:
    """A service that is away for a minute is nobody's matter; a configuration that is wrong does not mend itself."""
    return not outage.told and (outage.kind == "refused" or (outage.tries >= 3 and now.seconds_since(outage.since) >= 60.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingConfigured:
    """That there is no channel was told, and when: it is told once."""

    since: datetime
