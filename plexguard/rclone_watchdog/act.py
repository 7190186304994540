"""Carry out a plan: protect Plex, save, tell, and only then lay hands on the mount. Nothing here waits for long."""

import contextlib
import dataclasses
import os
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from plexguard.core.errors import IoFailed, PlexguardError
from plexguard.core.events import Tell
from plexguard.core.journal import Journal
from plexguard.core.manager import Manager
from plexguard.core.state import StateFile
from plexguard.rclone_watchdog import events
from plexguard.rclone_watchdog.decide import Cover, Hold, LookInside, Plan, Release, State, Step
from plexguard.rclone_watchdog.ladder import Abort, Kill, Refresh, Start, is_stopped

# Plex is given so long to be held before the mount is cut: a scan that hangs in it would go on with an error for each file. A Plex
# that does not answer has no say.
_HELD_WITHIN_S = 15.0
_CONNECTIONS = Path("/sys/fs/fuse/connections")


class Protector(Protocol):
    """What keeps Plex from taking files for deleted. Neither call takes longer than a few seconds, and both are made again each
    look until they are done."""

    @property
    def is_refused(self) -> bool:
        """Whether Plex does not take the token."""
        ...

    def hold(self, why: str) -> bool:
        """Cancel Plex's scans of this mount, and switch off what it does by itself. True: all of it is so."""
        ...

    def release(self) -> bool:
        """Give back what was taken, when Plex itself sees the live mount. True: nothing of ours is left."""
        ...


class NullProtector:
    """Of a mount that no Plex is to be protected for."""

    is_refused = False

    def hold(self, why: str) -> bool:
        return True

    def release(self) -> bool:
        return True


class Hands(Protocol):
    """What is done to the mount itself. Each raises PlexguardError or OSError."""

    def refresh(self) -> None:
        """Have rclone forget what it has listed, and list it anew."""
        ...

    def abort(self, device: str) -> None:
        """Cut the connection of a FUSE mount, by the number of its device."""
        ...

    def kill(self, pid: int) -> None:
        """End our own rclone, if it still is the one of that number."""
        ...

    def start(self) -> None: ...

    def cover(self) -> None:
        """Have root cover the mount point, or uncover it, as the published state says."""
        ...

    def look_inside(self) -> None:
        """Have root look whether Plex's container sees the live mount."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RealHands:
    """By the service manager and the kernel. Jobs are only queued: root's units have deadlines of their own."""

    name: str
    manager: Manager
    ask_refresh: Callable[[], None]

    @property
    def unit(self) -> str:
        return unit_of(self.name)

    def refresh(self) -> None:
        self.ask_refresh()

    def abort(self, device: str) -> None:
        file = _CONNECTIONS / device.partition(":")[2] / "abort"
        # One that is gone by now has let go of everybody.
        with contextlib.suppress(FileNotFoundError):
            file.write_bytes(b"1")

    def kill(self, pid: int) -> None:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            # By now the number may be another's: what it stood for is asked after it was taken hold of.
            if self.manager.unit(self.unit).main_pid == pid:
                signal.pidfd_send_signal(fd, signal.SIGKILL)
        except ProcessLookupError:
            return
        finally:
            os.close(fd)

    def start(self) -> None:
        # Who has stopped it since it was looked at means it.
        if not is_stopped(self.manager.unit(self.unit)):
            self.manager.start(self.unit)

    def cover(self) -> None:
        self.manager.start(f"plexguard-rclone-cover@{self.name}.service")

    def look_inside(self) -> None:
        self.manager.start(f"plexguard-rclone-inside@{self.name}.service")


def unit_of(name: str) -> str:
    return f"plexguard-rclone@{name}.service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """state: from now on. troubles: what could not be done, in words; it follows again from the next look. unsaved: why the state
    could not be saved, "" when it could."""

    state: State
    troubles: tuple[str, ...] = ()
    unsaved: str = ""


def carry_out(
    plan: Plan, past: State, *, file: StateFile[State] | None, protector: Protector, hands: Hands, journal: Journal
) -> Done:
    """file: None where nothing is to be saved at this look. A remount that cannot be counted is not made, nor one before Plex is
    held."""
    state, steps, unsaved = plan.state, plan.steps, ""
    troubles = list(_protect(steps, protector))
    if plan.is_remount and troubles and _age_s(plan) < _HELD_WITHIN_S:
        state, steps = _without_remount(state, past), tuple(step for step in steps if not _is_of_remount(step))
    if file is not None:
        try:
            file.save(state)
        except IoFailed as error:
            unsaved = f"not saved: {error}"
            if plan.is_remount:
                state, steps = _without_remount(state, past), tuple(step for step in steps if not _is_of_remount(step))
    for step in steps:
        try:
            state = _take(step, state, protector=protector, hands=hands, journal=journal)
        except (PlexguardError, OSError) as error:
            troubles.append(f"{type(step).__name__.lower()}: {error}")
    return Done(state=state, troubles=tuple(troubles), unsaved=unsaved)


def _age_s(plan: Plan) -> float:
    """Return for how long the problem has been open."""
    problem, checked = plan.state.problem, plan.state.checked
    return checked.seconds_since(problem.began) if problem is not None and checked is not None else 0.0


def _protect(steps: Iterable[Step], protector: Protector) -> Iterable[str]:
    for step in steps:
        if isinstance(step, Hold):
            try:
                if not protector.hold(step.why):
                    yield "Plex is not held yet"
            except (PlexguardError, OSError) as error:
                yield f"Plex is not held: {error}"


def _take(step: Step, state: State, *, protector: Protector, hands: Hands, journal: Journal) -> State:
    match step:
        case Tell(event, values):
            journal.send(event, **values)
        case Release():
            if protector.release():
                return dataclasses.replace(state, is_held=False)
        case Refresh():
            hands.refresh()
        case Abort(device):
            hands.abort(device)
        case Kill(pid):
            hands.kill(pid)
        case Start():
            hands.start()
        case Cover():
            hands.cover()
        case LookInside():
            hands.look_inside()
        case Hold():
            pass
    return state


def _without_remount(state: State, past: State) -> State:
    """Return the state without the remount, which is decided on anew at the next look."""
    problem, before = state.problem, past.problem
    if problem is not None:
        tries, last_try = (before.tries, before.last_try) if before is not None else (0, None)
        problem = dataclasses.replace(problem, tries=tries, last_try=last_try)
    return dataclasses.replace(
        state, problem=problem, remounted=past.remounted, remounts=past.remounts, remounts_total=past.remounts_total
    )


def _is_of_remount(step: Step) -> bool:
    return isinstance(step, Abort | Kill | Start) or (isinstance(step, Tell) and step.event is events.REMOUNTING)
