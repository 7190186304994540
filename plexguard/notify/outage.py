"""A channel that takes nothing: for how long it is left alone, when that is told, and when it is told to be over."""

import dataclasses
from collections.abc import Callable

from plexguard.core.clock import Clock, Moment
from plexguard.core.journal import Journal
from plexguard.notify import events
from plexguard.notify.message import Away, Busy, Refused, Rejected, SendError
from plexguard.notify.state import FIRST_BACKOFF_S, ChannelState, Outage

_LONGEST_BACKOFF_S = 600.0
_LONGEST_RETRY_AFTER_S = 3600.0
# A service that is away for a minute is nobody's matter.
_TOLD_TRIES, _TOLD_AFTER_S = 3, 60.0
_KINDS: tuple[tuple[type[SendError], str], ...] = ((Away, "away"), (Busy, "busy"), (Refused, "refused"), (Rejected, "rejected"))


def note_failure(
    state: ChannelState, name: str, error: SendError, *, clock: Clock, journal: Journal, jitter: Callable[[], float]
) -> ChannelState:
    """Return the state after a try that failed, and tell it when it is worth that. jitter: gives 0.0 to 1.0."""
    now = clock.moment()
    outage = _prolong(state.outage, error, now, jitter())
    if not outage.told and _is_worth_telling(outage, now):
        journal.send(events.CHANNEL_FAILED, channel=name, reason=outage.reason)
        outage = dataclasses.replace(outage, told=True)
    return dataclasses.replace(state, outage=outage, failed=now.wall, reason=outage.reason)


def tell_recovery(outage: Outage | None, name: str, *, clock: Clock, journal: Journal) -> None:
    """Tell that an outage is over, if it was told. Only once the state that knows nothing of it any more is kept."""
    if outage is not None and outage.told:
        journal.send(events.CHANNEL_RECOVERED, channel=name, downtime_s=clock.moment().seconds_since(outage.since))


def _prolong(before: Outage | None, error: SendError, now: Moment, jitter: float) -> Outage:
    tries = before.tries + 1 if before else 1
    wait_s = min(_LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2 ** min(tries - 1, 20)) * (1 - 0.2 * jitter)
    if isinstance(error, Busy) and error.retry_after_s is not None:
        wait_s = max(wait_s, min(error.retry_after_s, _LONGEST_RETRY_AFTER_S))
    return Outage(
        since=before.since if before else now,
        last=now,
        reason=str(error),
        kind=next(kind for cls, kind in _KINDS if isinstance(error, cls)),
        tries=tries,
        wait_s=wait_s,
        told=before.told if before else False,
    )


def _is_worth_telling(outage: Outage, now: Moment) -> bool:
    # A configuration that is wrong does not mend itself.
    is_long = outage.tries >= _TOLD_TRIES and now.seconds_since(outage.since) >= _TOLD_AFTER_S
    return outage.kind == "refused" or is_long
