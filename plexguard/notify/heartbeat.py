"""The dead man's ping: what a service that raises the alarm when it hears nothing is told, and when. Pure."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from plexguard.core.clock import Moment
from plexguard.core.published import ProbeSeen
from plexguard.core.spans import show_span

# A probe that has not looked for so long, nor for so many of its intervals, does not look any more. A check in trouble takes
# minutes.
SILENT_PROBE = timedelta(minutes=15)
_SILENT_INTERVALS = 3
# Verdicts of the probe with which nobody can watch, and nobody means it to be so.
_ILL = frozenset({"down", "hung", "erroring", "database-blocked", "misconfigured"})
# A single bad check is no problem yet: the probe looks again before it does anything.
_SURE = 2


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


@dataclass(frozen=True, slots=True, kw_only=True)
class LastPing:
    """What was told last, and when."""

    signal: Signal
    at: Moment


def find_problems(probe: ProbeSeen | None) -> tuple[str, ...]:
    """Return what is the matter with Plex, a line each."""
    if probe is None or probe.verdict not in _ILL or probe.found_in_row < _SURE:
        return ()
    return (f"Plex: {probe.verdict}" + (f": {probe.detail}" if probe.detail else ""),)


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


def choose_ping(ping: Ping, last: LastPing | None, *, interval_s: float, now: Moment) -> Ping | None:
    """Return what is to be told now: "start" first, then what holds once in each interval, and at once when trouble begins or ends.
    None: nothing now."""
    if last is None:
        return Ping(signal=Signal.START, reason="plexguard-notify was started")
    is_change = ping.signal is not last.signal and Signal.FAIL in (ping.signal, last.signal)
    return ping if is_change or now.seconds_since(last.at) >= interval_s else None
