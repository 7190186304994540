"""The dead man's ping: what is told to a service that raises the alarm when it hears nothing. Pure."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from plexguard.core.clock import Moment
from plexguard.core.config import show_span
from plexguard.core.published import ProbeSeen

# A probe that has not looked for so long, nor for so many of its intervals, does not look any more. A check in trouble takes
# minutes.
SILENT_PROBE = timedelta(minutes=15)
_SILENT_INTERVALS = 3


class Signal(enum.Enum):
    """What healthchecks services know, by what is appended to the address."""

    START = "/start"
    SUCCESS = ""
    FAIL = "/fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """A signal, and a short text for people, "" with SUCCESS."""

    signal: Signal
    reason: str = ""


def judge_ping(probe: ProbeSeen | None, problems: Sequence[str], now: Moment) -> Ping:
    """Return what to tell. problems: what is told and not over, a line each.

    That Plex is well is said only on the word of a probe that has looked since this boot and lately: one that is turned off, or
    cannot run, must not look like a healthy system.
    """
    limit_s = max(SILENT_PROBE.total_seconds(), _SILENT_INTERVALS * probe.interval_s if probe is not None else 0.0)
    checked = probe.checked if probe is not None else None
    if problems:
        return Ping(signal=Signal.FAIL, reason="; ".join(problems))
    if checked is None or checked.boot_id != now.boot_id:
        if now.uptime_s < limit_s:
            return Ping(signal=Signal.START, reason="no check of Plex since this machine started")
        return Ping(signal=Signal.FAIL, reason="plexguard-plex-probe has not checked Plex since this machine started")
    silent_s = now.seconds_since(checked)
    if silent_s > limit_s:
        span = show_span(timedelta(minutes=int(silent_s // 60)))
        return Ping(signal=Signal.FAIL, reason=f"plexguard-plex-probe has not checked Plex for {span}")
    return Ping(signal=Signal.SUCCESS)
