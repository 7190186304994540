"""What is kept of each channel, and what is published of all of them."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from plexguard.core.clock import Moment
from plexguard.core.journal import Journal
from plexguard.core.state import StateFile
from plexguard.notify.past import Past

CHANNEL_SCHEMA = 1
FOLDER = "channels"
FIRST_BACKOFF_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Since when a channel takes nothing. tries: how often it was tried since; last: when that was; wait_s: how long it is left
    alone from then on. told: whether the journal knows. is_idle: there is nothing to try it with for now."""

    since: Moment
    last: Moment
    reason: str
    kind: str
    tries: int = 1
    wait_s: float = FIRST_BACKOFF_S
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


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingConfigured:
    """That there is no channel was told, and when: it is told once."""

    since: datetime
