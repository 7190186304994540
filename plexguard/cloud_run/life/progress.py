"""How far a run is, for who asks: from its state on disk, and from whether anything of it is under way. Pure."""

import enum
from dataclasses import dataclass
from datetime import datetime

from plexguard.cloud_run.life.state import State, cost_at
from plexguard.cloud_run.life.summary import Summary, make_summary, show_seconds


class Standing(enum.Enum):
    """What is known of a run beside its phase."""

    NEW = "new"  # it has a file, and was never begun
    RUNNING = "running"
    ENDED = "ended"
    CUT_OFF = "cut off"  # it has not ended, and nothing of it runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A run. phase: at which it is, or how it ended. since: of the phase, or of its end. cost_euros: until now. kept_hourly_euros:
    what its machine goes on costing after it, 0 when there is none. summary: of one that has ended. Of a run that was never begun
    all is empty."""

    run: str
    standing: Standing
    phase: str = ""
    since: datetime | None = None
    line: str = ""
    done: int = 0
    total: int = 0
    eta: datetime | None = None
    cost_euros: float = 0.0
    deadline: datetime | None = None
    failure: str = ""
    kept_hourly_euros: float = 0.0
    summary: Summary | None = None


def make_progress(run: str, state: State | None, *, is_active: bool, now: datetime, has_machine: bool = False) -> Progress:
    """Return how far a run is. state: None when it was never begun. is_active: a unit of it is. has_machine: it still holds one."""
    if state is None:
        return Progress(run=run, standing=Standing.NEW)
    step = state.steps.get(state.phase)
    since = state.ended or (step.began.wall if step is not None else state.began)
    standing = Standing.ENDED if state.ended else Standing.RUNNING if is_active else Standing.CUT_OFF
    return Progress(
        run=run,
        standing=standing,
        phase=state.phase,
        since=since,
        line=state.line,
        done=state.done,
        total=state.total,
        eta=state.eta,
        cost_euros=cost_at(state, now),
        deadline=state.deadline,
        failure=state.failure,
        kept_hourly_euros=state.hourly_euros if has_machine and state.ended is not None else 0.0,
        summary=make_summary(state) if state.ended is not None else None,
    )


def show(found: Progress) -> str:
    """Return a run in a line: "delta: scan since 2026-11-22 21:38 UTC, 3 of 9, Films, 0.38 EUR so far, given back …"."""
    if found.since is None or found.deadline is None:
        return f"{found.run}: was never begun"
    parts = [f"{found.run}: {found.phase} since {_show_time(found.since)}"]
    if found.standing is Standing.CUT_OFF:
        parts.append("cut off, and nothing of it runs")
    if found.failure:
        parts.append(found.failure)
    if found.standing is not Standing.ENDED:
        parts += [f"{found.done} of {found.total}"] * (found.total > 0)
        parts += [found.line] * bool(found.line)
        parts += [f"expected to end {_show_time(found.eta)}"] if found.eta is not None else []
        parts.append(f"{found.cost_euros:.2f} EUR so far, given back {_show_time(found.deadline)} at the latest")
    else:
        parts.append(f"{found.cost_euros:.2f} EUR")
    if found.kept_hourly_euros:
        parts.append(f"and {found.kept_hourly_euros:.2f} an hour for its machine until {_show_time(found.deadline)} at the latest")
    return ", ".join(parts)


def show_whole(found: Progress) -> list[str]:
    """Return a run in a line, and below it what it has done, a line for each library."""
    lines, summary = [show(found)], found.summary
    if summary is not None and summary.libraries:
        width = max(len(one.title) for one in summary.libraries)
        for one in summary.libraries:
            lines.append(
                f"  {one.title:{width}}  {one.before:>9,} → {one.after:<9,} {one.gained:+,}, {one.analysed_percent:.0f} % analysed"
            )
        lines += [f"  phases: {show_seconds(summary)}", f"  at home: {summary.result}"]
    return lines


def _show_time(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M %Z}"
