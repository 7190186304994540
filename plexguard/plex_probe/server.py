"""What runs Plex, a unit or a container, and what state that is in: the level before all looks."""

import dataclasses
import enum
from collections.abc import Callable
from dataclasses import dataclass

from plexguard.core.clock import Clock
from plexguard.core.found import FoundContainer, FoundPlex, Server
from plexguard.core.manager import Manager, Unit
from plexguard.core.processes import look_inside
from plexguard.core.updates import find_update
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.packages import was_stopped_by_update

# container-watch looks every 30 s; an older file means that it does not run.
_CONTAINER_FILE_AGE_S = 90.0


class ServerState(enum.Enum):
    """What runs Plex, as far as it can be told."""

    RUNNING = "running"
    STARTING = "starting"  # or stopping, or between two tries of its own supervisor
    RESTARTING = "being restarted by plexguard"
    STOPPED = "stopped on purpose"
    LEFT_STOPPED = "left stopped by an update"
    DOWN = "ended by itself"
    EMPTY = "running without a Plex in it"
    REMOTE = "on another machine"
    UNKNOWN = "not to be told"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenServer:
    """detail: the words of who manages it. update: what shows that an update is at work, "" when nothing does."""

    state: ServerState
    detail: str = ""
    update: str = ""


def observe_server(
    found: FoundPlex,
    *,
    manager: Manager,
    container: FoundContainer | None,
    clock: Clock,
    config: Config,
    was_ours: Callable[[], bool] = lambda: False,
) -> SeenServer:
    """Return the state of the unit or container behind Plex.

    was_ours: whether a restart of plexguard's own stopped it lately, and never saw it answer again.
    """
    seen = _observe(found, manager=manager, container=container, clock=clock, config=config)
    if seen.state is ServerState.STOPPED and was_ours():
        return dataclasses.replace(
            seen, state=ServerState.DOWN, detail=seen.detail + ", stopped for a restart of plexguard that did not succeed"
        )
    return seen


def _observe(found: FoundPlex, *, manager: Manager, container: FoundContainer | None, clock: Clock, config: Config) -> SeenServer:
    match found.server:
        case Server.UNIT:
            return _observe_unit(found.name, manager, clock, config)
        case Server.CONTAINER:
            return _observe_container(container, clock, config)
        case Server.REMOTE:
            return SeenServer(state=ServerState.REMOTE, detail="on another machine")
        case Server.NONE:
            return SeenServer(state=ServerState.UNKNOWN, detail="no server is known")


def _observe_unit(name: str, manager: Manager, clock: Clock, config: Config) -> SeenServer:
    # Before the unit: an update that ends in between has then started it, or has left its traces.
    update = find_update(None)
    unit = manager.unit(name)
    detail = f"{name} is {unit.active_state} ({unit.sub_state}, result {unit.result})"
    state = _judge_unit(unit, clock, config)
    if state is ServerState.STARTING and unit.runs:
        detail += ", started just now"
    may_be_started = state is ServerState.STOPPED and unit.load_state == "loaded" and not update
    if may_be_started and was_stopped_by_update(unit, clock):
        state = ServerState.LEFT_STOPPED
        detail += ", stopped while its package was updated"
    return SeenServer(state=state, detail=detail, update=update)


def _judge_unit(unit: Unit, clock: Clock, config: Config) -> ServerState:
    if unit.active_state == "failed":
        # A stop that was asked for may end badly too: killed when its time was up, or with an exit code of its own. And who
        # masked it means it to stay away, however it ended; it could not be started either.
        is_meant = unit.was_told_to_stop or unit.load_state == "masked"
        return ServerState.STOPPED if is_meant else ServerState.DOWN
    if unit.active_state == "inactive":
        # Stopped, masked or disabled by a person; also never started.
        return ServerState.STOPPED
    if unit.active_state in ("activating", "deactivating"):
        return ServerState.STARTING
    if clock.monotonic_s() - unit.started_s < config.start_grace.total_seconds():
        return ServerState.STARTING
    return ServerState.RUNNING


def _observe_container(container: FoundContainer | None, clock: Clock, config: Config) -> SeenServer:
    if container is None:
        return SeenServer(
            state=ServerState.UNKNOWN,
            detail="no state of the container: does plexguard-container-watch run?",
            update=find_update(None),
        )
    now = clock.moment()
    update = find_update(container)
    if now.uptime_s - container.seen_s > _CONTAINER_FILE_AGE_S:
        detail = "the state of the container is old: does plexguard-container-watch run?"
        return SeenServer(state=ServerState.UNKNOWN, detail=detail, update=update)
    detail = f"container {container.name} is {container.status}"
    if container.status in ("exited", "dead"):
        detail += f" (exit code {container.exit_code})"
    state = _judge_container(container, now.uptime_s, config)
    if state is ServerState.STARTING and container.status == "running":
        detail += ", started just now"
    if state is ServerState.EMPTY:
        detail += ", with no Plex in it: it was stopped inside, or is being set up"
    return SeenServer(state=state, detail=detail, update=update)


def _judge_container(container: FoundContainer, uptime_s: float, config: Config) -> ServerState:
    if container.status in ("exited", "dead"):
        return ServerState.STOPPED if container.stopped_on_purpose else ServerState.DOWN
    if container.status in ("paused", "created", "absent"):
        return ServerState.STOPPED
    if container.status in ("restarting", "removing"):
        return ServerState.STARTING
    inside = look_inside(container.id)
    age_s = uptime_s - max((start for start in (container.started_s, inside.plex_started_s) if start is not None), default=uptime_s)
    if age_s < config.start_grace.total_seconds():
        return ServerState.STARTING
    # An image's supervisor starts a Plex that ended within a second: where there is none, somebody means it (`s6-svc -d`).
    return ServerState.EMPTY if inside.has_plex is False else ServerState.RUNNING
