"""Reboot, after it was counted and a notice was left; or say once why not."""

import dataclasses
import os

from plexguard.core.clock import Clock
from plexguard.core.host import CommandFailed, CommandMissing, Host
from plexguard.core.state import StateFile
from plexguard.net_recover import events
from plexguard.net_recover.history import Teller
from plexguard.net_recover.reboot.decide import Budget, Known, RebootObservation, Refuse, take_back
from plexguard.net_recover.states import REBOOTABLE

# Without --check-inhibitors= root's reboot ignores those who forbid it on systemd 252. It also waits for people who are logged in.
COMMAND = ("systemctl", "--no-ask-password", "reboot", "--check-inhibitors=yes")
_COMMAND_TIMEOUT_S = 60.0


def refuse(refusal: Refuse, budget: Budget, *, file: StateFile[Budget], teller: Teller) -> int:
    """Tell a refusal of another kind than the last one; return the exit code."""
    if refusal.kind != budget.refused:
        teller.tell(events.REBOOT_REFUSED, reason=refusal.reason)
        file.save(dataclasses.replace(budget, refused=refusal.kind))
    return os.EX_TEMPFAIL if refusal.passing else os.EX_UNAVAILABLE


def reboot(
    seen: RebootObservation,
    known: Known,
    budget: Budget,
    *,
    file: StateFile[Budget],
    host: Host,
    clock: Clock,
    teller: Teller,
) -> int:
    """Count, leave the notice, tell, and reboot. Raises IoFailed when it cannot be counted: then there is none."""
    problem = known.checked.problem if known.checked is not None else None
    assert seen.verdict in REBOOTABLE
    assert problem is not None
    now = clock.moment()
    spent = budget.spend(now, f"{seen.verdict.value}: {seen.detail}", is_synchronised=known.is_synchronised)
    file.save(spent)
    teller.tell(
        events.REBOOTING,
        kind=seen.verdict.value,
        detail=seen.detail,
        lost_s=now.seconds_since(problem.began),
        in_all=len(spent.reboots),
    )
    try:
        host.run(COMMAND, timeout_s=_COMMAND_TIMEOUT_S)
    except (CommandFailed, CommandMissing) as error:
        # Only what says itself that it did not happen is taken back: somebody forbade it in this very second, or is logged in.
        # Any other failure may be one of the answer alone, with the machine on its way down.
        left = take_back(spent) if "inhibit" in str(error).lower() else spent
        return refuse(Refuse("refused", str(error)), left, file=file, teller=teller)
    return 0
