"""Have Plex scan its libraries, one after the other: each only while its media are proven, and with a way back.

A scan that takes more from a library than it may is undone: Plex is stopped, and its database is what it was before. What is gone
is forgotten only after a scan that was right.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol, TypeVar

from plexguard.cloud_run.section import idle
from plexguard.cloud_run.section.brake import find_loss
from plexguard.cloud_run.section.idle import Outcome, Rules
from plexguard.cloud_run.section.order import choose_sections
from plexguard.cloud_run.section.signals import Signals, Step, find_library
from plexguard.cloud_run.section.told import Done, Plan, Told
from plexguard.cloud_run.server.counting import Counted
from plexguard.core.clock import Clock, Moment
from plexguard.core.errors import PlexguardError, Unavailable
from plexguard.core.plex import Library, PlexControl, PlexDeclined, PlexError
from plexguard.core.program import FOUND_PROBLEMS
from plexguard.core.spans import show_span

T = TypeVar("T")
_CALL_S = 30.0
# A database under load answers late.
_TRASH_S = 2 * 3600.0
_EVERY_S = 30.0
_MOUNT_EVERY_S = 5.0
# As long as each kind may take; shows were given two hours, until that was seen to be too short.
_LIMITS_S = {"movie": 4 * 3600.0, "show": 4 * 3600.0, "artist": 4 * 3600.0, "photo": 8 * 3600.0}
_OTHER_LIMIT_S = 4 * 3600.0
_GRACE_S, _NEEDED, _IDLE_PERCENT, _STALL_S = 60.0, 3, 20.0, 900.0
# For how long a storage may be away in the midst of it, and a cancelled scan go on.
_AWAY_S, _CANCEL_S = 2 * 3600.0, 120.0
# How often a scan is begun again that a mount has broken off.
_MOST_BEGUN = 5
# How long Plex may be away: it was killed, and is started anew.
_SILENT_S = 900.0


class ScanFailed(PlexguardError):
    """A scan did not come to an end, or to none that may stay."""

    exit_code = FOUND_PROBLEMS


class Tools(Protocol):
    """What is done around a scan on the machine. Each raises what its commands raise."""

    def find_fault(self, since: Moment | None = None) -> str:
        """Return why the media are not proven, "" while they are. since: or were not at any time since then."""
        ...

    def keep(self, library: Library) -> None:
        """Keep the database as it is, while Plex is at work; what was kept for this library before stays."""
        ...

    def put_back(self, library: Library) -> None:
        """Stop Plex, put back what was kept, and start Plex."""
        ...

    def forget(self, library: Library) -> None:
        """Remove what was kept."""
        ...


@dataclass(slots=True, kw_only=True)
class Scan:
    """told: what was done before this, and is added to. save: is given it at every change."""

    plan: Plan
    plex: PlexControl
    signals: Signals
    tools: Tools
    clock: Clock
    told: Told
    save: Callable[[Told], None]

    def run(self) -> None:
        """Scan all that the plan names and that is not done yet. Raises ScanFailed, UnknownSection, and what Plex raises."""
        known = self._insist(lambda: self.plex.libraries(timeout_s=_CALL_S))
        libraries = choose_sections(known, self.plan.sections, self.plan.left_out)
        for number, library in enumerate(libraries):
            if library.title not in self.told.libraries:
                self._tell(f"{library.title}: beginning", done=number, total=len(libraries))
                self._scan(library)

    def _scan(self, library: Library) -> None:
        began_s = self.clock.monotonic_s()
        before = self.signals.count(library)
        self.tools.keep(library)
        for attempt in range(1, _MOST_BEGUN + 1):
            self._await_media(library)
            fault = self._scan_once(library, before)
            if not fault:
                break
            self._note("trouble", library, f"its scan was broken off, nothing is lost: {fault}")
            if attempt == _MOST_BEGUN:
                raise ScanFailed(f"{library.title}: its media went away {attempt} times: {fault}")
        after = self._forget_trash(library)
        self.tools.forget(library)
        done = Done(before=before, after=after, seconds=self.clock.monotonic_s() - began_s)
        self.told = replace(self.told, libraries={**self.told.libraries, library.title: done})
        gained = after.items - before.items
        self._note(
            "done",
            library,
            f"{after.items:,} items, {gained:+,} since before, after {show_span(timedelta(seconds=int(done.seconds)))}",
        )

    def _scan_once(self, library: Library, before: Counted) -> str:
        """Have it scanned, and return "", or why its media went away meanwhile. Raises ScanFailed."""
        now = self._insist(lambda: find_library(self.plex, library.key)) or library
        began = self.clock.moment()
        step = Step(library=library, word="--scan", grows=lambda counted: counted.items, scanned_at=now.scanned_at)
        self._insist(lambda: self.plex.scan(library, timeout_s=_CALL_S, is_forced=self.plan.is_forced))
        rules = Rules(
            grace_s=_GRACE_S,
            needed=_NEEDED,
            idle_percent=_IDLE_PERCENT,
            stall_s=_STALL_S,
            limit_s=_LIMITS_S.get(library.type, _OTHER_LIMIT_S),
        )
        watch = idle.begin(self.clock.monotonic_s(), before.items)
        why = noted = ""
        while watch.outcome is Outcome.GOING:
            if fault := self._rest(began):
                return self._break_off(library, before, fault)
            watch = idle.take(watch, self.signals.look(step), rules)
            loss = self._find_loss(library, before)
            # Looked at again after what has happened was: what was taken away with the media is no scan's doing.
            if fault := self.tools.find_fault(began):
                return self._break_off(library, before, fault)
            if loss:
                self._cancel(library)
                self.tools.put_back(library)
                raise ScanFailed(
                    f"{loss}: that is more than {self.plan.most_loss_percent} %, so the scan was undone",
                    hint="look whether all of the media are there; or set most_loss in the run's file",
                )
            if watch.outcome is Outcome.GOING and watch.why and watch.why == why != noted:
                # Twice in a row: one signal needs two looks, and another comes late.
                self._note("trouble", library, watch.why)
                noted = why
            why = watch.why
            self._tell(
                f"{library.title}: scanning, {watch.count if watch.count is not None else '?'} items{f'; {why}' if why else ''}"
            )
        if watch.outcome is not Outcome.DONE:
            self._cancel(library)
            raise ScanFailed(
                f"{library.title}: its scan did not end: {watch.why}", hint=f"docker logs plex, there; {watch.outcome.value}"
            )
        return ""

    def _break_off(self, library: Library, before: Counted, fault: str) -> str:
        self._cancel(library)
        if self._find_loss(library, before):
            self.tools.put_back(library)
        return fault

    def _rest(self, began: Moment) -> str:
        """Wait until the next look, and return why the media are not proven, as soon as they are not. began: of the scan."""
        until_s = self.clock.monotonic_s() + _EVERY_S
        while not (fault := self.tools.find_fault(began)) and self.clock.monotonic_s() < until_s:
            self.clock.sleep(_MOUNT_EVERY_S)
        return fault

    def _await_media(self, library: Library) -> None:
        until_s = self.clock.monotonic_s() + _AWAY_S
        while fault := self.tools.find_fault():
            if self.clock.monotonic_s() >= until_s:
                raise ScanFailed(f"{library.title}: its media are away for {show_span(timedelta(seconds=_AWAY_S))}: {fault}")
            self._tell(f"{library.title}: waiting for its media: {fault}")
            self.clock.sleep(_MOUNT_EVERY_S)

    def _cancel(self, library: Library) -> None:
        """Break its scan off. That Plex agrees does not mean that it ends: a Plex that goes on is stopped, with its database put
        back."""
        until_s = self.clock.monotonic_s() + _CANCEL_S
        while self.clock.monotonic_s() < until_s:
            try:
                for activity in self.plex.activities(timeout_s=_CALL_S):
                    if activity.is_scan and activity.library in ("", library.key):
                        _bear_decline(lambda activity=activity: self.plex.cancel_activity(activity, timeout_s=_CALL_S))  # type: ignore[misc]
                _bear_decline(lambda: self.plex.cancel_scan(library, timeout_s=_CALL_S))
                now = find_library(self.plex, library.key)
                busy = [one for one in self.plex.activities(timeout_s=_CALL_S) if one.library in ("", library.key)]
                if now is not None and not now.scanning and not busy:
                    return
            except PlexError:
                pass  # it is asked again
            self.clock.sleep(_MOUNT_EVERY_S)
        self._note("trouble", library, "Plex goes on scanning, though that is cancelled: it is stopped, and its database put back")
        self.tools.put_back(library)

    def _find_loss(self, library: Library, before: Counted) -> str:
        """Return what the scan has taken, where that is more than it may. What cannot be told is looked at again: no scan ends
        before its database was read."""
        try:
            return find_loss(before, self.signals.count(library), most_percent=self.plan.most_loss_percent)
        except PlexguardError:
            return ""

    def _forget_trash(self, library: Library) -> Counted:
        """Have Plex forget what a scan that was right has not found, and return what is left."""
        after = self.signals.count(library)
        if after.trashed:
            self._tell(f"{library.title}: forgetting {after.trashed:,} items that are gone")
            self._insist(lambda: self.plex.empty_trash(library, timeout_s=_TRASH_S))
            after = self.signals.count(library)
        return after

    def _insist(self, ask: Callable[[], T]) -> T:
        """Ask Plex until it answers, for as long as it may be away. Raises what it raised last, and at once what it declines."""
        until_s = self.clock.monotonic_s() + _SILENT_S
        while True:
            try:
                return ask()
            except PlexDeclined:
                raise
            except Unavailable:
                if self.clock.monotonic_s() >= until_s:
                    raise
                self.clock.sleep(_MOUNT_EVERY_S)

    def _tell(self, line: str, *, done: int | None = None, total: int | None = None) -> None:
        told = self.told
        self.told = replace(told, line=line, done=told.done if done is None else done, total=told.total if total is None else total)
        self.save(self.told)

    def _note(self, kind: str, library: Library, text: str) -> None:
        self.told = self.told.note(kind, library.title, text)
        self.save(self.told)


def _bear_decline(ask: Callable[[], object]) -> None:
    with contextlib.suppress(PlexDeclined):  # it has ended meanwhile
        ask()
