"""The remounts of one problem: whether one is made now, how, and when to give up. Pure."""

import dataclasses
from dataclasses import dataclass

from plexguard.core.clock import Moment
from plexguard.core.events import Tell
from plexguard.core.manager import Unit
from plexguard.rclone_watchdog import events
from plexguard.rclone_watchdog.judging.known import Judged, Place
from plexguard.rclone_watchdog.observe import Observation, Outcome, Question
from plexguard.rclone_watchdog.states import Verdict

# After each remount the mount is given so long to be proven; after the last it is given up.
WAITS_S = (10.0, 20.0, 30.0)
# One that is given up is mounted again when its storage answers: at first so long after the last try, then ever less often.
_GIVEN_UP_S, _GIVEN_UP_MOST_S = 30.0, 600.0
# systemd is at it by itself: so long it is left to it.
_SYSTEMD_S = 20.0
# After its memory was refreshed, so long until a mount that goes on failing is made anew.
_REFRESHED_S = 4.0
_BUSY = ("activating", "deactivating", "reloading")


@dataclass(frozen=True, slots=True)
class Refresh:
    """Have rclone forget what it has listed, and list it anew."""


@dataclass(frozen=True, slots=True)
class Abort:
    """Cut the connection between the kernel and rclone, so that who waits is let go. device: its number."""

    device: str


@dataclass(frozen=True, slots=True)
class Kill:
    """End our own rclone; systemd starts it afresh."""

    pid: int


@dataclass(frozen=True, slots=True)
class Start:
    """Start the mount's unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A time in which the mount was not proven. verdict: what it began with; why: that and its reason, in words. told: what was
    told in it. tries: remounts, the last at last_try; refreshed: when its memory was. gave_up_at: since when it is left alone but
    for its storage's return."""

    verdict: Verdict
    began: Moment
    why: str = ""
    told: tuple[Verdict, ...] = ()
    tries: int = 0
    last_try: Moment | None = None
    refreshed: Moment | None = None
    gave_up_at: Moment | None = None


LadderStep = Tell | Refresh | Abort | Kill | Start


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """problem: from now on. steps: what is done. is_remount: it is one, and to be counted before it is made."""

    problem: Problem
    steps: tuple[LadderStep, ...] = ()
    is_remount: bool = False


def is_stopped(unit: Unit | None) -> bool:
    """Tell whether somebody has told rclone to stop, or does not want it to start."""
    if unit is None:
        return False
    return unit.load_state == "masked" or (unit.was_told_to_stop and not unit.runs and unit.active_state != "activating")


def climb(seen: Observation, judged: Judged, unit: Unit | None, problem: Problem, now: Moment, name: str) -> Rung:
    """Return what is done about a fault that lies in the mount. unit: None where the manager was not asked, or does not answer."""
    if unit is None or is_stopped(unit) or not judged.is_certain or judged.finding.place is not Place.MOUNT:
        return Rung(problem=problem)
    if judged.verdict is Verdict.DEGRADED:
        if problem.refreshed is None:
            return Rung(problem=dataclasses.replace(problem, refreshed=now), steps=(Refresh(),))
        if not _fails_on(seen, judged, now.seconds_since(problem.refreshed)):
            return Rung(problem=problem)
    if unit.active_state in _BUSY and _idle_s(problem, now) < _SYSTEMD_S:
        return Rung(problem=problem)
    if problem.gave_up_at is not None:
        return _try_given_up(seen, judged, unit, problem, now, name)
    if problem.last_try is not None and now.seconds_since(problem.last_try) < WAITS_S[problem.tries - 1]:
        return Rung(problem=problem)
    if problem.tries == len(WAITS_S):
        return _give_up(judged, problem, now, name)
    return _remount(seen, judged, unit, problem, now, name)


def _fails_on(seen: Observation, judged: Judged, refreshed_s: float) -> bool:
    """Tell whether what failed before rclone's memory was refreshed, so many seconds ago, has failed again since, while the storage
    gave bytes all the time."""
    data, through = judged.track(judged.data_question), judged.track(Question.THROUGH)
    is_steady = data.outcome is not Outcome.GOOD or (
        data.good_since_s is not None and seen.now_s - data.good_since_s >= refreshed_s
    )
    asked_s = max(track.asked_s for track in (data, through) if track.outcome in (Outcome.FAILED, Outcome.MISSING))
    return refreshed_s >= _REFRESHED_S and is_steady and asked_s > seen.now_s - refreshed_s


def _idle_s(problem: Problem, now: Moment) -> float:
    return now.seconds_since(problem.last_try or problem.began)


def _give_up(judged: Judged, problem: Problem, now: Moment, name: str) -> Rung:
    values = {"mount": name, "verdict": judged.verdict.value, "reason": judged.reason, "remounts": problem.tries}
    return Rung(problem=dataclasses.replace(problem, gave_up_at=now), steps=(Tell(events.GAVE_UP, values),))


def _try_given_up(seen: Observation, judged: Judged, unit: Unit, problem: Problem, now: Moment, name: str) -> Rung:
    """Remount one that was given up, where its storage has answered since the last try."""
    over = max(0, problem.tries - len(WAITS_S))
    if _idle_s(problem, now) < min(_GIVEN_UP_MOST_S, _GIVEN_UP_S * 2**over):
        return Rung(problem=problem)
    direct = judged.track(Question.DIRECT)
    answers = direct.outcome is Outcome.GOOD and seen.now_s - direct.good_s < _idle_s(problem, now)
    return _remount(seen, judged, unit, problem, now, name) if answers else Rung(problem=problem)


def _remount(seen: Observation, judged: Judged, unit: Unit, problem: Problem, now: Moment, name: str) -> Rung:
    problem = dataclasses.replace(problem, tries=problem.tries + 1, last_try=now, refreshed=None)
    # The kernel's word for who has mounted it, or the manager's for who should.
    pid = seen.kernel.rclone_pid or unit.main_pid
    steps: list[LadderStep] = []
    if judged.verdict is Verdict.HUNG and seen.kernel.is_mounted and seen.kernel.is_expected:
        steps.append(Abort(seen.kernel.device))
    steps.append(Kill(pid) if pid else Start())
    if problem.gave_up_at is None or problem.tries == len(WAITS_S) + 1:
        did = f"its rclone (pid {pid}) is ended, and systemd starts it afresh" if pid else "its rclone is started"
        values = {"mount": name, "verdict": judged.verdict.value, "reason": judged.reason, "number": problem.tries, "did": did}
        steps.insert(0, Tell(events.REMOUNTING, values))
    return Rung(problem=problem, steps=tuple(steps), is_remount=True)
