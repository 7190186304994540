"""When the dead man's switch is told what. Pure; what it is told is decided in heartbeat.py."""

from dataclasses import dataclass

from plexguard.core.clock import Moment
from plexguard.core.published import ProbeSeen
from plexguard.notify.heartbeat import Ping, Signal

# Verdicts of the probe with which nobody can watch, and nobody means it to be so.
_ILL = frozenset({"down", "hung", "erroring", "database-blocked", "misconfigured"})
# A single bad check is no problem yet: the probe looks again before it does anything.
_SURE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What was told last, and when."""

    signal: Signal
    at: Moment


def find_problems(probe: ProbeSeen | None) -> tuple[str, ...]:
    """Return what is the matter with Plex, a line each."""
    if probe is None or probe.verdict not in _ILL or probe.found_in_row < _SURE:
        return ()
    return (f"Plex: {probe.verdict}" + (f": {probe.detail}" if probe.detail else ""),)


def choose_pulse(ping: Ping, last: Pulse | None, *, interval_s: float, now: Moment) -> Ping | None:
    """Return what is to be told now: "start" first, then what holds once in each interval, and at once when trouble begins or ends.
    None: nothing now."""
    if last is None:
        return Ping(signal=Signal.START, reason="plexguard-notify was started")
    is_change = ping.signal is not last.signal and Signal.FAIL in (ping.signal, last.signal)
    return ping if is_change or now.seconds_since(last.at) >= interval_s else None
