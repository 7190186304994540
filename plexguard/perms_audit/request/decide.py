"""Which requests are looked into, and which are too many. Pure: given the time, in seconds of the monotonic clock."""

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta

from plexguard.core.perms_request import Answer, Verdict
from plexguard.core.recent import Recent

# So many audits in such a time, however many paths a log names.
MOST = 30
_WITHIN_S = 60.0
_MOST_REMEMBERED = 4096
# What came out well may be asked again soon: it costs one look.
_AGAIN_S = 30.0


@dataclass(slots=True)
class Limiter:
    """What was tried lately. repeat_after: how long a path that stays unreadable is left alone."""

    repeat_after: timedelta
    # Until when each path is not tried again.
    _tried: Recent[str, float] = field(default_factory=lambda: Recent(_MOST_REMEMBERED))
    _times: deque[float] = field(default_factory=deque)

    def refuse(self, path: str, now_s: float) -> Answer | None:
        """Return why a path is not looked into now, or None, which counts as a try."""
        again_s = self._tried.find(path)
        if again_s is not None and again_s > now_s:
            return Answer(verdict=Verdict.LATER, detail="it was tried a while ago", retry_s=again_s - now_s)
        while self._times and self._times[0] <= now_s - _WITHIN_S:
            self._times.popleft()
        if len(self._times) >= MOST:
            retry_s = self._times[0] + _WITHIN_S - now_s
            return Answer(verdict=Verdict.LATER, detail=f"{MOST} audits a minute are the limit", retry_s=retry_s)
        self._times.append(now_s)
        return None

    def note(self, path: str, verdict: Verdict, now_s: float) -> None:
        """Remember what came of a path."""
        wait_s = _AGAIN_S if verdict in (Verdict.READABLE, Verdict.REPAIRED) else self.repeat_after.total_seconds()
        self._tried.remember(path, now_s + wait_s)
