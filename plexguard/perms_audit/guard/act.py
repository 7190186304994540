"""The loop of the live guard: wait, read, check what is due, and have an audit started for what is too much.

It sleeps for as long as nothing happens, and is never busy for long before it reads again.
"""

import contextlib
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from plexguard.core.clock import Clock
from plexguard.core.daemon import run_cycles
from plexguard.core.events import FilePath
from plexguard.core.guarded import NONE_GUARDED, Guarded
from plexguard.core.host import CommandError
from plexguard.core.journal import Journal
from plexguard.core.manager import Manager
from plexguard.core.mounts import MountPoint, mount_of, read_fstab
from plexguard.core.program import Ports
from plexguard.perms_audit import events
from plexguard.perms_audit.guard.decide import Trees, Waiting, choose_targets, describe, find_stale
from plexguard.perms_audit.guard.fanotify import MOVED_TO, ONDIR, OVERFLOW
from plexguard.perms_audit.guard.observe import KernelWatcher, Mounts, Watcher, read_mounts
from plexguard.perms_audit.prove import Place
from plexguard.perms_audit.roots import RootFault

RECENT_UNIT = "plexguard-perms-audit.service"
FULL_UNIT = "plexguard-perms-audit-full.service"
# A cycle, and with it the longest sleep: well within half of WatchdogSec=.
_CYCLE_S = 25.0
# Before more is read, at most so many are checked, or so long a tree is walked.
_MOST_CHECKED = 128
_WALK_S = 0.02
_WALK_CHUNK = 32
# While there is something to do, the checker may sum up and tell this often.
_FLUSH_S = 1.0
_AUDIT_PAUSE_S = 60.0
_AUDIT_RETRY_S = 15.0


class Checker(Protocol):
    """Judges places and repairs them."""

    def check(self, places: Sequence[Place]) -> None:
        """Look at each place by itself, and repair it if need be. Raises nothing: a place may be gone, or be anything."""
        ...

    def flush(self) -> None:
        """Tell what was summed up and is due to be told."""
        ...


class AuditRequests:
    """Has audits started for what the guard can't look at itself: at most once a minute, and never lost.

    An audit that runs has perhaps passed the place in question, so one that is asked for meanwhile follows it.
    """

    def __init__(self, manager: Manager, journal: Journal, clock: Clock) -> None:
        self._manager = manager
        self._journal = journal
        self._clock = clock
        self._wanted: dict[str, str] = {}
        self._not_before_s = 0.0
        self._told_refusal = False

    @property
    def next_due_s(self) -> float:
        return self._not_before_s if self._wanted else math.inf

    def ask(self, reason: str, *, everything: bool = False, after_s: float = 0.0) -> None:
        """Ask for an audit of what changed of late, or of everything. reason: what happened, as a clause. after_s: not before."""
        if after_s and not self._wanted:
            self._not_before_s = max(self._not_before_s, self._clock.monotonic_s() + after_s)
        self._wanted.setdefault(FULL_UNIT if everything else RECENT_UNIT, reason)

    def start_due(self) -> None:
        """Start what was asked for, if it is time."""
        if self._clock.monotonic_s() < self.next_due_s:
            return
        if FULL_UNIT in self._wanted:
            self._wanted.pop(RECENT_UNIT, None)
        ((unit, reason),) = self._wanted.items()
        self._not_before_s = self._clock.monotonic_s() + _AUDIT_RETRY_S
        try:
            if self._manager.unit(unit).active_state != "activating":
                self._start(unit, reason)
        except CommandError as error:
            self._not_before_s = self._clock.monotonic_s() + _AUDIT_PAUSE_S
            if not self._told_refusal:
                self._journal.send(events.AUDIT_REFUSED, unit=unit, reason=str(error))
            self._told_refusal = True

    def _start(self, unit: str, reason: str) -> None:
        self._manager.start(unit)
        self._journal.send(events.GUARD_BEHIND, reason=reason, unit=unit)
        self._wanted.clear()
        self._not_before_s = self._clock.monotonic_s() + _AUDIT_PAUSE_S
        self._told_refusal = False


class BeginAnew(Exception):
    """This process sees what is not so any more; the service manager is to start a new one."""


class Guard:
    """One cycle waits for events up to 25 s and sees to them as they come."""

    def __init__(
        self,
        roots: Sequence[str],
        checker: Checker,
        watcher: Watcher,
        *,
        requests: AuditRequests,
        journal: Journal,
        clock: Clock,
        last_mounts: Mapping[str, str],
        guarded: Guarded = NONE_GUARDED,
        is_current: Callable[[], bool],
        look_at_mounts: Callable[[], Mounts] = read_mounts,
        look_at_fstab: Callable[[], tuple[MountPoint, ...]] = read_fstab,
    ) -> None:
        self._roots = tuple(roots)
        self._checker = checker
        self._watcher = watcher
        self._requests = requests
        self._journal = journal
        self._clock = clock
        self._last_mounts = dict(last_mounts)
        self._guarded = guarded
        self._is_current = is_current
        self._look_at_mounts = look_at_mounts
        self._look_at_fstab = look_at_fstab
        self._waiting = Waiting()
        self._trees = Trees()
        self._walk: Iterator[tuple[Place, bool]] = iter(())
        self._walks = False
        self._watched: frozenset[str] | None = None
        self._unwatched: dict[str, str] = {}
        self._told = set[tuple[str, str]]()
        self._mounts = Mounts()
        self._flush_due_s = math.inf
        self._checked = 0

    def cycle(self) -> str:
        """See to what happens, and return what there is to see in one line. Raises BeginAnew."""
        if self._watched is None:
            self._look()
            return self._describe()
        end_s = self._clock.monotonic_s() + _CYCLE_S
        checked_before = self._checked
        while self._clock.monotonic_s() < end_s:
            self._turn(end_s)
        self._checker.flush()
        # A folder that is missing may have been made, a busy root replaced by another of its name, and a mount left to this
        # process alone, of which no change of the table is told. Else nothing is touched: a disk that sleeps is left asleep.
        is_missing = RootFault.MISSING.value in self._unwatched.values()
        if is_missing or self._checked != checked_before or self._look_at_mounts() != self._mounts:
            self._look()
        if not self._is_current():
            raise BeginAnew
        return self._describe()

    def _turn(self, end_s: float) -> None:
        """Wait until there is something to do, and do a piece of it."""
        now_s = self._clock.monotonic_s()
        is_busy = self._walks or self._waiting.is_full
        due_s = min(end_s, self._waiting.next_due_s, self._flush_due_s, self._requests.next_due_s)
        woken = self._watcher.wait(0.0 if is_busy else max(0.0, due_s - now_s))
        if woken.mounts_changed:
            self._look()
        if woken.has_events and not self._waiting.is_full:
            self._read()
        self._check_due()
        self._walk_on()
        if self._clock.monotonic_s() >= self._flush_due_s:
            self._flush_due_s = math.inf
            self._checker.flush()
        self._requests.start_due()

    def _read(self) -> None:
        now_s = self._clock.monotonic_s()
        own_pid = os.getpid()
        moved = False
        for event in self._watcher.read():
            if event.folder is None or event.mask & OVERFLOW:
                # The name of a folder may have changed unseen.
                self._watcher.forget_places()
                self._requests.ask("more happened at once than the kernel keeps for the guard")
                continue
            if event.mask & (MOVED_TO | ONDIR) == MOVED_TO | ONDIR:
                self._watcher.forget_places()
                moved = True
            if event.pid != own_pid and not self._watcher.is_outside(event.folder):
                self._waiting.note(event.folder, event.name, event.mask, now_s)
        # What is mounted in a folder moves with it, and nothing tells: it may be a mount that must not be touched.
        if moved and self._look_at_mounts() != self._mounts:
            self._look()

    def _check_due(self) -> None:
        due = self._waiting.take(self._clock.monotonic_s(), _MOST_CHECKED)
        if not due:
            return
        found = self._watcher.find_places([(one.folder, one.name) for one in due])
        for one, place in zip(due, found, strict=True):
            if one.has_tree and place is not None:
                self._add_tree(place)
        self._check([place for place in found if place is not None])

    def _check(self, places: Sequence[Place]) -> None:
        if not places:
            return
        self._checker.check(places)
        self._checked += len(places)
        if self._flush_due_s == math.inf:
            self._flush_due_s = self._clock.monotonic_s() + _FLUSH_S

    def _add_tree(self, place: Place) -> None:
        self._walks = True
        if not self._trees.add(place):
            self._requests.ask("a tree of more folders than the guard can keep was moved in", everything=True)

    def _walk_on(self) -> None:
        """Check a piece of what came with folders that were moved in: nothing is told of what is in those."""
        end_s = self._clock.monotonic_s() + _WALK_S
        while self._walks and self._clock.monotonic_s() < end_s:
            places = self._take_from_tree()
            self._check(places)

    def _take_from_tree(self) -> list[Place]:
        places: list[Place] = []
        # A folder that is gone, or is none any more, was told as an event of its own.
        with contextlib.suppress(OSError):
            for place, is_folder in self._walk:
                places.append(place)
                if is_folder:
                    self._add_tree(place)
                if len(places) >= _WALK_CHUNK:
                    return places
        folder = self._trees.take()
        self._walks = folder is not None
        self._walk = self._watcher.list_folder(folder) if folder is not None else iter(())
        return places

    def _look(self) -> None:
        """Watch what can be watched now, and tell what changed in that."""
        mounts = self._look_at_mounts()
        if find_stale(self._roots, self._mounts, mounts):
            raise BeginAnew
        self._mounts = mounts
        # What is guarded is meant to be there, as what fstab(5) names; a cover is none of it.
        fstab = (*self._look_at_fstab(), *self._guarded.as_mounts())
        outlook = choose_targets(self._roots, self._guarded.without_covers(mounts.points), fstab, self._last_mounts)
        refused = self._watcher.mark(outlook.targets, mounts)
        watched = {target.full_path for target in outlook.targets} - refused.keys()
        self._last_mounts |= {root: mount_of(root, mounts.points).path for root in self._roots if root in watched}
        self._tell_changes(frozenset(watched), {**outlook.unwatched, **refused})

    def _tell_changes(self, watched: frozenset[str], unwatched: dict[str, str]) -> None:
        new = watched - (self._watched or frozenset())
        for path in sorted(new):
            self._journal.send(events.WATCHING, path=FilePath(path))
        # A mount that cannot be watched may come and go all night: who does that is asked elsewhere.
        untold = sorted(unwatched.items() - self._told)
        for path, reason in untold:
            self._journal.send(events.UNWATCHED, path=FilePath(path), reason=reason)
        self._told = {(path, reason) for path, reason in self._told if path not in watched} | set(untold)
        if new:
            # What happened before it was watched, nobody has told.
            self._requests.ask("a folder is watched that was not before")
        self._watched, self._unwatched = watched, unwatched

    def _describe(self) -> str:
        return describe(self._roots, self._unwatched, self._checked)


def run_guard(
    roots: Sequence[str],
    checker: Checker,
    ports: Ports,
    *,
    requests: AuditRequests | None = None,
    last_mounts: Mapping[str, str] | None = None,
    guarded: Guarded = NONE_GUARDED,
    is_current: Callable[[], bool] = lambda: True,
) -> int:
    """Watch roots until asked to stop, and have everything checked that comes into them; return the exit code.

    roots: absolute, with symlinks resolved. requests: for a checker that asks for audits too. last_mounts: by root, the
    mount that it was on when it was last well. guarded: the mounts that are never touched. is_current: asked every half
    minute at most; when it says no, the service manager is to begin anew (TEMPFAIL). Raises FanotifyError.
    """
    watcher = KernelWatcher(roots)
    guard = Guard(
        roots,
        checker,
        watcher,
        requests=requests or AuditRequests(ports.manager, ports.journal, ports.clock),
        journal=ports.journal,
        clock=ports.clock,
        last_mounts=last_mounts or {},
        guarded=guarded,
        is_current=is_current,
    )
    try:
        run_cycles(guard.cycle, ports.notifier)
    except BeginAnew:
        return os.EX_TEMPFAIL
    finally:
        watcher.close()
    return 0
