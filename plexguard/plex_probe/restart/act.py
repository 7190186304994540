"""Restart a unit or a container, after it was counted: gracefully, within a limit, killed only when that is over, and watched
until it answers. Or say once why not."""

import contextlib
import dataclasses
import os
import signal
from collections.abc import Iterator

from plexguard.core.clock import Clock, Moment
from plexguard.core.errors import PlexguardError, SystemRefused
from plexguard.core.found import DOCKER_UNIT, Server
from plexguard.core.host import CommandTimeout, Host
from plexguard.core.journal import Journal
from plexguard.core.manager import Manager, is_stopped
from plexguard.core.plex import Plex, PlexError, PlexMaintenance
from plexguard.core.program import FOUND_PROBLEMS, Ports
from plexguard.core.state import StateFile
from plexguard.plex_probe import events
from plexguard.plex_probe.restart.decide import Budget, Refuse, Restart

PROBE_UNIT = "plexguard-plex-probe.service"
# What the kernel and the manager need after a SIGKILL.
_KILL_TIMEOUT_S = 10.0
_LOOK_TIMEOUT_S = 2.0
_LOOK_PAUSE_S = 0.5
_POLL_S = 0.2


def refuse(refusal: Refuse, budget: Budget, now: Moment, ports: Ports, *, file: StateFile[Budget]) -> int:
    """Tell a refusal when it is news, and to a person always; return the exit code."""
    if ports.by_hand or not budget.has_told(refusal, now):
        ports.journal.send(events.RESTART_REFUSED, reason=refusal.reason)
    noted = budget.note_refusal(refusal, now)
    if noted != budget:
        file.save(noted)
    return os.EX_TEMPFAIL if refusal.passing else os.EX_UNAVAILABLE


def restart(step: Restart, now: Moment, ports: Ports, *, plex: Plex, file: StateFile[Budget], limit: int) -> int:
    """Count, tell, restart and watch; return the exit code. limit: restarts in 24 hours. Raises IoFailed when it cannot be
    counted: then there is none."""
    file.save(step.budget)
    in_day = step.budget.in_day(now)
    ports.journal.send(events.RESTARTING, server=step.name, reason=step.reason, in_day=in_day, limit=limit)
    answers = carry_out(step, plex=plex, manager=ports.manager, host=ports.host, clock=ports.clock, journal=ports.journal)
    if answers:
        file.save(dataclasses.replace(step.budget, unfinished=None))
    # Looked at at once, so that the recovery is told with its true downtime and not at the next tick.
    ports.manager.start(PROBE_UNIT)
    return 0 if answers else FOUND_PROBLEMS


def restart_server(step: Restart, *, manager: Manager, host: Host, clock: Clock) -> None:
    """Stop and start what runs Plex. Raises CommandError and SystemRefused."""
    with _uninterrupted(), manager.inhibit(what="sleep:shutdown", why="Plex is being restarted"):
        if step.server is Server.UNIT:
            _restart_unit(step, manager, clock)
        else:
            _restart_container(step, manager, host)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Between stop and start nobody ends this process by SIGTERM: that would leave Plex stopped."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _restart_unit(step: Restart, manager: Manager, clock: Clock) -> None:
    """Restart in one job of the manager's own: whatever becomes of this process, what it stopped is started again."""
    # A unit that failed too often must be forgiven first, or the manager refuses to start it.
    manager.reset_failed(step.name)
    try:
        manager.restart(step.name, timeout_s=step.stop_timeout_s)
    except CommandTimeout:
        # The job goes on without who asked for it.
        if manager.unit(step.name).active_state == "deactivating":
            manager.kill(step.name)
        _await_start(step, manager, clock)


def _await_start(step: Restart, manager: Manager, clock: Clock) -> None:
    deadline_s = clock.monotonic_s() + _KILL_TIMEOUT_S + step.start_timeout_s
    while (unit := manager.unit(step.name)).active_state != "active":
        if unit.active_state == "deactivating" and clock.monotonic_s() > deadline_s - step.start_timeout_s:
            raise SystemRefused(
                f"{step.name}: still there {_KILL_TIMEOUT_S:.0f} s after SIGKILL; a process waits in the kernel for a disk"
            )
        if clock.monotonic_s() > deadline_s:
            raise SystemRefused(f"{step.name}: not started within {step.start_timeout_s:.0f} s")
        clock.sleep(_POLL_S)


def _restart_container(step: Restart, manager: Manager, host: Host) -> None:
    """Let Docker do it: it stops within the limit, kills after it, and starts again, exited containers too."""
    if is_stopped(manager.unit(DOCKER_UNIT)):
        raise SystemRefused(f"{DOCKER_UNIT} does not run, and is not started for this")
    seconds = str(round(step.stop_timeout_s))
    timeout_s = step.stop_timeout_s + _KILL_TIMEOUT_S + step.start_timeout_s
    host.run(["docker", "restart", "-t", seconds, "--", step.name], timeout_s=timeout_s)


def await_answer(plex: Plex, clock: Clock, *, timeout_s: float) -> str:
    """Wait until Plex answers; return "" or ", in maintenance". Raises the last PlexError when it does not in time."""
    deadline_s = clock.monotonic_s() + timeout_s
    while True:
        try:
            plex.identity(timeout_s=_LOOK_TIMEOUT_S)
        except PlexMaintenance:
            return ", in maintenance"
        except PlexError:
            if clock.monotonic_s() > deadline_s:
                raise
            clock.sleep(_LOOK_PAUSE_S)
        else:
            return ""


def carry_out(step: Restart, *, plex: Plex, manager: Manager, host: Host, clock: Clock, journal: Journal) -> bool:
    """Restart and watch; tell how it went, and return whether Plex answers."""
    began_s = clock.monotonic_s()
    try:
        restart_server(step, manager=manager, host=host, clock=clock)
        how = await_answer(plex, clock, timeout_s=step.start_timeout_s)
    except PlexguardError as error:
        seconds = clock.monotonic_s() - began_s
        journal.send(events.RESTART_FAILED, server=step.name, seconds=seconds, reason=str(error))
        return False
    journal.send(events.RESTARTED, server=step.name, seconds=clock.monotonic_s() - began_s, how=how)
    return True
