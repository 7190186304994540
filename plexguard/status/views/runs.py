"""Runs in the cloud. Pure."""

from plexguard.core.published import CloudRunSeen, Reading
from plexguard.status.observe import Observation
from plexguard.status.overview import CloudRunView, State, Thing
from plexguard.status.views.words import show_seconds

_ENDED = ("done", "failed", "stopped")
_MORE = "journalctl -x -e -u 'plexguard-cloud-*'"


def view_cloud(seen: Observation) -> tuple[Thing, tuple[CloudRunView, ...]]:
    views = tuple(_view_run(name, reading.record) for name, reading in seen.cloud_runs.items() if reading.record is not None)
    unknown = [(name, reading) for name, reading in seen.cloud_runs.items() if reading.record is None and reading.why]
    current = [view for view in views if view.phase not in _ENDED]
    state, summary = State.OFF, "no run"
    if failed := [view for view in views if view.state is State.PROBLEM]:
        state, summary = State.PROBLEM, f"{failed[0].name} failed: {failed[0].failure}"
    elif unknown:
        state, summary = State.UNKNOWN, _show_unknown(*unknown[0])
    elif current:
        state, summary = State.WELL, "; ".join(_show_run(seen, view) for view in current)
    elif views:
        state, summary = State.WELL, f"{views[-1].name} is {views[-1].phase}, for {views[-1].cost_euros:.2f} EUR"
    details = tuple((view.name, _show_run(seen, view)) for view in views)
    return Thing(name="cloud", title="Cloud runs", state=state, summary=summary, details=details, command=_MORE), views


def _show_unknown(name: str, reading: Reading[CloudRunSeen]) -> str:
    return f"{name}: {reading.why}"


def _view_run(name: str, run: CloudRunSeen) -> CloudRunView:
    return CloudRunView(
        name=name,
        phase=run.phase,
        began=run.began,
        done=run.done,
        total=run.total,
        line=run.line,
        eta=run.eta,
        cost_euros=run.cost_euros,
        state=State.PROBLEM if run.phase == "failed" else State.WELL,
        failure=run.failure,
    )


def _show_run(seen: Observation, view: CloudRunView) -> str:
    part = f" {view.done} of {view.total}" if view.total else ""
    left = f", about {show_seconds(max(0.0, (view.eta - seen.now.wall).total_seconds()))} left" if view.eta is not None else ""
    if view.phase in _ENDED:
        return f"{view.name}: {view.phase}{f', {view.failure}' if view.failure else ''}, {view.cost_euros:.2f} EUR"
    line = f", {view.line}" if view.line else ""
    return f"{view.name}: {view.phase}{part}{line}{left}, {view.cost_euros:.2f} EUR so far"
