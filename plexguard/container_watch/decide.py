"""What Docker's words mean over time: was the container stopped on purpose, and when was it started. Pure."""

import dataclasses

from plexguard.core.clock import Moment
from plexguard.core.found import FoundContainer

_ENDED = ("exited", "dead")
# Signals that ask for something else than an end: HUP, USR1, USR2, CONT, WINCH.
_HARMLESS = ("1", "10", "12", "18", "28")


def remember_stop(event: str, stop_seen: bool) -> bool:
    """Return whether a stop on purpose is known, after an event: its action, and for "kill" the number of the signal.

    `docker stop`, `docker kill`, compose and the like signal the container first ("kill"), then it dies. A crash has only
    "die". A start makes all of it history.
    """
    action, _, number = event.strip().partition(" ")
    if action == "stop" or (action == "kill" and number not in _HARMLESS):
        return True
    if action in ("start", "restart", "unpause", "create"):
        return False
    return stop_seen


def stays_stopped(found: FoundContainer, last: FoundContainer | None) -> bool:
    """Tell whether a container that has ended was stopped on purpose by what was published last, and not started since.

    Events are only known as long as Docker and this program run; an admin's stop outlives both.
    """
    if last is None or found.status not in _ENDED or last.status not in _ENDED:
        return False
    return last.stopped_on_purpose and (last.name, last.started) == (found.name, found.started)


def date_start(found: FoundContainer, last: FoundContainer | None, now: Moment) -> FoundContainer:
    """Return the container with its start on the clock that nobody sets: reckoned once, when the start is first seen."""
    if found.started is None:
        return found
    if last is not None and last.started_s is not None and (last.id, last.started) == (found.id, found.started):
        return dataclasses.replace(found, started_s=last.started_s)
    age_s = max(0.0, (now.wall - found.started).total_seconds())
    return dataclasses.replace(found, started_s=max(0.0, now.uptime_s - age_s))
