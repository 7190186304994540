"""What cannot be read, since when, and that it was told: once when it begins, once when it ends."""

from collections.abc import Mapping

from plexguard.core.clock import Clock, Moment
from plexguard.core.journal import Journal
from plexguard.log_watch import events


class Outages:
    """since: those that were told already, by a word that stays the same whatever the source is called."""

    def __init__(self, journal: Journal, clock: Clock, since: Mapping[str, Moment]) -> None:
        self._journal = journal
        self._clock = clock
        self.since = dict(since)

    def begin(self, key: str, source: str, reason: str) -> None:
        """Tell that a source cannot be read, unless that is known."""
        if key not in self.since:
            self.since[key] = self._clock.moment()
            self._journal.send(events.UNREADABLE, source=source, reason=reason, part=key)

    def end(self, key: str, source: str) -> None:
        """Tell that a source can be read again, if it could not."""
        since = self.since.pop(key, None)
        if since is not None:
            downtime_s = self._clock.moment().seconds_since(since)
            self._journal.send(events.READABLE, source=source, downtime_s=downtime_s, part=key)
