"""Plex itself, and who watches. Pure."""

from plexguard.core.found import FoundPlex, Server
from plexguard.core.published import ProbeSeen
from plexguard.status.observe import Observation
from plexguard.status.overview import PlexView, State, Thing
from plexguard.status.views.freshness import find_staleness
from plexguard.status.views.proxy import find_breaker
from plexguard.status.views.words import ago, when

_STATES = {
    "healthy": State.WELL,
    "degraded": State.WARNING,
    "maintenance": State.WARNING,
    "updating": State.WARNING,
    "starting": State.WARNING,
    "stopped": State.OFF,
    "unknown": State.UNKNOWN,
}
_EXPLAIN = "plexguard-plex-probe --explain"
_STEM = "plexguard-plex-probe"
_DISCOVER = "plexguard-discover"
_WELL = frozenset({"healthy", "degraded"})


def view_plex(seen: Observation) -> tuple[Thing, PlexView]:
    """Return how Plex is. What the probe has found too long ago says nothing of now."""
    probe = seen.probe.record
    state, summary, command = _find_barrier(seen)
    if probe is None or summary:
        checked = when(seen, probe.checked) if probe is not None else None
        version = probe.version if probe is not None else ""
        thing = Thing(
            name="plex", title="Plex", state=state, summary=summary, since=checked, details=_describe(seen), command=command
        )
        return thing, PlexView(verdict="unknown", detail=summary, checked=checked, version=version, breaker=find_breaker(seen))
    state, summary = _judge(seen, probe)
    began = probe.problem.began if probe.problem is not None else probe.silent_since
    thing = Thing(
        name="plex",
        title="Plex",
        state=state,
        summary=summary,
        since=when(seen, began),
        details=_describe(seen),
        command=_EXPLAIN,
    )
    view = PlexView(
        verdict=probe.verdict,
        detail=probe.detail,
        level=probe.level,
        checked=when(seen, probe.checked),
        version=probe.version,
        latencies=dict(probe.latencies),
        viewers=probe.viewers,
        consecutive_failures=0 if probe.found in _WELL else probe.found_in_row,
        breaker=find_breaker(seen),
    )
    return thing, view


def _find_barrier(seen: Observation) -> tuple[State, str, str]:
    """Return why nothing is known of Plex now, "" when something is."""
    found = seen.plex.record
    if found is None:
        why = seen.plex.why or "it has not been looked for yet"
        return State.UNKNOWN, f"which server is Plex's is not known: {why}", f"systemctl start {_DISCOVER}.service"
    if found.server is Server.NONE:
        return State.UNKNOWN, f"no Plex was found: {found.missing}", f"journalctl -x -e -u {_DISCOVER}"
    if seen.probe.why:
        return State.UNKNOWN, seen.probe.why, f"systemctl status {_STEM}.timer"
    probe = seen.probe.record
    return find_staleness(seen, _STEM, probe.checked if probe is not None else None, seen.limits.probe_interval)


def _judge(seen: Observation, probe: ProbeSeen) -> tuple[State, str]:
    state = _STATES.get(probe.verdict, State.PROBLEM)
    summary = probe.verdict
    if probe.problem is not None:
        summary += f" for {ago(seen, probe.problem.began)}"
    if probe.detail:
        summary += f": {probe.detail}"
    if probe.problem is not None and probe.problem.gave_up:
        return State.PROBLEM, f"{summary}; it is left to you"
    if state is State.WELL and probe.silent_since is not None:
        return State.WARNING, f"no answer for {ago(seen, probe.silent_since)}, and not yet certain"
    if state is State.WELL and probe.checked is not None:
        slowest_s = max((took for level, took in probe.latencies.items() if level != "media"), default=0.0)
        return state, f"healthy: answered within {slowest_s * 1000:.0f} ms, {ago(seen, probe.checked)} ago"
    return state, summary


def _describe(seen: Observation) -> tuple[tuple[str, str], ...]:
    found, probe, container = seen.plex.record, seen.probe.record, seen.container.record
    rows = [("server", _show_server(found))] if found is not None and found.server is not Server.NONE else []
    if found is not None and found.server is Server.CONTAINER and container is not None:
        rows.append(("container", f"{container.name}: {container.status}"))
    if probe is not None and probe.version:
        rows.append(("version", probe.version))
    if probe is not None and probe.checked is not None:
        rows.append(("checked", f"{ago(seen, probe.checked)} ago"))
    if probe is not None and probe.problem is not None and probe.problem.restarts:
        rows.append(("restarts asked for", str(probe.problem.restarts)))
    return tuple(rows)


def _show_server(found: FoundPlex) -> str:
    return f"{found.server.value} {found.name}".strip() + (f" at {found.url}" if found.url else "")


def view_streams(view: PlexView) -> Thing:
    """Return who watches. It is told for people, and nothing is guarded by it."""
    state, summary = State.WELL, "nobody watches"
    if view.viewers is None:
        state, summary = State.UNKNOWN, "Plex does not tell who watches"
        if view.verdict == "unknown":
            summary = "who watches is not known"
    elif view.viewers:
        summary = "1 player is in use" if view.viewers == 1 else f"{view.viewers} players are in use"
    return Thing(name="streams", title="Streams", state=state, summary=summary, command=_EXPLAIN)
