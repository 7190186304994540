"""Whether a machine that was just rented is ready: what its own script says, and cloud-init's word for whether to wait for it.

cloud-init calls a problem that does no harm here an error too, and its exit codes mean other things since version 23.4: so it is
asked only whether it still works. Ready is what the last step of our own script says.
"""

import enum
from dataclasses import dataclass

from plexguard.cloud_run.first_boot.user_data import FAILED, LOG, READY, Ready, read_ready
from plexguard.core.clock import Clock
from plexguard.core.errors import PeerError, Unavailable
from plexguard.core.host import CommandError, CommandMissing, Commands, Completed

LIMIT_S = 900.0
_LOOK_S = 3.0
_COMMAND_S = 30.0
_LAST_LINES = 12
_STATUS = ("cloud-init", "status", "--long")
# As cloud-init calls it when it is not through; "not run" before version 23.4.
_AT_WORK = ("not run", "not started", "running", "degraded running", "")


class NotReady(PeerError):
    """A rented machine did not become what it was told to be."""


class Stage(enum.Enum):
    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """why: of what failed. ready: what the machine says of itself, once it is. problems: what cloud-init says against it."""

    stage: Stage
    why: str = ""
    ready: Ready | None = None
    problems: str = ""


def judge(status: Completed, failed: Completed, ready: Completed) -> Verdict:
    """Return how far a machine is. status: of cloud-init, which was asked first; failed, ready: what these files hold. Pure."""
    if failed.code == 0:
        return Verdict(stage=Stage.FAILED, why=failed.stdout.strip() or "its script failed")
    rows = dict(line.partition(": ")[::2] for line in status.stdout.splitlines())
    word = rows.get("status", "").strip()
    if word in _AT_WORK:
        return Verdict(stage=Stage.WAITING)
    if ready.code != 0:
        return Verdict(stage=Stage.FAILED, why=f"cloud-init is {word}, and the machine's own script did not run")
    problems = " ".join(status.stdout.split()) if status.code != 0 or word != "done" else ""
    return Verdict(stage=Stage.READY, ready=read_ready(ready.stdout), problems=problems)


def await_ready(host: Commands, clock: Clock) -> Verdict:
    """Wait until a machine is ready, and return what it says of itself. Raises NotReady, with the last lines of its log, and what
    connecting raises when that is tried no more."""
    deadline_s = clock.monotonic_s() + LIMIT_S
    while True:
        verdict = _look(host, may_be_away=clock.monotonic_s() < deadline_s)
        if verdict.stage is Stage.READY:
            return verdict
        if verdict.stage is Stage.FAILED:
            raise NotReady(f"the machine did not become ready: {verdict.why}: {_last_lines(host)}")
        if clock.monotonic_s() >= deadline_s:
            raise NotReady(f"the machine was not ready within {LIMIT_S / 60:.0f} min: {_last_lines(host)}")
        clock.sleep(_LOOK_S)


def _look(host: Commands, *, may_be_away: bool) -> Verdict:
    try:
        status = host.run(_STATUS, timeout_s=_COMMAND_S, check=False)
        failed, ready = (host.run(("cat", file), timeout_s=_COMMAND_S, check=False) for file in (FAILED, READY))
    except CommandMissing:
        return Verdict(stage=Stage.FAILED, why="its image has no cloud-init")
    except (CommandError, Unavailable):
        # A machine at its first boot is busy, and may start its network anew.
        if not may_be_away:
            raise
        return Verdict(stage=Stage.WAITING)
    return judge(status, failed, ready)


def _last_lines(host: Commands) -> str:
    """Return the end of what the machine's first boot has printed, in a line."""
    try:
        done = host.run(("tail", "-n", str(_LAST_LINES), LOG), timeout_s=_COMMAND_S, check=False)
    except (CommandError, Unavailable) as error:
        return f"and its log can't be read: {error}"
    return " / ".join(line.strip() for line in done.stdout.splitlines() if line.strip()) or "and its log is empty"
