"""The watch at work: look, judge, decide, do, ask, and publish, about once a second."""

import contextlib
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.clock import Moment
from plexguard.core.errors import PlexguardError
from plexguard.core.manager import Unit
from plexguard.core.program import Ports
from plexguard.core.state import StateFile
from plexguard.rclone_watchdog import events
from plexguard.rclone_watchdog.act import Hands, Protector, carry_out, unit_of
from plexguard.rclone_watchdog.config import Config, Mount
from plexguard.rclone_watchdog.decide import Plan, State, decide, resume, take_up
from plexguard.rclone_watchdog.judging.judge import judge
from plexguard.rclone_watchdog.judging.known import Judged, Place
from plexguard.rclone_watchdog.observe import Observation, Outcome, Prober, Question
from plexguard.rclone_watchdog.schedule import Past, find_due

STATE_SCHEMA = 1
# Who reads what is published takes it for fresh for a minute.
_PUBLISH_S = 15.0
# How often the manager is asked what became of rclone, and in a long outage.
_UNIT_S, _UNIT_SELDOM_S, _LONG_S = 0.9, 5.0, 60.0
# A container that sees another mount is looked into so often for what Plex logs.
_INSIDE_S = 60.0
# What the baseline is lowered by when the mount holds less for a day.
_DAY_S, _SHRINK_PERCENT = 86_400.0, 5
ACCEPT = "accept"
_GIB = 2**30


# What refuses our credentials for so long may have been given new ones, which only a start of the unit reads.
_CREDENTIALS_S = 120.0


class GaveUp(Exception):
    """The mount is left to a person, or to the return of its storage: the unit is to fail."""


class OldCredentials(Exception):
    """Plex or the storage does not take what this program was given at its start: it is to begin anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """folder: of the state. read_hint: gives another number each time somebody has met the mount dead."""

    prober: Prober
    protector: Protector
    hands: Hands
    folder: Path
    read_hint: Callable[[], int] = lambda: 0


class Hints:
    """What others have met. Where the mount is proven all the same, it is Plex's container that sees another one."""

    def __init__(self, read: Callable[[], int]) -> None:
        self._read = read
        self._last = read()
        self._open_s: float | None = None
        self._looked_s = float("-inf")

    def is_new(self, now_s: float) -> bool:
        """Tell whether there is another one since the last look."""
        hint = self._read()
        is_new, self._last = hint != self._last, hint
        if is_new:
            self._open_s = now_s
        return is_new

    def wants_look_inside(self, judged: Judged) -> bool:
        """Tell, once for a hint, that bytes were read since, and so it is not the mount that is dead."""
        if self._open_s is None:
            return False
        if not judged.verdict.is_proven:
            self._open_s = None
            return False
        read_s = judged.track(Question.THROUGH).good_s
        if read_s <= self._open_s or judged.looked_s - self._looked_s < _INSIDE_S:
            return False
        self._open_s, self._looked_s = None, judged.looked_s
        return True


class Watch:
    """file: where the state is published, and found again after a restart of this program."""

    def __init__(self, name: str, mount: Mount, config: Config, ports: Ports, world: World, file: StateFile[State]) -> None:
        self._name, self._mount, self._config = name, mount, config
        self._ports, self._world, self._file = ports, world, file
        now = ports.clock.moment()
        self._state = take_up(file.load(), mount, now)
        self._judged = resume(self._state, now, ports.clock.monotonic_s())
        self._asked_s: dict[Question, float] = {}
        self._published_s = self._unit_s = float("-inf")
        self._next_look_s = 0.0
        self._troubles: tuple[str, ...] = ()
        self._unsaved = ""
        self._hints = Hints(world.read_hint)
        self._was_ready = False
        self._began_s = ports.clock.monotonic_s()

    @property
    def state(self) -> State:
        return self._state

    def is_ready(self) -> bool:
        """Whether bytes were read through the mount since this program began to look."""
        judged = self._judged
        was_read = judged.track(Question.THROUGH).good_s > float("-inf")
        return self._was_ready or (was_read and judged.verdict.is_proven and judged.found.is_proven)

    def cycle(self) -> str:
        """Look once; return a line on what there is. Raises GaveUp, OldCredentials."""
        self._ports.clock.sleep(self._next_look_s)
        plan = self.look()
        if plan.gives_up and self._was_ready:
            raise GaveUp
        if self._wants_credentials():
            raise OldCredentials
        return describe(self._state, self._ports.clock.moment(), self._troubles)

    def _wants_credentials(self) -> bool:
        judged = self._judged
        if judged.verdict.is_proven or judged.looked_s - self._began_s < _CREDENTIALS_S:
            return False
        # Who needs the mount would be stopped with a unit that was ready; rclone reads its own at each start.
        is_in_vain = self._state.gave_up and judged.track(Question.DIRECT).outcome not in (None, Outcome.GOOD)
        return self._world.protector.is_refused or (is_in_vain and not self._was_ready)

    def look(self) -> Plan:
        seen, now = self._world.prober.look(), self._ports.clock.moment()
        unit = self._ask_unit(seen)
        self._judged = self._keep_baseline(seen, judge(seen, self._judged, self._mount, self._config, unit), now)
        past = self._state
        plan = decide(seen, self._judged, past, now, name=self._name, mount=self._mount, config=self._config, unit=unit)
        is_due = seen.now_s - self._published_s >= _PUBLISH_S or _matters(plan.state, past)
        done = carry_out(
            plan,
            past,
            file=self._file if is_due else None,
            protector=self._world.protector,
            hands=self._world.hands,
            journal=self._ports.journal,
        )
        self._published_s = seen.now_s if is_due else self._published_s
        self._state, self._unsaved = done.state, done.unsaved if is_due else self._unsaved
        self._troubles = (*done.troubles, *((self._unsaved,) if self._unsaved else ()))
        self._was_ready = self.is_ready()
        # What was read before its cache lost its room says nothing any more.
        self._ask(seen, now, is_filled=self._state.is_cache_full and not past.is_cache_full)
        if self._hints.wants_look_inside(self._judged):
            with contextlib.suppress(PlexguardError, OSError):
                self._world.hands.look_inside()
        return plan

    def _ask(self, seen: Observation, now: Moment, *, is_filled: bool) -> None:
        problem = self._state.problem
        gave_up_s = None if problem is None or problem.gave_up_at is None else now.seconds_since(problem.gave_up_at)
        prober = self._world.prober
        past = Past(
            asked_s=self._asked_s,
            data_requests=prober.data_requests,
            gave_up_s=gave_up_s,
            is_hinted=self._hints.is_new(seen.now_s) or is_filled,
        )
        due = find_due(seen, self._judged, past, self._mount, self._config)
        if due.ask or due.renew:
            prober.ask(due.ask, renew=due.renew)
            self._asked_s |= dict.fromkeys((*due.ask, *due.renew), seen.now_s)
            asked = self._state.probes
            counts = {question.value: asked.get(question.value, 0) + 1 for question in (*due.ask, *due.renew)}
            self._state = dataclasses.replace(self._state, probes={**asked, **counts})
        self._next_look_s = due.next_look_s

    def _ask_unit(self, seen: Observation) -> Unit | None:
        """Ask the manager of rclone's unit, where its answer makes a difference."""
        kernel, judged = seen.kernel, self._judged
        is_well = kernel.is_mounted and kernel.is_expected and kernel.rclone_pid and kernel.rclone_state not in ("T", "t", "Z", "X")
        is_of_mount = not judged.verdict.is_proven and judged.finding.place is Place.MOUNT
        if not self._mount.is_ours or (is_well and not is_of_mount):
            return None
        is_long = not judged.verdict.is_proven and seen.now_s - judged.since_s > _LONG_S
        if seen.now_s - self._unit_s < (_UNIT_SELDOM_S if is_long else _UNIT_S):
            return None
        self._unit_s = seen.now_s
        try:
            return self._ports.manager.unit(unit_of(self._name))
        except PlexguardError:
            # A manager that does not answer is asked again; without it nothing is remounted.
            return None

    def _keep_baseline(self, seen: Observation, judged: Judged, now: Moment) -> Judged:
        """Take what the mount lists now for whole where an administrator says so, or where it has been less for a day."""
        answer, listing = seen.listing_answer, seen.listing
        if listing is None or answer is None or answer.outcome is not Outcome.GOOD:
            return judged
        accept = self._world.folder / ACCEPT
        if accept.exists():
            accept.unlink(missing_ok=True)
            self._ports.journal.send(events.ACCEPTED, mount=self._name, entries=listing.entries, before=judged.baseline)
            return dataclasses.replace(judged, baseline=listing.entries, lost_in_row=0)
        is_less = judged.verdict.is_proven and listing.entries < judged.baseline
        since = self._state.baseline_at if is_less else None
        baseline = judged.baseline
        if is_less and since is not None and now.seconds_since(since) >= _DAY_S:
            baseline, since = shrink(baseline, listing.entries), None
        self._state = dataclasses.replace(self._state, baseline_at=since or (now if is_less else None))
        return dataclasses.replace(judged, baseline=baseline)


def shrink(baseline: int, entries: int) -> int:
    """Return the baseline after a day in which the mount held less."""
    return max(entries, baseline - max(1, baseline * _SHRINK_PERCENT // 100))


def _matters(state: State, past: State) -> bool:
    """Tell whether a state is another to who reads it, or to who takes it up."""
    return any(
        getattr(state, name) != getattr(past, name)
        for name in (
            "verdict",
            "problem",
            "gave_up",
            "is_held",
            "cover",
            "is_stopped",
            "is_slow",
            "is_cache_full",
            "remounts_total",
        )
    )


def describe(state: State, now: Moment, troubles: tuple[str, ...] = ()) -> str:
    """Return the line of `systemctl status`: what it is, how quick, how much is kept on disk, what was wrong last."""
    parts = [state.verdict.value if state.verdict.is_proven else f"{state.verdict.value}: {state.detail}"]
    if state.is_stopped:
        parts = ["stopped by hand, and left so"]
    elif state.gave_up:
        parts.append(f"given up after {state.remounts} remounts; its storage is asked seldom")
    if state.latency_s is not None and state.verdict.is_proven:
        parts.append(f"bytes in {state.latency_s:.2f} s")
    if state.cache_bytes is not None:
        # In the unit that cache_size is written in.
        of = f" of {state.cache_limit_bytes / _GIB:.0f}G" if state.cache_limit_bytes else ""
        parts.append(f"cache {state.cache_bytes / _GIB:.1f}G{of}")
    if not state.verdict.is_proven and state.is_held:
        parts.append("Plex is held")
    if state.fault and state.fault_at is not None and state.verdict.is_proven:
        parts.append(f"last fault {_ago(now.seconds_since(state.fault_at))} ago: {state.fault}")
    return "; ".join((*parts, *troubles))


def _ago(seconds: float) -> str:
    unit, name = next(((size, name) for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")) if seconds >= size), (1, "s"))
    return f"{seconds / unit:.0f} {name}"
