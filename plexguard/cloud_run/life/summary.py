"""What a run has done, library by library, how long each phase took, and what it has cost. Pure."""

from dataclasses import dataclass
from datetime import timedelta

from plexguard.cloud_run.life.state import State, cost_at
from plexguard.core.spans import show_span


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A library: its items before and after, and how many of these are analysed."""

    title: str
    before: int
    after: int
    analysed_before: int
    analysed: int

    @property
    def gained(self) -> int:
        return self.after - self.before

    @property
    def analysed_percent(self) -> float:
        return 100.0 * self.analysed / self.after if self.after else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """libraries: none where nothing was brought home. seconds: by phase. result: where the archive is."""

    libraries: tuple[Change, ...] = ()
    seconds: dict[str, float]
    cost_euros: float = 0.0
    result: str = ""


def make_summary(state: State) -> Summary:
    before = {one.section: one for one in state.before}
    libraries = []
    for one in state.after:
        earlier = before.get(one.section)
        libraries.append(
            Change(
                title=one.title,
                before=earlier.items if earlier is not None else 0,
                after=one.items,
                analysed_before=earlier.analysed if earlier is not None else 0,
                analysed=one.analysed,
            )
        )
    return Summary(
        libraries=tuple(libraries),
        seconds={phase: round(step.seconds, 1) for phase, step in state.steps.items()},
        cost_euros=cost_at(state, state.ended or state.updated),
        result=state.result,
    )


def show_libraries(summary: Summary) -> str:
    """Return them in a line: "Films 315 → 351 (+36), 12 % analysed"."""
    shown = (
        f"{one.title} {one.before:,} → {one.after:,} ({one.gained:+,}), {one.analysed_percent:.0f} % analysed"
        for one in summary.libraries
    )
    return "; ".join(shown) or "no library was worked on"


def show_seconds(summary: Summary) -> str:
    """Return how long each phase took, in a line."""
    return ", ".join(f"{phase} {show_span(timedelta(seconds=round(seconds)))}" for phase, seconds in summary.seconds.items())
