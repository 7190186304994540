"""How far a run is: on disk at each step, so that it goes on where it was, and that everybody can see it."""

import math
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from plexguard.cloud_run.choosing.choose import Choice
from plexguard.cloud_run.life.chain import PHASES
from plexguard.cloud_run.server.counting import Counted
from plexguard.core.clock import Clock, Moment
from plexguard.core.errors import TryAgain
from plexguard.core.journal import Journal
from plexguard.core.plex import NewLibrary
from plexguard.core.state import StateFile, make_folder

SCHEMA = 1
DONE, FAILED, STOPPED = "done", "failed", "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A phase. seconds: it took, what it was off not counted. has_ended: well, in this attempt. is_done: it needs not be done
    again."""

    began: Moment
    seconds: float = 0.0
    has_ended: bool = False
    is_done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """phase: at which the run is, or "done", "failed", "stopped" at its end. done, total: of what the phase counts, 0 when it
    counts nothing. line: how far it is, in words. eta: when the run is expected to end. failure: why it failed, in which phase.
    deadline: of what it rents. choice: the machine it gets, None before that is known; hourly_euros: what it costs in all.
    image: of Plex's container. reference: the archive that it begins with, "" for none; libraries: that are made where it
    begins without; before: what the reference holds; after: what was brought home, and result: where that is. server: the id of
    the one whose reference it is, "" for none. checkpoint: the last that was brought home while it worked. noted: how many
    notes of the work on the machine were told. rented: since when it is paid for, None before that. cost_euros: until this was
    written; the hour that has begun is a whole one. steps: by phase. resumed: how often it was taken up again."""

    phase: str
    began: datetime
    updated: datetime
    deadline: datetime
    done: int = 0
    total: int = 0
    line: str = ""
    eta: datetime | None = None
    cost_euros: float = 0.0
    ended: datetime | None = None
    failure: str = ""
    choice: Choice | None = None
    image: str = ""
    reference: str = ""
    libraries: tuple[NewLibrary, ...] = ()
    before: tuple[Counted, ...] = ()
    after: tuple[Counted, ...] = ()
    result: str = ""
    server: str = ""
    checkpoint: str = ""
    noted: dict[str, int] = field(default_factory=dict)
    hourly_euros: float = 0.0
    rented: datetime | None = None
    steps: dict[str, Step] = field(default_factory=dict)
    resumed: int = 0


def _refuse_unended(state: State, phase: str) -> None:
    """What was ended by a signal looks to the manager like what was stopped, and what needs it would begin."""
    step = state.steps.get(phase)
    if step is None or not step.has_ended:
        raise TryAgain(f"{phase} was cut off before it was done")


def cost_at(state: State, now: datetime) -> float:
    """Return what a run's machine has cost until a time, or the run's end. What is kept after that is the reaper's to tell."""
    if state.rented is None:
        return 0.0
    hours = max(1, math.ceil(((state.ended or now) - state.rented) / timedelta(hours=1)))
    return hours * state.hourly_euros


class Book:
    """The state of one run, kept at every change."""

    def __init__(self, folder: Path, run: str, *, clock: Clock, journal: Journal) -> None:
        self.run = run
        self._clock = clock
        self.folder = folder / run
        self._file = StateFile(self.folder / "state.json", State, schema=SCHEMA, journal=journal)

    @property
    def state(self) -> State:
        """Raises TryAgain when the run was never begun."""
        found = self._file.load()
        if found is None:
            raise TryAgain(f"{self.run}: was not begun", hint=f"systemctl start plexguard-cloud-run@{self.run}")
        return found

    def peek(self) -> State | None:
        return self._file.peek()

    def open(self, *, deadline: datetime) -> None:
        """Begin a run, whatever one of that name was before. Raises IoFailed."""
        # For everybody who shows it: what is nobody's business there has a mode of its own.
        make_folder(self.folder).chmod(0o755)
        now = self._clock.now()
        self._file.save(State(phase="preflight", began=now, updated=now, deadline=deadline))

    def change(self, **changes: object) -> State:
        """Raises IoFailed, TryAgain."""
        now = self._clock.now()
        changed = replace(self.state, **changes, updated=now)  # type: ignore[arg-type]  # fields of State, by its names
        changed = replace(changed, cost_euros=cost_at(changed, now))
        self._file.save(changed)
        return changed

    def begin(self, phase: str) -> bool:
        """Note that a phase begins, and return whether it is to be done: what has been done before may last. Raises TryAgain when
        the one before has not ended well, or the run is over."""
        state, now = self.state, self._clock.moment()
        if phase != PHASES[0]:
            self._refuse_gap(state, phase)
        before = state.steps.get(phase, Step(began=now))
        self.change(
            phase=phase,
            steps={**state.steps, phase: before if before.is_done else replace(before, began=now, has_ended=False)},
            done=0,
            total=0,
            line="",
            eta=None,
            ended=None,
            failure="",
        )
        return not before.is_done

    def end(self, phase: str, *, is_done: bool, has_ended: bool = True) -> float:
        """Note that a phase has ended well, and return the seconds that it took. is_done: it needs not be done again. has_ended:
        not when only what comes first of it is done."""
        state = self.state
        step = state.steps[phase]
        seconds = step.seconds + self._clock.moment().seconds_since(step.began)
        self.change(steps={**state.steps, phase: replace(step, seconds=seconds, has_ended=has_ended, is_done=is_done)})
        return seconds

    def refuse_gap(self) -> None:
        """Raise TryAgain when not every phase has ended well."""
        for phase in PHASES:
            _refuse_unended(self.state, phase)

    def _refuse_gap(self, state: State, phase: str) -> None:
        if state.ended is not None:
            # Its machine is held for a person, or is just being given back: nothing has begun the run anew.
            raise TryAgain(
                "it is over, and not all of it is released yet",
                hint=f"begin it again in a moment; or: systemctl stop plexguard-cloud-hold@{self.run}",
            )
        _refuse_unended(state, PHASES[PHASES.index(phase) - 1])

    def close(self, outcome: str, *, failure: str = "") -> None:
        """Note how a run has ended; what was noted first counts."""
        if self.state.ended is None:
            self.change(phase=outcome, ended=self._clock.now(), failure=failure)
