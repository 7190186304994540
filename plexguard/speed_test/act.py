"""Make a test, and carry out plans: save, tell. The line is taken here and nowhere else."""

import os
import re
from datetime import datetime

from plexguard.core.clock import Clock
from plexguard.core.errors import DataError
from plexguard.core.host import CommandMissing, CommandTimeout, Completed, Host
from plexguard.core.journal import Journal
from plexguard.core.spans import show_span
from plexguard.core.state import History, StateFile
from plexguard.speed_test.config import Config
from plexguard.speed_test.decide import Failed, Missing, Outcome, Plan, State
from plexguard.speed_test.result import Record, parse_result

# speedtest.net refuses some requests for no reason of ours, and takes the next one.
_RETRY_AFTER_S = 5.0
_PASSING = re.compile(r"\b403\b|no\s*matched\s*servers", re.IGNORECASE)
_MAX_REASON = 300


def make_test(config: Config, host: Host, clock: Clock) -> Outcome:
    """Run the command, and once more a few seconds later when it failed in a way that passes. Both are one attempt."""
    outcome = _run_command(config, host, clock)
    if isinstance(outcome, Failed) and outcome.is_passing:
        clock.sleep(_RETRY_AFTER_S)
        return _run_command(config, host, clock)
    return outcome


def _run_command(config: Config, host: Host, clock: Clock) -> Outcome:
    began = clock.now()
    try:
        done = host.run(config.command, timeout_s=config.timeout.total_seconds(), check=False)
    except CommandMissing as error:
        return Missing(reason=str(error))
    except CommandTimeout:
        return Failed(reason=f"{config.command[0]} did not end within {show_span(config.timeout)}", code=os.EX_UNAVAILABLE)
    return read_outcome(done, config.command[0], began=began)


def read_outcome(done: Completed, command: str, *, began: datetime) -> Outcome:
    """Return what a command that has ended means."""
    if done.code != 0:
        words = _last_lines(done.stderr or done.stdout)
        return Failed(
            reason=f"{command} ended with {_show_code(done.code)}: {words}",
            code=os.EX_UNAVAILABLE,
            is_passing=bool(_PASSING.search(done.stderr + done.stdout)),
        )
    try:
        return parse_result(done.stdout, began=began)
    except DataError as error:
        # Only its words are searched: a result may hold any number.
        return Failed(
            reason=f"what {command} printed is no result: {error}",
            code=os.EX_PROTOCOL,
            is_passing=bool(_PASSING.search(done.stderr)),
        )


def _show_code(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


def _last_lines(text: str) -> str:
    return " / ".join(text.strip().splitlines()[-3:])[:_MAX_REASON] or "no output"


def carry_out(plan: Plan, *, state: StateFile[State], journal: Journal, past: State | None) -> None:
    """Save first, so that an attempt is counted before it is made, then tell. past: what is on disk already."""
    if plan.state != past:
        state.save(plan.state)
    _tell(plan, journal)


def keep(plan: Plan, record: Record, *, state: StateFile[State], history: History[Record], journal: Journal) -> None:
    """Keep what came of a test, and tell it: with a disk that takes nothing it is told all the same. Raises IoFailed."""
    try:
        state.save(plan.state)
        history.append(record)
    finally:
        _tell(plan, journal)


def _tell(plan: Plan, journal: Journal) -> None:
    for step in plan.steps:
        journal.send(step.event, **step.values)
