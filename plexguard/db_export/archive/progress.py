"""How far a long work is: told by who does it, shown by who was asked for it."""

from dataclasses import dataclass
from typing import Protocol

from plexguard.core.clock import Clock


class Progress(Protocol):
    def begin(self, what: str, total_bytes: int) -> None:
        """Say what comes now, and how much of it there is."""
        ...

    def advance(self, done_bytes: int) -> None:
        """Say how much more of it is done."""
        ...


class NoProgress:
    def begin(self, what: str, total_bytes: int) -> None: ...

    def advance(self, done_bytes: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a work stands. left_s: by the pace so far, None before there is one."""

    what: str
    percent: int
    left_s: float | None

    def show(self) -> str:
        left = "" if self.left_s is None else f", {_show_left(self.left_s)} left"
        return f"{self.what}: {self.percent} %{left}"


class Pace:
    """Reckons where a work stands. Not more often than every `every_s` seconds is there anything new."""

    def __init__(self, clock: Clock, *, every_s: float = 1.0) -> None:
        self._clock = clock
        self._every_s = every_s
        self._what, self._total_bytes, self._done_bytes = "", 0, 0
        self._began_s = self._next_s = 0.0

    def begin(self, what: str, total_bytes: int) -> Standing:
        self._what, self._total_bytes, self._done_bytes = what, total_bytes, 0
        self._began_s = self._clock.monotonic_s()
        self._next_s = self._began_s + self._every_s
        return Standing(what=what, percent=0, left_s=None)

    def advance(self, done_bytes: int) -> Standing | None:
        self._done_bytes += done_bytes
        now_s = self._clock.monotonic_s()
        if now_s < self._next_s:
            return None
        self._next_s = now_s + self._every_s
        share = min(1.0, self._done_bytes / self._total_bytes) if self._total_bytes else 1.0
        left_s = (now_s - self._began_s) * (1 - share) / share if share else None
        return Standing(what=self._what, percent=int(share * 100), left_s=left_s)


def _show_left(left_s: float) -> str:
    whole = round(left_s)
    return f"{whole} s" if whole < 120 else f"{round(whole / 60)} min"
