"""Have Plex scan its libraries, one after the other: each only while its media are proven, and with a way back.

A scan that takes more from a library than it may is undone: Plex is stopped, and its database is what it was before. What is gone
is forgotten only after a scan that was right.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from plexguard.cloud_run.section import idle
from plexguard.cloud_run.section.brake import find_loss
from plexguard.cloud_run.section.idle import Outcome, Rules
from plexguard.cloud_run.section.labour import CALL_S, LOOK_S, Labour, LabourFailed, bear_decline
from plexguard.cloud_run.section.signals import Step, find_library
from plexguard.cloud_run.section.told import Done
from plexguard.cloud_run.server.container import NAME
from plexguard.cloud_run.server.counting import Counted
from plexguard.core.errors import PlexguardError
from plexguard.core.plex import Library, PlexError
from plexguard.core.spans import show_span

# A database under load answers late.
_TRASH_S = 2 * 3600.0
_EVERY_S = 30.0
# While it has found nothing yet: a scan of a library in which nothing is new is over in seconds, and Plex says so.
_QUICK_S, _QUICK_FOR_S = 5.0, 120.0
# As long as each kind may take; shows were given two hours, until that was seen to be too short.
_LIMITS_S = {"movie": 4 * 3600.0, "show": 4 * 3600.0, "artist": 4 * 3600.0, "photo": 8 * 3600.0}
_OTHER_LIMIT_S = 4 * 3600.0
_GRACE_S, _NEEDED, _IDLE_PERCENT, _STALL_S = 60.0, 3, 20.0, 900.0
# How long a cancelled scan may go on.
_CANCEL_S = 120.0
# How often a scan is begun again that a mount has broken off.
_MOST_BEGUN = 5


class ScanFailed(LabourFailed):
    """A scan did not come to an end, or to none that may stay."""


@dataclass(slots=True, kw_only=True)
class Scan(Labour):
    def run(self) -> None:
        """Scan all that the plan names and that is not done yet. Raises ScanFailed, UnknownSection, and what Plex raises."""
        libraries = self.find_libraries()
        for number, library in enumerate(libraries):
            if library.key not in self.told.libraries:
                self.tell(f"{library.title}: beginning", done=number, total=len(libraries))
                self._scan(library)

    def _scan(self, library: Library) -> None:
        began_s = self.clock.monotonic_s()
        before = self.begin(library)
        self.insist(lambda: self.tools.keep(library))
        self.tell(f"{library.title}: kept as it was")
        for attempt in range(1, _MOST_BEGUN + 1):
            self.await_media(library)
            fault = self._scan_once(library, before)
            if not fault:
                break
            self.note("trouble", library, f"its scan was broken off, nothing is lost: {fault}")
            if attempt == _MOST_BEGUN:
                raise ScanFailed(f"{library.title}: its scan was broken off {attempt} times: {fault}")
        after = self._forget_trash(library)
        self.tools.forget(library)
        done = Done(before=before, after=after, seconds=self.clock.monotonic_s() - began_s)
        self.told = replace(self.told, libraries={**self.told.libraries, library.key: done})
        gained = after.items - before.items
        self.note(
            "done",
            library,
            f"{after.items:,} items, {gained:+,} since before, after {show_span(timedelta(seconds=int(done.seconds)))}",
        )

    def _scan_once(self, library: Library, before: Counted) -> str:
        """Have it scanned, and return "", or why its media went away meanwhile. Raises ScanFailed."""
        now = self.insist(lambda: find_library(self.plex, library.key)) or library
        began = self.clock.moment()
        step = Step(library=library, word="--scan", grows=lambda counted: counted.items, scanned_at=now.scanned_at)
        self.signals.look(step)  # from which on the processor's time is counted
        self.insist(lambda: self.plex.scan(library, timeout_s=CALL_S, is_forced=self.plan.is_forced))
        server = self.watch_server()
        rules = Rules(
            grace_s=_GRACE_S,
            needed=_NEEDED,
            idle_percent=_IDLE_PERCENT,
            stall_s=_STALL_S,
            limit_s=_LIMITS_S.get(library.type, _OTHER_LIMIT_S),
            is_patient=True,
            tells_end=True,
        )
        watch = idle.begin(self.clock.monotonic_s(), before.items)
        why = noted = ""
        while watch.outcome is Outcome.GOING:
            is_quick = not watch.has_found and watch.seen_s - watch.began_s < _QUICK_FOR_S
            if fault := self.rest(began, _QUICK_S if is_quick else _EVERY_S):
                return self._break_off(library, before, fault)
            if fault := self.find_restart(server):
                self.await_plex()
                return self._break_off(library, before, fault)
            if not server.is_there:
                self.tell(f"{library.title}: Plex is away")
                continue
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
                self.note("trouble", library, watch.why)
                noted = why
            why = watch.why
            self.tell(
                f"{library.title}: scanning, {watch.count if watch.count is not None else '?'} items{f'; {why}' if why else ''}"
            )
        if watch.outcome is Outcome.VANISHED:
            return self._break_off(library, before, watch.why)
        if watch.outcome is not Outcome.DONE:
            self._cancel(library)
            raise ScanFailed(
                f"{library.title}: its scan did not end: {watch.why}", hint=f"docker logs {NAME}, there; {watch.outcome.value}"
            )
        return ""

    def _break_off(self, library: Library, before: Counted, fault: str) -> str:
        self._cancel(library)
        if self._find_loss(library, before):
            self.tools.put_back(library)
        return fault

    def _cancel(self, library: Library) -> None:
        """Break its scan off. That Plex agrees does not mean that it ends: a Plex that goes on is stopped, with its database put
        back."""
        until_s = self.clock.monotonic_s() + _CANCEL_S
        while self.clock.monotonic_s() < until_s:
            try:
                for activity in self.plex.activities(timeout_s=CALL_S):
                    if activity.is_scan and activity.library in ("", library.key):
                        bear_decline(partial(self.plex.cancel_activity, activity, timeout_s=CALL_S))
                bear_decline(lambda: self.plex.cancel_scan(library, timeout_s=CALL_S))
                now = find_library(self.plex, library.key)
                busy = [one for one in self.plex.activities(timeout_s=CALL_S) if one.library in ("", library.key)]
                if now is not None and not now.scanning and not busy:
                    return
            except PlexError:
                pass  # it is asked again
            self.clock.sleep(LOOK_S)
        self.note("trouble", library, "Plex goes on scanning, though that is cancelled: it is stopped, and its database put back")
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
        after = self.count(library)
        if after.trashed:
            self.tell(f"{library.title}: forgetting {after.trashed:,} items that are gone")
            self.insist(lambda: self.plex.empty_trash(library, timeout_s=_TRASH_S))
            after = self.count(library)
        return after
