"""Long work on a machine, which goes on when the connection to it is lost: a transient unit of the machine's own systemd.

A job has a name, and is begun once: who begins it again finds the one that is there, also after having been cut off. The same on
any machine, this one included; it takes root there.
"""

import contextlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from plexguard.core.clock import Clock
from plexguard.core.errors import PeerError, PlexguardError, TryAgain, Unavailable
from plexguard.core.host import CommandError, CommandFailed, Commands
from plexguard.core.program import FOUND_PROBLEMS

_COMMAND_S = 60.0
# A job of a second is seen to have ended within one; one of hours is asked every few seconds.
_FIRST_LOOK_S, _LOOK_S, _SLOWING = 0.5, 5.0, 0.2
# Within which the journal has what a job has printed.
_ANSWER_S = 20.0
# For how long a machine may be away while a job runs there: a line that is down for a night is no reason to give up paid work.
_AWAY_S = 12 * 3600.0
_LAST_LINES = 12
_PROPERTIES = ("LoadState", "ActiveState", "Result", "ExecMainStatus")


class JobFailed(PlexguardError):
    """A job ended with an error."""

    exit_code = FOUND_PROBLEMS


class JobGone(TryAgain):
    """There is no such job: its machine was booted since, or it was never begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a job is. code: its exit code once it has ended, of a signal its number. result: in systemd's words."""

    is_there: bool
    has_ended: bool = False
    code: int = 0
    result: str = ""

    @property
    def is_good(self) -> bool:
        return self.has_ended and self.result == "success" and self.code == 0


def read_standing(text: str) -> Standing:
    """Return how a job is from what `systemctl show` says of its unit. Pure."""
    rows = dict(line.partition("=")[::2] for line in text.splitlines())
    if rows.get("LoadState") != "loaded":
        return Standing(is_there=False)
    status = rows.get("ExecMainStatus", "")
    # It remains "active" once its only process has ended well; "inactive" it is for a moment before it has begun.
    has_ended = rows.get("ActiveState") in ("active", "failed")
    return Standing(
        is_there=True, has_ended=has_ended, code=int(status) if status.isdecimal() else 0, result=rows.get("Result", "")
    )


def read_answer(name: str, lines: Sequence[str]) -> Any:
    """Return the last of the lines that are JSON. name: of who has printed them. Pure. Raises PeerError."""
    try:
        return json.loads([line for line in lines if line.startswith("{")][-1])
    except (IndexError, ValueError, RecursionError) as error:
        raise PeerError(f"{name}: its answer is no JSON: {' / '.join(lines[-3:]) or 'nothing'}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """name: of a-z, 0-9 and -, one job at a time of each. host: where it runs."""

    host: Commands
    name: str

    @property
    def unit(self) -> str:
        return f"plexguard-job-{self.name}.service"

    def begin(self, argv: Sequence[str], *, limit_s: float) -> bool:
        """Begin it, and return whether it was not there yet. limit_s: after what time its machine ends it.

        Where the connection is lost meanwhile, begin it again: a job that was begun is found. Raises CommandError, ConnectionLost.
        """
        if self.look().is_there:
            return False
        options = (f"--unit={self.unit}", "--quiet", "--no-block", "--service-type=oneshot", "--remain-after-exit")
        properties = (f"--property=TimeoutStartSec={limit_s:.0f}", "--property=KillMode=control-group")
        try:
            self.host.run(("systemd-run", *options, *properties, "--", *argv), timeout_s=_COMMAND_S)
        except CommandFailed:
            # An attempt before this one, whose connection was lost, may have come through meanwhile.
            if not self.look().is_there:
                raise
            return False
        return True

    def look(self) -> Standing:
        """Raises CommandError, ConnectionLost."""
        properties = (f"--property={name}" for name in _PROPERTIES)
        return read_standing(self.host.run(("systemctl", "show", *properties, "--", self.unit), timeout_s=_COMMAND_S).stdout)

    def read_lines(self, count: int = _LAST_LINES) -> list[str]:
        """Return the last lines that it has printed. Raises CommandError, ConnectionLost."""
        # What a job printed just before its end may not have been taken in yet.
        self.host.run(("journalctl", "--sync"), timeout_s=_COMMAND_S, check=False)
        # Not --unit=, with which the service manager has the last word.
        where = (f"_SYSTEMD_UNIT={self.unit}", "--boot", f"--lines={count}")
        argv = ("journalctl", *where, "--output=cat", "--no-pager", "--quiet")
        return [line for line in self.host.run(argv, timeout_s=_COMMAND_S).stdout.splitlines() if line.strip()]

    def await_answer(self, clock: Clock) -> Any:
        """Return what it has printed as JSON; its end is known before the journal has its last line. Raises PeerError, CommandError
        and ConnectionLost."""
        until_s = clock.monotonic_s() + _ANSWER_S
        while True:
            try:
                return read_answer(self.name, self.read_lines())
            except PeerError:
                if clock.monotonic_s() >= until_s:
                    raise
            clock.sleep(_FIRST_LOOK_S)

    def wait(
        self,
        clock: Clock,
        *,
        tell: Callable[[Standing], object] = lambda _: None,
        away_s: float = _AWAY_S,
        goods: Collection[int] = (0,),
    ) -> None:
        """Wait for its end, however often the connection is lost. tell: is called after each look, and may look at more. goods: the
        exit codes that are no failure.

        Raises JobFailed with its last lines, JobGone, and what reaching the machine raises when that has failed for away_s.
        """
        began_s = seen_s = clock.monotonic_s()
        while True:
            try:
                standing = self.look()
                seen_s = clock.monotonic_s()
            except (CommandError, Unavailable):
                if clock.monotonic_s() - seen_s >= away_s:
                    raise
            else:
                with contextlib.suppress(CommandError, Unavailable):  # what it has to tell may be told at the next look
                    tell(standing)
                if not standing.is_there:
                    raise JobGone(f"{self.name}: the job is not there any more: its machine was booted anew")
                if standing.has_ended:
                    break
            clock.sleep(min(_LOOK_S, max(_FIRST_LOOK_S, _SLOWING * (clock.monotonic_s() - began_s))))
        if not (standing.is_good or (standing.result == "exit-code" and standing.code in goods)):
            lines = " / ".join(self.read_lines()) or "it printed nothing"
            raise JobFailed(f"{self.name}: {standing.result}, exit code {standing.code}: {lines}")

    def forget(self) -> None:
        """End it where it still runs, and make room for another of its name. Raises CommandError, ConnectionLost."""
        for verb in ("stop", "reset-failed"):
            self.host.run(("systemctl", verb, "--", self.unit), timeout_s=_COMMAND_S, check=False)
