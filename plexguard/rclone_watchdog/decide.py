"""From what is held to be true to what is told and done. Pure: it is given the time.

Plex first: whatever else follows, it is protected before. Then what is told, and last what is done to the mount.
"""

import dataclasses
from dataclasses import dataclass

from plexguard.core.clock import Moment
from plexguard.core.events import Event, FilePath, Tell
from plexguard.core.manager import Unit
from plexguard.core.published import MountSeen
from plexguard.rclone_watchdog import events
from plexguard.rclone_watchdog.config import Config, Mount
from plexguard.rclone_watchdog.judging.known import Finding, Judged
from plexguard.rclone_watchdog.ladder import LadderStep, Problem, climb, is_stopped
from plexguard.rclone_watchdog.observe import Observation, Outcome, Question
from plexguard.rclone_watchdog.states import Verdict

_EVENTS: dict[Verdict, Event] = {
    Verdict.STALE: events.STALE,
    Verdict.HUNG: events.HUNG,
    Verdict.DEGRADED: events.DEGRADED,
    Verdict.REFUSING: events.REFUSING,
    Verdict.EMPTY: events.EMPTY,
    Verdict.FOREIGN: events.FOREIGN,
    Verdict.ABSENT: events.ABSENT,
    Verdict.UNKNOWN: events.UNKNOWN,
}
# The first bytes are given so long before Plex is held, and so long before it is told that nothing is known.
_FIRST_BYTES_S, _UNKNOWN_S = 5.0, 90.0
# A mount that is made anew is given so long until it is told that it is away.
_REMADE_S = 15.0
# Plex's container is looked into again so often until Plex is let go.
_INSIDE_S = 15.0
# What the unit that covers was told and has not done is told again.
_COVER_S = 5.0
_DAY_S = 86_400.0
_MOST_REMOUNTS = 200
# A state that is older than this says nothing of now.
_TAKEN_UP_S = 300.0


@dataclass(frozen=True, slots=True)
class Hold:
    """Protect Plex: its scans of this mount, and what it does by itself."""

    why: str


@dataclass(frozen=True, slots=True)
class Release:
    """Give Plex back what was taken."""


@dataclass(frozen=True, slots=True)
class Cover:
    """Have the cover be as the state says."""


@dataclass(frozen=True, slots=True)
class LookInside:
    """Have root look whether Plex's container sees the live mount."""


Step = LadderStep | Hold | Release | Cover | LookInside


@dataclass(frozen=True, slots=True, kw_only=True)
class State(MountSeen):
    """What is known from look to look and outlasts this program, for others and for itself.

    device: the mount and process of which bytes were read. problem: the one that is open. remounted: of the last day. is_held:
    Plex is, or may be. held_asked, inside_asked, cover_asked: when it was asked for last. cover: whether the cover is to lie
    there now. is_stopped, is_slow, is_cache_full: told. baseline: entries of the top; baseline_at: when it was last lowered.
    usual_s: what answers take, by question.
    """

    path: str = ""
    verdict: Verdict = Verdict.UNKNOWN
    device: str = ""
    problem: Problem | None = None
    remounted: tuple[Moment, ...] = ()
    is_held: bool = True
    inside_asked: Moment | None = None
    cover: bool = False
    cover_asked: Moment | None = None
    is_stopped: bool = False
    is_slow: bool = False
    is_cache_full: bool = False
    baseline: int = 0
    baseline_at: Moment | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The state to save first, so that a remount is counted before it is made, then the steps. gives_up: this program is to end,
    so that its unit fails."""

    state: State
    steps: tuple[Step, ...] = ()
    is_remount: bool = False
    gives_up: bool = False


def decide(
    seen: Observation, judged: Judged, past: State, now: Moment, *, name: str, mount: Mount, config: Config, unit: Unit | None
) -> Plan:
    """Return what to tell and do. unit: of its rclone, None where the manager was not asked."""
    state = _record(seen, judged, past, now, mount, config)
    if judged.verdict.is_proven:
        return _go_on(seen, judged, past, state, now, name=name)
    stopped = is_stopped(unit) if unit is not None else past.is_stopped
    state = dataclasses.replace(state, is_stopped=stopped, cover=_wants_cover(seen, judged, mount))
    state, covers = _cover(seen, past, state, now, mount)
    problem = past.problem or _begin(judged, now, name)
    # A first proof is given a moment, so that Plex is not held and let go at each start.
    is_new = past.problem is None and problem is None and not judged.finding.is_plain
    holds: tuple[Step, ...] = ()
    if mount.protect and not (is_new and judged.looked_s - judged.since_s < _FIRST_BYTES_S):
        holds = (Hold(problem.why if problem is not None else _why(judged, name)),)
        state = dataclasses.replace(state, is_held=True)
    cache, cache_told = _tell_cache(seen, past, name)
    state = dataclasses.replace(state, is_cache_full=cache)
    first = (*holds, *covers, *cache_told)
    if problem is None:
        return Plan(state, first)
    problem, told = _tell_problem(seen, judged, past, state, problem, now, name)
    rung = climb(seen, judged, unit, problem, now, name)
    gives_up = rung.problem.gave_up_at is not None and problem.gave_up_at is None
    state = dataclasses.replace(state, problem=rung.problem, gave_up=rung.problem.gave_up_at is not None)
    if rung.is_remount:
        remounted = (*state.remounted, now)[-_MOST_REMOUNTS:]
        state = dataclasses.replace(state, remounted=remounted, remounts=len(remounted), remounts_total=state.remounts_total + 1)
    return Plan(state, (*first, *told, *rung.steps), is_remount=rung.is_remount, gives_up=gives_up)


def take_up(published: State | None, mount: Mount, now: Moment) -> State:
    """Return the state that a watchdog before this one has left, as far as it still says anything. Of another mount point, nothing
    does."""
    if published is None or published.path not in ("", mount.mount_point):
        return State(path=mount.mount_point)
    # Who was killed may have held Plex before that was written down. Where nothing is held, letting go costs nothing and needs
    # nobody to look into a container.
    published = dataclasses.replace(published, is_held=True, inside_asked=now)
    is_of_now = published.checked is not None and now.is_of_boot_of(published.checked)
    if is_of_now and published.checked is not None and now.seconds_since(published.checked) < _TAKEN_UP_S:
        return published
    # What was proven then is not now; what was a problem may still be one, and is told to be over when it is.
    return dataclasses.replace(published, verdict=Verdict.UNKNOWN, since=now, device="", detail="")


def resume(state: State, now: Moment, now_s: float) -> Judged:
    """Return what is held to be true by who takes up a state."""
    finding = Finding(verdict=state.verdict, reason=state.detail or "it has not been looked at")
    return Judged(
        verdict=state.verdict,
        finding=finding,
        found=state.verdict,
        since_s=now_s - (now.seconds_since(state.since) if state.since is not None else 0.0),
        found_since_s=now_s,
        looked_s=now_s,
        device=state.device,
        # Of a fault, only what is read from now on is a proof.
        fault_s=float("-inf") if state.verdict.is_proven else now_s,
        baseline=state.baseline,
    )


def _record(seen: Observation, judged: Judged, past: State, now: Moment, mount: Mount, config: Config) -> State:
    is_other, is_fault = judged.verdict is not past.verdict, judged.verdict in _EVENTS and judged.verdict is not Verdict.UNKNOWN
    data = judged.track(judged.data_question if mount.is_ours else Question.THROUGH)
    cache, remounted = seen.cache, tuple(at for at in past.remounted if now.seconds_since(at) < _DAY_S)
    return dataclasses.replace(
        past,
        path=mount.mount_point,
        verdict=judged.verdict,
        detail=judged.reason,
        checked=now,
        since=now if is_other or past.since is None else past.since,
        proven=now if judged.verdict.is_proven and judged.found.is_proven else past.proven,
        remounted=remounted,
        remounts=len(remounted),
        latency_s=data.last.latency_s if data.outcome is Outcome.GOOD and data.last is not None else None,
        limit_s=data.limit_s(config),
        cache_bytes=cache.used_bytes if cache is not None else None,
        cache_limit_bytes=cache.limit_bytes if cache is not None else None,
        waiting=seen.kernel.waiting,
        fault=f"{judged.verdict.value}: {judged.reason}" if is_fault and past.problem is None else past.fault,
        fault_at=now if is_fault and past.problem is None else past.fault_at,
        device=judged.device,
        baseline=judged.baseline,
    )


def _go_on(seen: Observation, judged: Judged, past: State, state: State, now: Moment, *, name: str) -> Plan:
    """It is proven: what was open is over, and Plex is let go as soon as it sees it too."""
    steps: list[Step] = []
    problem, cover = past.problem, past.cover
    if cover or seen.kernel.is_covered:
        steps.append(Cover())
    if past.is_held:
        is_due = past.inside_asked is None or now.seconds_since(past.inside_asked) >= _INSIDE_S
        # At the first look after a start there may be nothing to be let go.
        if (problem is not None and problem.told) or (past.verdict.is_proven and is_due):
            steps.append(LookInside())
            state = dataclasses.replace(state, inside_asked=now)
        steps.append(Release())
    if problem is not None and problem.told:
        values = {
            "mount": name,
            "problem": problem.verdict.value,
            "downtime_s": now.seconds_since(problem.began),
            "remounts": problem.tries,
        }
        steps.append(Tell(events.PROVEN, values))
    is_slow = judged.verdict is Verdict.SLOW
    if is_slow != past.is_slow:
        values = {"mount": name, "latency_s": state.latency_s or 0.0}
        steps.append(Tell(events.SLOW, {**values, "reason": judged.reason}) if is_slow else Tell(events.IN_TIME, values))
    cache, cache_told = _tell_cache(seen, past, name)
    state = dataclasses.replace(
        state, problem=None, gave_up=False, is_stopped=False, is_slow=is_slow, cover=False, is_cache_full=cache
    )
    return Plan(state, (*steps, *cache_told))


def _why(judged: Judged, name: str) -> str:
    return f"mount {name} is {judged.verdict.value}: {judged.reason}"


def _begin(judged: Judged, now: Moment, name: str) -> Problem | None:
    """Return the problem that begins, None while it is only not known yet."""
    if judged.verdict is not Verdict.UNKNOWN or judged.finding.is_plain or judged.looked_s - judged.since_s >= _UNKNOWN_S:
        return Problem(verdict=judged.verdict, began=now, why=_why(judged, name))
    return None


def _tell_problem(
    seen: Observation, judged: Judged, past: State, state: State, problem: Problem, now: Moment, name: str
) -> tuple[Problem, tuple[Step, ...]]:
    verdict = judged.verdict
    if state.is_stopped and not past.is_stopped:
        # It is away because somebody wants it to be: no fault to be told beside it.
        told = (*problem.told, Verdict.ABSENT, Verdict.STALE)
        return dataclasses.replace(problem, told=told), (Tell(events.STOPPED, {"mount": name}),)
    if verdict in problem.told or judged.looked_s - judged.since_s < _told_after_s(judged, problem):
        return problem, ()
    values = {
        "mount": name,
        "path": FilePath(state.path),
        "reason": judged.reason,
        "signals": ", ".join(judged.finding.signals) or "none",
        "silent_s": _silent_s(judged, past, now),
    }
    return dataclasses.replace(problem, told=(*problem.told, verdict)), (Tell(_EVENTS[verdict], values),)


def _silent_s(judged: Judged, past: State, now: Moment) -> float:
    """Return since when no bytes have come. It counts as proven for longer, while they are only waited for."""
    bytes_s = max(judged.track(question).good_s for question in (Question.DATA, Question.THROUGH))
    if bytes_s > float("-inf"):
        return judged.looked_s - bytes_s
    return now.seconds_since(past.proven) if past.proven is not None else 0.0


def _told_after_s(judged: Judged, problem: Problem) -> float:
    """Return how long it must have been so to be told. That rclone and its mount are gone is part of every remount."""
    if judged.verdict is Verdict.UNKNOWN:
        return _UNKNOWN_S
    is_part = judged.verdict in (Verdict.STALE, Verdict.ABSENT) and (problem.told or problem.tries)
    return _REMADE_S if is_part else 0.0


def _wants_cover(seen: Observation, judged: Judged, mount: Mount) -> bool:
    """Tell whether the cover is to lie there: not while bytes can only be proven through the mount itself, which it would hide."""
    kernel = seen.kernel
    is_up = kernel.is_mounted and kernel.is_expected and (kernel.rclone_pid > 0 or not mount.is_ours)
    gives = judged.track(judged.data_question).outcome is Outcome.GOOD and judged.fault_s < judged.looked_s
    return mount.cover and not (is_up and (gives or not mount.is_ours))


def _cover(seen: Observation, past: State, state: State, now: Moment, mount: Mount) -> tuple[State, tuple[Step, ...]]:
    if not mount.cover or seen.kernel.is_covered is state.cover:
        return state, ()
    if past.cover is state.cover and past.cover_asked is not None and now.seconds_since(past.cover_asked) < _COVER_S:
        return state, ()
    return dataclasses.replace(state, cover_asked=now), (Cover(),)


def _tell_cache(seen: Observation, past: State, name: str) -> tuple[bool, tuple[Step, ...]]:
    if seen.cache is None or seen.cache.is_full is past.is_cache_full:
        return past.is_cache_full, ()
    cache = seen.cache
    if cache.is_full:
        values = {"mount": name, "used_bytes": cache.used_bytes, "limit_bytes": cache.limit_bytes, "free_bytes": cache.free_bytes}
        return True, (Tell(events.CACHE_FULL, values),)
    return False, (Tell(events.CACHE_FREED, {"mount": name, "free_bytes": cache.free_bytes}),)
