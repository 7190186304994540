"""The states of Plex, and the tables of how one follows the other. Pure.

A check finds a state (`judge`); whether Plex is then said to be in it is for TRANSITIONS, which knows how many checks in a row
must find it. EXCUSES has for how long a state that passes by itself excuses silence.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from plexguard.plex_probe.config import Config
from plexguard.plex_probe.look import Answer
from plexguard.plex_probe.observe import Observation
from plexguard.plex_probe.server import ServerState


class Verdict(enum.StrEnum):
    """What is the matter with Plex."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    DOWN = "down"
    HUNG = "hung"
    ERRORING = "erroring"
    DATABASE_BLOCKED = "database-blocked"
    MAINTENANCE = "maintenance"
    UPDATING = "updating"
    STARTING = "starting"
    STOPPED = "stopped"
    MISCONFIGURED = "misconfigured"
    UNKNOWN = "unknown"


EVERY = frozenset(Verdict)
# Plex serves: whoever watches goes on watching.
SERVING = frozenset({Verdict.HEALTHY, Verdict.DEGRADED})
# Where it is certain that nobody can be watching, so that a restart harms nobody. What errs or has a blocked database
# may still be playing to somebody: that is reported, and a person decides.
OUTAGES = frozenset({Verdict.DOWN, Verdict.HUNG})
# Plex is meant to be away, which is no part of an outage that comes after it.
MEANT = frozenset({Verdict.STOPPED, Verdict.UPDATING})


@dataclass(frozen=True, slots=True)
class Transition:
    """From a state, when a check finds `found`, and has for so many checks in a row: to `to`, None for what was found."""

    before: frozenset[Verdict]
    found: frozenset[Verdict]
    checks: int
    to: Verdict | None = None


# The first row that fits holds. While its checks are not reached, the state stays what it was.
TRANSITIONS = (
    # Slow once is a disk that woke up; and to be well again takes as long, so that it does not flap.
    Transition(frozenset({Verdict.HEALTHY}), frozenset({Verdict.DEGRADED}), 3),
    Transition(frozenset({Verdict.DEGRADED}), frozenset({Verdict.HEALTHY}), 3),
    Transition(frozenset({Verdict.DEGRADED}), frozenset({Verdict.DEGRADED}), 1),
    # After an outage a slow answer is an answer: the outage is over.
    Transition(EVERY, frozenset({Verdict.DEGRADED}), 1, Verdict.HEALTHY),
    # Everything else was looked at several times within its check, or Plex has said it itself.
    Transition(EVERY, EVERY, 1),
)


def advance(before: Verdict, found: Verdict, in_row: int) -> Verdict:
    """Return the state after a check. in_row: how many checks, this one included, have found the same."""
    row = next(row for row in TRANSITIONS if before in row.before and found in row.found)
    return (row.to or found) if in_row >= row.checks else before


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What is known from the checks before. moves: its log or its database has moved since, None when that cannot be told.
    is_busy: its database was written to in this silence, minutes ago at the most. has_answered: Plex has, at this address."""

    verdict: Verdict = Verdict.HEALTHY
    moves: bool | None = False
    is_busy: bool = False
    has_answered: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Excuse:
    """While `holds`, and for no longer than `limit`, a Plex that does not answer is in `verdict`, and at no fault."""

    name: str
    verdict: Verdict
    holds: Callable[[Observation, Before], bool]
    limit: Callable[[Config], timedelta]


def _runs(seen: Observation) -> bool:
    return seen.server.state is ServerState.RUNNING


# In this order: a Plex that its package stops was not stopped by an administrator, and needs no start of ours.
EXCUSES = (
    Excuse(
        name="update",
        verdict=Verdict.UPDATING,
        holds=lambda seen, _before: bool(seen.server.update),
        limit=lambda config: config.update_limit,
    ),
    Excuse(
        name="transition",
        verdict=Verdict.STARTING,
        holds=lambda seen, _before: seen.server.state in (ServerState.STARTING, ServerState.RESTARTING),
        limit=lambda config: config.transition_limit,
    ),
    # A start that takes long, over a database that it recovers or a library on a slow disk; also where that cannot be seen.
    Excuse(
        name="start",
        verdict=Verdict.STARTING,
        holds=lambda seen, before: _runs(seen) and before.verdict is Verdict.STARTING and before.moves is not False,
        limit=lambda config: config.start_limit,
    ),
    # From maintenance to service another part of Plex takes over, and a migration may leave no time for answers.
    Excuse(
        name="maintenance",
        verdict=Verdict.MAINTENANCE,
        holds=lambda seen, before: _runs(seen) and before.verdict is Verdict.MAINTENANCE,
        limit=lambda config: config.maintenance_limit,
    ),
    # The weekly optimisation, and whatever else writes for minutes, makes Plex silent: it works, and is not hung.
    Excuse(
        name="busy",
        verdict=Verdict.DATABASE_BLOCKED,
        holds=lambda seen, before: (
            _runs(seen) and seen.last.answer is Answer.SILENT and (bool(seen.database_moves) or before.is_busy)
        ),
        limit=lambda config: config.busy_limit,
    ),
)

_BY_ANSWER = {
    Answer.WELL: Verdict.HEALTHY,
    Answer.LIMITED: Verdict.HEALTHY,
    Answer.MEDIA_FAILED: Verdict.DEGRADED,
    Answer.MAINTENANCE: Verdict.MAINTENANCE,
    Answer.UNAUTHORIZED: Verdict.MISCONFIGURED,
    Answer.REFUSED: Verdict.DOWN,
    Answer.SILENT: Verdict.HUNG,
    Answer.DATABASE_SILENT: Verdict.DATABASE_BLOCKED,
    Answer.FAILING: Verdict.ERRORING,
    Answer.BROKEN: Verdict.ERRORING,
    Answer.UNREACHABLE: Verdict.MISCONFIGURED,
}
# Where what runs Plex has no Plex, whoever answers at its address is not Plex: a proxy, or who took the port.
_NOT_THERE = {
    ServerState.STOPPED: Verdict.STOPPED,
    ServerState.DOWN: Verdict.DOWN,
    ServerState.LEFT_STOPPED: Verdict.DOWN,
    ServerState.EMPTY: Verdict.UNKNOWN,
}


def judge(seen: Observation, excuse: Verdict | None, before: Before, config: Config) -> Verdict:
    """Return the state that this check alone finds. excuse: what excuses silence just now, if anything does."""
    answer = seen.last.answer
    verdict = _BY_ANSWER[answer]
    if answer.is_conclusive:
        is_slow = seen.last.slowest_s >= config.slow.total_seconds()
        return Verdict.DEGRADED if verdict is Verdict.HEALTHY and is_slow else verdict
    if excuse is Verdict.UPDATING or (seen.server.state is ServerState.STOPPED and seen.server.update):
        return Verdict.UPDATING
    if seen.server.state in _NOT_THERE:
        return _NOT_THERE[seen.server.state]
    if excuse is not None:
        return excuse
    if seen.elsewhere:
        return Verdict.MISCONFIGURED
    if seen.is_deadlocked:
        return Verdict.HUNG
    if verdict not in OUTAGES:
        return verdict
    if seen.server.state is ServerState.UNKNOWN:
        return Verdict.UNKNOWN
    if not before.has_answered:
        # A Plex that runs, at an address where nothing has ever answered: it may well answer at another.
        return Verdict.MISCONFIGURED
    return _find_doubt(seen) or verdict


def _find_doubt(seen: Observation) -> Verdict | None:
    """Return the verdict of the last look that speaks against an outage, if there is one: an outage is only certain when
    every look met it."""
    verdicts = [_BY_ANSWER[look.answer] for look in seen.looks]
    return next((verdict for verdict in reversed(verdicts) if verdict not in OUTAGES), None)
