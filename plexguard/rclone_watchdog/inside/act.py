"""Look through Plex's container, publish what it sees, and restart it where only that helps: counted before, looked at after."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from plexguard.core.errors import SystemRefused
from plexguard.core.found import DOCKER_UNIT, FoundPlex
from plexguard.core.manager import is_stopped
from plexguard.core.program import FOUND_PROBLEMS, Ports
from plexguard.core.state import StateFile
from plexguard.rclone_watchdog.inside import decide, events, observe
from plexguard.rclone_watchdog.inside.decide import Blind, Budget, InsideSeen, Observation, Restart, Seen

# Docker's own grace before it kills, and what stop and start may take beside.
_STOP_S = 60
_RESTART_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """name, mount_point: of the mount. found: Plex, in its container. find_use: why its container must not be restarted now."""

    name: str
    mount_point: str
    may_restart: bool
    found: FoundPlex
    find_use: Callable[[], str | None]
    published: StateFile[InsideSeen]
    budget: StateFile[Budget]


def run(task: Task, ports: Ports) -> int:
    """Look, publish, and restart if that is right; return the exit code. Raises CommandError, IoFailed and SystemRefused."""
    if is_stopped(ports.manager.unit(DOCKER_UNIT)):
        # Asking its socket would start an engine that an administrator has stopped.
        raise SystemRefused(f"{DOCKER_UNIT} does not run, and is not started for this")
    budget = task.budget.load() or Budget()
    now = ports.clock.moment()
    seen = _observe(task, ports)
    verdict = decide.decide(seen, budget, now, mount_point=task.mount_point, may_restart=task.may_restart)
    if isinstance(verdict, Restart):
        task.budget.save(verdict.budget)
        budget = verdict.budget
        _restart(task, verdict, ports)
        seen = _observe(task, ports)
        verdict = decide.decide(seen, budget, ports.clock.moment(), mount_point=task.mount_point, may_restart=False)
    return _publish(task, seen, verdict, budget, ports)


def _observe(task: Task, ports: Ports) -> Observation:
    pid, binds = observe.inspect(ports.host, task.found.name)
    device = observe.find_device(task.mount_point)
    try:
        places = observe.find_places(binds, task.mount_point, pid) if pid else ()
    except OSError:
        # It has just ended.
        pid, places = 0, ()
    seen = Observation(device=device, is_running=pid > 0, places=places)
    if not device or not places:
        return seen
    if any(place.device != device for place in places):
        return dataclasses.replace(seen, in_use=task.find_use())
    return dataclasses.replace(seen, reading=observe.read_inside(pid, places[0].path, task.found))


def _restart(task: Task, step: Restart, ports: Ports) -> None:
    container = task.found.name
    ports.journal.send(events.RESTARTING, mount=task.name, container=container, detail=step.detail)
    ports.host.run(["docker", "restart", "-t", str(_STOP_S), "--", container], timeout_s=_STOP_S + _RESTART_S)


def _publish(task: Task, seen: Observation, verdict: Seen | Blind | Restart, budget: Budget, ports: Ports) -> int:
    is_seen = isinstance(verdict, Seen)
    checked = ports.clock.moment()
    task.published.save(InsideSeen(is_seen=is_seen, detail=verdict.detail, device=seen.device, checked=checked))
    word = verdict.word if isinstance(verdict, Blind) else ""
    if budget.told.get(task.name, "") != word:
        task.budget.save(budget.note_told(task.name, word))
        event = events.SEES if is_seen else events.BLIND
        ports.journal.send(event, mount=task.name, container=task.found.name, detail=verdict.detail)
    return 0 if is_seen else FOUND_PROBLEMS
