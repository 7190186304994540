"""Whether to reboot: asked at the moment of acting, with a budget that outlives the reboot. When in doubt there is none. Pure."""

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta

from plexguard.core.clock import Moment
from plexguard.core.published import RebootSeen, RebootsSeen
from plexguard.net_recover.config import Config
from plexguard.net_recover.decide import State
from plexguard.net_recover.observe import Watching
from plexguard.net_recover.states import REBOOTABLE, Verdict

DAY_S = 86_400.0
# A machine that has just come up is still on its way, and so are the people who made it do so.
LEAST_UPTIME_S = 900.0
# The check looks every minute or so; an older word of it is none.
_STATE_AGE_S = 7_200.0
_KEPT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is left behind before a reboot, to be told after it."""

    at: Moment
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(RebootsSeen):
    """The reboots on disk, for others and for itself. notice: of the last."""

    notice: Notice | None = None

    def spend(self, now: Moment, reason: str, *, is_synchronised: bool) -> "Budget":
        reboot = RebootSeen(at=now, is_dated=is_synchronised)
        return Budget(reboots=(*self.reboots, reboot)[-_KEPT:], notice=Notice(at=now, reason=reason))


@dataclass(frozen=True, slots=True)
class Refuse:
    """kind: what it is about; the same kind is told once. passing: it may be right later."""

    kind: str
    reason: str
    passing: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known before looking. checked: the last state of the check. is_synchronised: the clock follows a time server.
    is_budget_lost: it could not be read and was set aside."""

    checked: State | None
    is_synchronised: bool
    is_budget_lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RebootObservation:
    """What is seen at the moment of acting. update: what shows that one is at work, or "". inhibitors: who forbids a shutdown,
    None when that cannot be told. others_answer: on the link, while the gateway is silent."""

    verdict: Verdict
    detail: str
    watching: Watching
    update: str
    inhibitors: tuple[str, ...] | None
    others_answer: bool = False


def find_early_refusal(known: Known, config: Config, budget: Budget, now: Moment) -> Refuse | None:
    """Return why there is no reboot whatever is to be seen, so that nothing needs to be looked at."""
    if not config.reboot:
        return Refuse("switched-off", "reboot = false in [net-recover]", passing=False)
    problem = known.checked.problem if known.checked is not None else None
    if known.checked is None or problem is None or not problem.gave_up or not _is_fresh(known.checked, now):
        return Refuse("not-asked", "the network check has not given up: its rounds come first", passing=False)
    if problem.verdict not in REBOOTABLE:
        return Refuse("not-rebootable", f"a reboot does not mend {problem.verdict.value}", passing=False)
    if now.uptime_s < LEAST_UPTIME_S:
        return Refuse(
            "uptime", f"this machine has been up for {now.uptime_s / 60:.0f} min only; {LEAST_UPTIME_S / 60:.0f} are needed"
        )
    return _find_doubtful_clock(known, budget, now) or _find_spent_budget(known, config, budget, now)


def _is_fresh(checked: State, now: Moment) -> bool:
    return (
        checked.checked is not None and checked.checked.boot_id == now.boot_id and now.seconds_since(checked.checked) < _STATE_AGE_S
    )


def _find_doubtful_clock(known: Known, budget: Budget, now: Moment) -> Refuse | None:
    latest = _find_latest_time(known, budget)
    if known.is_synchronised or latest is None or now.wall >= latest:
        return None
    return Refuse(
        "clock", f"the clock is not synchronised and says {_show(now.wall)}, earlier than {_show(latest)} that it once said"
    )


def _find_latest_time(known: Known, budget: Budget) -> datetime | None:
    """Return the latest time of an earlier boot that is known. Within a boot nothing depends on the wall clock."""
    online = known.checked.last_online if known.checked is not None else None
    return max(
        (moment.wall for moment in (*(r.at for r in budget.reboots if r.is_dated), online) if moment is not None), default=None
    )


def _find_spent_budget(known: Known, config: Config, budget: Budget, now: Moment) -> Refuse | None:
    if config.max_reboots_per_day == 0:
        return Refuse("budget", "max_reboots_per_day = 0 in [net-recover]", passing=False)
    reboots = (*_find_witnesses(known, budget, now), *budget.reboots)
    if not reboots:
        return None
    pause_s = max(DAY_S, config.min_between_reboots.total_seconds())
    age_s = min(certain_age_s(reboot, now, is_synchronised=known.is_synchronised) for reboot in reboots)
    if age_s >= pause_s:
        return None
    last = reboots[-1]
    is_certain = last.at.boot_id == now.boot_id or (known.is_synchronised and last.is_dated)
    doubt = "" if is_certain else ", reckoned from this boot, as the clock is not, or was not, synchronised"
    next_h = (pause_s - age_s) / 3600
    reason = f"the budget is spent: the last reboot was on {_show(last.at.wall)}; the next may be in {next_h:.1f} h{doubt}"
    return Refuse("budget", reason)


def _find_witnesses(known: Known, budget: Budget, now: Moment) -> tuple[RebootSeen, ...]:
    """Return reboots that are known of otherwise, so that "never two in a day" does not hang on one file."""
    told = known.checked.told_reboot if known.checked is not None else None
    # With its record lost, this boot may have been one.
    start = Moment(wall=now.wall - timedelta(seconds=now.uptime_s), boot_id=now.boot_id, uptime_s=0.0)
    found = (told if told not in {reboot.at for reboot in budget.reboots} else None, start if known.is_budget_lost else None)
    return tuple(RebootSeen(at=moment, is_dated=False) for moment in found if moment is not None)


def certain_age_s(reboot: RebootSeen, now: Moment, *, is_synchronised: bool) -> float:
    """Return for how long ago a reboot certainly is.

    Within a boot this is exact. What was in an earlier boot is at least as old as this one, and older by the wall clock only
    where that followed a time server both times: a clock that was wrong, for want of a battery or of a network, must not give
    a second reboot.
    """
    if reboot.at.boot_id == now.boot_id:
        return now.seconds_since(reboot.at)
    return max(now.uptime_s, now.seconds_since(reboot.at) if is_synchronised and reboot.is_dated else 0.0)


def find_refusal(seen: RebootObservation) -> Refuse | None:
    """Return why there is no reboot, from what is seen at the moment of acting."""
    if seen.verdict not in REBOOTABLE:
        return Refuse("not-lost", f"looked at once more, the network is {seen.verdict.value}: {seen.detail}")
    if seen.others_answer:
        return Refuse("gateway-away", "others on the link answer, so it is the gateway that is away")
    if seen.watching is not Watching.NOBODY:
        return Refuse("streams", seen.watching.value)
    if seen.update:
        return Refuse("update", f"an update is at work: {seen.update}")
    if seen.inhibitors is None:
        return Refuse("inhibitor", "whether something forbids a shutdown cannot be told")
    if seen.inhibitors:
        return Refuse("inhibitor", "a shutdown is forbidden by " + ", ".join(seen.inhibitors))
    return None


def take_back(budget: Budget) -> Budget:
    """Return the budget after a reboot that was counted and then certainly did not happen."""
    return dataclasses.replace(budget, reboots=budget.reboots[:-1], notice=None)


def _show(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
