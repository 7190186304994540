"""How far a run is: on disk at each step, so that it goes on where it was, and that everybody can see it."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from plexguard.cloud_run.choose import Choice
from plexguard.core.clock import Clock, Moment
from plexguard.core.errors import TryAgain
from plexguard.core.journal import Journal
from plexguard.core.state import StateFile, make_folder

SCHEMA = 1
DONE, FAILED, STOPPED = "done", "failed", "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A phase. seconds: it took, what it was off not counted. is_done: it needs not be done again."""

    began: Moment
    seconds: float = 0.0
    is_done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """phase: at which the run is, or "done", "failed", "stopped" at its end. done, total: of what the phase counts, 0 when it
    counts nothing. line: how far it is, in words. eta: when the run is expected to end. failure: why it failed, in which phase.
    deadline: of what it rents. choice: the machine it gets, None before that is known. steps: by phase. resumed: how often it
    was taken up again."""

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
    steps: dict[str, Step] = field(default_factory=dict)
    resumed: int = 0


class Book:
    """The state of one run, kept at every change."""

    def __init__(self, folder: Path, run: str, *, clock: Clock, journal: Journal) -> None:
        self.run = run
        self._clock = clock
        self._folder = folder / run
        self._file = StateFile(self._folder / "state.json", State, schema=SCHEMA, journal=journal)

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
        make_folder(self._folder)
        now = self._clock.now()
        self._file.save(State(phase="preflight", began=now, updated=now, deadline=deadline))

    def change(self, **changes: object) -> State:
        """Raises IoFailed, TryAgain."""
        changed = replace(self.state, **changes, updated=self._clock.now())  # type: ignore[arg-type]
        self._file.save(changed)
        return changed

    def begin(self, phase: str) -> bool:
        """Note that a phase begins, and return whether it is to be done: what has been done before may last."""
        state, now = self.state, self._clock.moment()
        before = state.steps.get(phase, Step(began=now))
        self.change(
            phase=phase,
            steps={**state.steps, phase: replace(before, began=now)},
            done=0,
            total=0,
            line="",
            eta=None,
            ended=None,
            failure="",
        )
        return not before.is_done

    def end(self, phase: str, *, is_done: bool) -> float:
        """Note that a phase has ended well, and return the seconds that it took. is_done: it needs not be done again."""
        state = self.state
        step = state.steps[phase]
        seconds = step.seconds + self._clock.moment().seconds_since(step.began)
        self.change(steps={**state.steps, phase: replace(step, seconds=seconds, is_done=is_done)})
        return seconds

    def close(self, outcome: str, *, failure: str = "") -> None:
        """Note how a run has ended; what was noted first counts."""
        if self.state.ended is None:
            self.change(phase=outcome, ended=self._clock.now(), failure=failure)
