"""One event about a unit that failed, with what it wrote last.

`OnFailure=` starts it, for a unit that stays failed. A daemon that the manager starts again never is, however often it ends: it
tells of itself with `ExecStopPost=`.
"""

import os
import re
from collections.abc import Iterable, Mapping

from plexguard.core.journal import open_reader
from plexguard.core.manager import Manager
from plexguard.core.secret import mask

# Instances are names of units; anything else was not written by the manager.
UNIT_NAME = re.compile(r"[A-Za-z0-9:_.@\\-]{1,255}", re.ASCII)
# What no restart can help (RestartPreventExitStatus=USAGE CONFIG NOPERM): the unit stays failed, and OnFailure= tells it. And what
# is no failure: a daemon that begins anew of its own accord (TEMPFAIL), which the manager calls one while it is still starting.
_NOT_TOLD = frozenset(map(str, (os.EX_USAGE, os.EX_CONFIG, os.EX_NOPERM, os.EX_TEMPFAIL)))
# An instance that stands for one connection (Accept=yes): its number, and who is at the other end. Each is another unit, and all
# have the same trouble.
_CONNECTION = re.compile(r"@[0-9]+-[0-9_]+-[0-9]+\.service$", re.ASCII)
_INVOCATION = re.compile(r"[0-9a-f]{32}", re.ASCII)
_LINES = 10
_MAX_LINE = 300


def is_restarted(environment: Mapping[str, str]) -> bool:
    """Tell whether the daemon that ends just now failed, and is started again. environment: as ExecStopPost= has it."""
    return environment.get("SERVICE_RESULT", "success") != "success" and environment.get("EXIT_STATUS") not in _NOT_TOLD


def describe_failure(unit: str, environment: Mapping[str, str], manager: Manager, last_lines: Iterable[str]) -> dict[str, str]:
    """Return the values of the event. environment: of systemd.exec(5), $MONITOR_SERVICE_RESULT and its kin of who failed, or
    $SERVICE_RESULT and its kin of who ends just now; empty in a trial by hand."""
    name = environment.get("MONITOR_UNIT") or unit
    result, code, status = (
        environment.get(f"MONITOR_{what}", environment.get(what, "")) for what in ("SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS")
    )
    if not result:
        seen = manager.unit(name)
        result, code, status = seen.result, "exit code or signal", str(seen.exit_code)
    ended = f"{code} {status}".strip() or "no process"
    shown = [_bound(line) for line in last_lines]
    name = _CONNECTION.sub("@*.service", name)
    return {"failed_unit": name, "result": result, "ended": ended, "lines": "".join(f"\n{line}" for line in shown if line)}


def _bound(line: str) -> str:
    text = mask(" ".join(line.split()))
    return text if len(text) <= _MAX_LINE else text[: _MAX_LINE - 1] + "…"


def read_last_lines(invocation: str) -> tuple[str, ...]:
    """Return the last messages of one run of a unit, oldest first; none where the journal cannot be read."""
    if not _INVOCATION.fullmatch(invocation):
        return ()
    try:
        reader = open_reader()
        reader.add_match(f"_SYSTEMD_INVOCATION_ID={invocation}")
        reader.seek_tail()
        found = [reader.get_previous() for _ in range(_LINES)]
    except OSError:
        return ()
    return tuple(str(entry["MESSAGE"]) for entry in reversed(found) if isinstance(entry.get("MESSAGE"), str))
