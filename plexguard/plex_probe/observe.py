"""What the probe sees: looks at Plex, and the state of the unit or container behind it."""

import enum
import os
from collections.abc import Callable
from dataclasses import dataclass

from plexguard.core.clock import Clock
from plexguard.core.found import FoundContainer, FoundPlex, Server
from plexguard.core.manager import Manager
from plexguard.core.plex import (
    Plex,
    PlexBroken,
    PlexError,
    PlexFailing,
    PlexMaintenance,
    PlexRefused,
    PlexTimeout,
    PlexUnauthorized,
    PlexUnreachable,
)
from plexguard.plex_probe.config import Config

RESTART_UNIT = "plexguard-plex-restart.service"
# container-watch looks every 30 s; an older file means that it does not run.
_CONTAINER_FILE_AGE_S = 90.0


class Answer(enum.Enum):
    """How one look ended."""

    WELL = "answers"
    LIMITED = "answers, but asks for a token"
    MAINTENANCE = "maintenance"
    UNAUTHORIZED = "refuses the token"
    REFUSED = "connection refused"
    SILENT = "no answer"
    DATABASE_SILENT = "no answer from the database"
    FAILING = "server error"
    BROKEN = "not an answer of Plex"
    UNREACHABLE = "address leads nowhere"

    @property
    def is_conclusive(self) -> bool:
        """Whether one such look is enough: Plex itself has spoken."""
        return self in (Answer.WELL, Answer.LIMITED, Answer.MAINTENANCE, Answer.UNAUTHORIZED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look. identity_s, libraries_s: how long each took, None when it did not come to that."""

    answer: Answer
    detail: str = ""
    version: str = ""
    identity_s: float | None = None
    libraries_s: float | None = None


class ServerState(enum.Enum):
    """What runs Plex, as far as it can be told."""

    RUNNING = "running"
    STARTING = "starting"  # or stopping, or between two tries of its own supervisor
    RESTARTING = "being restarted by plexguard"
    STOPPED = "stopped on purpose"
    DOWN = "ended by itself"
    REMOTE = "on another machine"
    UNKNOWN = "not to be told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """looks: in order, the last one decides. processes: Plex processes on this machine, as a line, "" when not asked.
    ask_was_put_off, ask_was_refused: the last run of the restart's unit refused, for a reason that passes or for good."""

    looks: tuple[Look, ...]
    server: ServerState
    server_detail: str = ""
    processes: str = ""
    ask_was_put_off: bool = False
    ask_was_refused: bool = False
    restart_is_masked: bool = False

    @property
    def last(self) -> Look:
        return self.looks[-1]


def take_look(plex: Plex, clock: Clock, *, timeout_s: float, has_token: bool) -> Look:
    """Look once: who it is, then its libraries, which need the token and the database. Both within the timeout."""
    began = clock.monotonic_s()
    try:
        version = plex.identity(timeout_s=timeout_s).version
    except PlexTimeout as error:
        return Look(answer=Answer.SILENT, detail=str(error))
    except PlexError as error:
        return Look(answer=_read_error(error), detail=str(error))
    identity_s = clock.monotonic_s() - began
    try:
        plex.libraries(timeout_s=max(0.1, timeout_s - identity_s))
    except PlexTimeout as error:
        return Look(answer=Answer.DATABASE_SILENT, detail=str(error), version=version, identity_s=identity_s)
    except PlexError as error:
        answer = _read_error(error)
        if answer is Answer.UNAUTHORIZED and not has_token:
            answer = Answer.LIMITED
        return Look(answer=answer, detail=str(error), version=version, identity_s=identity_s)
    libraries_s = clock.monotonic_s() - began - identity_s
    return Look(answer=Answer.WELL, version=version, identity_s=identity_s, libraries_s=libraries_s)


def _read_error(error: PlexError) -> Answer:
    kinds: dict[type[PlexError], Answer] = {
        PlexMaintenance: Answer.MAINTENANCE,
        PlexUnauthorized: Answer.UNAUTHORIZED,
        PlexRefused: Answer.REFUSED,
        PlexTimeout: Answer.SILENT,
        PlexFailing: Answer.FAILING,
        PlexBroken: Answer.BROKEN,
        PlexUnreachable: Answer.UNREACHABLE,
    }
    return kinds[type(error)]


def describe_processes() -> str:
    from plexguard.core.processes import find_plex  # psutil costs 20 ms that a healthy check saves

    return ", ".join(map(str, find_plex())) or "no Plex process"


def observe(
    plex: Plex,
    found: FoundPlex,
    *,
    manager: Manager,
    container: FoundContainer | None,
    clock: Clock,
    config: Config,
    has_token: bool,
    describe: Callable[[], str] = describe_processes,
) -> Observation:
    """Look until something is certain: one look that speaks for itself, or as many failures in a row as configured.

    What runs Plex, and its processes, are only asked about when it did not answer.
    """
    looks = [take_look(plex, clock, timeout_s=config.timeout.total_seconds(), has_token=has_token)]
    while not looks[-1].answer.is_conclusive and len(looks) < config.looks:
        clock.sleep(config.pause.total_seconds())
        looks.append(take_look(plex, clock, timeout_s=config.timeout.total_seconds(), has_token=has_token))
    if looks[-1].answer.is_conclusive:
        return Observation(looks=tuple(looks), server=ServerState.RUNNING)
    server, detail = observe_server(found, manager=manager, container=container, clock=clock, config=config)
    restart = manager.unit(RESTART_UNIT)
    if restart.active_state == "activating":
        server, detail = ServerState.RESTARTING, f"{RESTART_UNIT} is at work"
    return Observation(
        looks=tuple(looks),
        server=server,
        server_detail=detail,
        processes=describe(),
        ask_was_put_off=restart.exit_code == os.EX_TEMPFAIL,
        ask_was_refused=restart.exit_code == os.EX_UNAVAILABLE,
        restart_is_masked=restart.load_state == "masked",
    )


def observe_server(
    found: FoundPlex, *, manager: Manager, container: FoundContainer | None, clock: Clock, config: Config
) -> tuple[ServerState, str]:
    """Return the state of the unit or container behind Plex, and the words of who manages it."""
    match found.server:
        case Server.UNIT:
            return _observe_unit(found.name, manager, clock, config)
        case Server.CONTAINER:
            return _observe_container(container, clock, config)
        case Server.REMOTE:
            return ServerState.REMOTE, "on another machine"
        case Server.NONE:
            return ServerState.UNKNOWN, "no server is known"


def _observe_unit(name: str, manager: Manager, clock: Clock, config: Config) -> tuple[ServerState, str]:
    unit = manager.unit(name)
    detail = f"{name} is {unit.active_state} ({unit.sub_state}, result {unit.result})"
    if unit.active_state == "failed":
        # A stop that was asked for may end badly too: killed when its time was up, or with an exit code of its own.
        return ServerState.STOPPED if unit.was_told_to_stop else ServerState.DOWN, detail
    if unit.active_state == "inactive":
        # Stopped, masked or disabled by a person; also never started.
        return ServerState.STOPPED, detail
    if unit.active_state in ("activating", "deactivating"):
        return ServerState.STARTING, detail
    if clock.monotonic_s() - unit.started_s < config.start_grace.total_seconds():
        return ServerState.STARTING, detail + ", started just now"
    return ServerState.RUNNING, detail


def _observe_container(container: FoundContainer | None, clock: Clock, config: Config) -> tuple[ServerState, str]:
    if container is None:
        return ServerState.UNKNOWN, "no state of the container: does plexguard-container-watch run?"
    now = clock.moment()
    if now.uptime_s - container.seen_s > _CONTAINER_FILE_AGE_S:
        return ServerState.UNKNOWN, "the state of the container is old: does plexguard-container-watch run?"
    detail = f"container {container.name} is {container.status}"
    if container.status in ("exited", "dead"):
        detail += f" (exit code {container.exit_code})"
        return (ServerState.STOPPED if container.stopped_on_purpose else ServerState.DOWN), detail
    if container.status in ("paused", "created", "absent"):
        return ServerState.STOPPED, detail
    if container.status in ("restarting", "removing"):
        return ServerState.STARTING, detail
    age_s = now.uptime_s - container.started_s if container.started_s is not None else 0.0
    if age_s < config.start_grace.total_seconds():
        return ServerState.STARTING, detail + ", started just now"
    return ServerState.RUNNING, detail
