"""What a channel remembers of what it was told: how far it is, which troubles are not over, what was folded. Pure.

Each step gives a new one, so that the state after every message can be kept with it.
"""

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from plexguard.notify.line import Line

# Of each table, so that a state stays small whatever is told.
MOST_KEPT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What came of one trouble since a time. comings: how often, of which `folded` were not told one by one. last: the newest that
    was folded, a recovery when the trouble is over."""

    began: datetime
    comings: int = 0
    folded: int = 0
    last: Line | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A problem that the channel was told and that is not over, as far as it knows."""

    id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """How far a channel is. position: the number of the first event that is not done with. passed: the time of the last one that
    is. windows, troubles: by Line.key."""

    position: int
    passed: datetime | None = None
    windows: dict[str, Window] = field(default_factory=dict)
    troubles: dict[str, Trouble] = field(default_factory=dict)

    def move(self, position: int, passed: datetime) -> Self:
        return dataclasses.replace(self, position=position, passed=passed)

    def keep_window(self, key: str, window: Window) -> Self:
        return dataclasses.replace(self, windows={**self.windows, key: window})

    def forget_window(self, key: str) -> Self:
        return dataclasses.replace(self, windows={k: w for k, w in self.windows.items() if k != key})

    def keep_trouble(self, key: str, trouble: Trouble) -> Self:
        """Keep it as the newest; of too many, the oldest is forgotten."""
        kept = {k: t for k, t in self.troubles.items() if k != key}
        while len(kept) >= MOST_KEPT:
            del kept[next(iter(kept))]
        return dataclasses.replace(self, troubles={**kept, key: trouble})

    def forget_troubles(self, keys: Collection[str]) -> Self:
        return dataclasses.replace(self, troubles={k: t for k, t in self.troubles.items() if k not in keys})
