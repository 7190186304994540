"""Hold Plex for a mount: one pass at a time, each taken up where the last one ended, however that was.

A pass asks Plex what is so, and does what is missing. A call that fails ends it, and the next pass tries again.
"""

import contextlib
import dataclasses
from collections.abc import Callable

from plexguard.core.errors import IoFailed, NoPermission, PlexguardError, TryAgain
from plexguard.core.plex import Library, PlexControl, PlexDeclined, PlexError, PlexFailing, PlexTimeout
from plexguard.core.program import Ports
from plexguard.rclone_watchdog.protect import decide, events
from plexguard.rclone_watchdog.protect.decide import Hold, Scans
from plexguard.rclone_watchdog.protect.world import CALL_S, ProtectState, World, fail

# Its database may be slow; its settings are in memory, and do not wait for it.
_LIBRARIES_S = 2.0
# How often Plex is asked again what it has told, while nothing seems to happen.
_SETTINGS_EVERY_S = 15.0
_LIBRARIES_EVERY_S = 5.0
# What is not held by then is told: Plex is not just slow.
_TELL_AFTER_S = 5.0
_HELD, _SCANNING = "held", "scanning"
_FREED = ProtectState(is_done=True, kind="freed", detail="it was let go by hand")
_ELSEWHERE = ProtectState(is_done=True, kind="elsewhere", detail="no library of Plex lies there")
_BUSY = ProtectState(is_done=False, kind="busy", detail="the watchdog of another mount is at Plex's settings")


class Holder:
    """Holds Plex for one mount, for one outage. goes_on: asked between two steps, whether it is still wanted."""

    def __init__(self, name: str, world: World, ports: Ports, *, goes_on: Callable[[], bool] = lambda: True) -> None:
        self._name = name
        self._world = world
        self._ports = ports
        self._goes_on = goes_on
        self._record = world.open_record(ports.journal)
        self._troubled_s: float | None = None
        self._settings_s: float | None = None
        self._libraries_s: float | None = None
        # None until Plex has told: then all that can be done without knowing them is done.
        self._affected: tuple[Library, ...] | None = None
        self._is_first = True

    def hold(self, reason: str) -> ProtectState:
        """Make one pass."""
        if self._name in self._record.peek().freed:
            return _FREED
        try:
            state = self._hold()
        except PlexguardError as error:
            self._forget()
            # What Plex was seen to hold it holds, also when it does not answer or is started anew.
            state = fail(error, is_done=self._is_held())
        if state not in (_BUSY, _ELSEWHERE):
            self._tell(state, reason)
        return state

    def _hold(self) -> ProtectState:
        plex = self._world.plex()
        self._look_up(plex)
        if self._affected == ():
            return _ELSEWHERE
        trouble: PlexguardError | None = None
        try:
            self._hold_settings(plex)
        except (TryAgain, IoFailed, NoPermission, PlexDeclined) as error:
            # What Plex scans can be cancelled all the same.
            trouble = error
        scans = self._cancel_scans(plex)
        if trouble is None or self._is_held():
            return _describe(scans)
        if isinstance(trouble, TryAgain):
            return _BUSY
        raise trouble

    def _is_held(self) -> bool:
        hold = self._record.peek()
        return self._name in hold.holders and hold.is_set

    def _forget(self) -> None:
        """Ask Plex everything anew when it answers again: it may be another then, or have begun anew."""
        self._settings_s = self._libraries_s = None
        self._is_first = True

    def _look_up(self, plex: PlexControl) -> None:
        """Learn which libraries are affected, where that is not known, or may be another by now."""
        if not self._is_due(self._libraries_s, _LIBRARIES_EVERY_S):
            return
        try:
            libraries = plex.libraries(timeout_s=CALL_S if self._affected is not None else _LIBRARIES_S)
        except (PlexTimeout, PlexFailing):
            return
        self._affected = self._world.pick_affected(libraries)
        self._libraries_s = self._ports.clock.monotonic_s()

    # -- settings -----------------------------------------------------------------------------------------------------

    def _hold_settings(self, plex: PlexControl) -> None:
        """Hold what is not held, each value written down before. Raises TryAgain while another mount's pass is at it."""
        record = self._record
        with record.opened():
            record.save(record.hold.add_holder(self._name, self._ports.clock.moment()))
            if record.hold.is_set and not self._is_due(self._settings_s, _SETTINGS_EVERY_S):
                return
            seen = self._take_in(plex)
            for name in decide.to_hold(record.hold, seen):
                if not self._goes_on():
                    raise TryAgain("it is not wanted any more")
                plex.set_preference(name, decide.HELD, timeout_s=CALL_S)
            if not record.hold.is_set:
                self._take_in(plex)
            if not record.hold.is_set:
                raise PlexDeclined(f"Plex does not hold what it was told to: {_list_unset(record.hold)}")
            self._settings_s = self._ports.clock.monotonic_s()
            self._count_missing(plex)

    def _take_in(self, plex: PlexControl) -> dict[str, str]:
        """Learn what Plex's settings are, and write it down."""
        record = self._record
        server = plex.identity(timeout_s=CALL_S).machine_identifier
        seen = plex.preferences(timeout_s=CALL_S)
        hold = record.hold
        if hold.server and hold.server != server:
            # What was held is of a Plex that is not here any more.
            hold = Hold(holders=hold.holders, freed=hold.freed, told=hold.told)
        known = decide.take_in(dataclasses.replace(hold, server=server), seen)
        record.save(known)
        overruled = [name for name in known.theirs if name not in hold.theirs]
        if overruled:
            self._ports.journal.send(events.HOLD_OVERRULED, settings=", ".join(overruled))
        return seen

    def _count_missing(self, plex: PlexControl) -> None:
        """Write down what each library missed before the outage could tell Plex anything, as far as that is still so."""
        record = self._record
        for library in self._affected or ():
            if library.key in record.hold.missing:
                continue
            try:
                missing = plex.count_items(library, timeout_s=_LIBRARIES_S).missing
            except PlexError:
                return
            record.save(dataclasses.replace(record.hold, missing={**record.hold.missing, library.key: missing}))

    # -- scans --------------------------------------------------------------------------------------------------------

    def _cancel_scans(self, plex: PlexControl) -> Scans:
        """Cancel the scans that may meet the mount, and return those that are at work all the same. Raises PlexError."""
        scans = self._find_scans(plex)
        # What waits for its turn shows nowhere; it goes with the first pass, or is found when it begins.
        wanted = (self._affected or ()) if self._is_first else scans.libraries
        for library in wanted:
            with contextlib.suppress(PlexDeclined):
                plex.cancel_scan(library, timeout_s=CALL_S)
        for activity in scans.activities:
            with contextlib.suppress(PlexDeclined):
                plex.cancel_activity(activity, timeout_s=CALL_S)
        self._is_first = False
        if not scans.libraries:
            return scans
        self._note(scans)
        self._libraries_s = None
        self._look_up(plex)
        return self._find_scans(plex)

    def _find_scans(self, plex: PlexControl) -> Scans:
        return decide.find_scans(plex.activities(timeout_s=CALL_S), self._affected)

    def _note(self, scans: Scans) -> None:
        keys = [library.key for library in scans.libraries]
        with contextlib.suppress(TryAgain, IoFailed, NoPermission), self._record.opened():
            self._record.save(self._record.hold.note_scans(keys))

    # -- telling ------------------------------------------------------------------------------------------------------

    def _tell(self, state: ProtectState, reason: str) -> None:
        """Tell once that Plex is held, and what lasts: that it is not, or that it goes on scanning."""
        now_s = self._ports.clock.monotonic_s()
        self._troubled_s = None if state.is_done and state.kind != _SCANNING else self._troubled_s or now_s
        is_late = self._troubled_s is not None and now_s - self._troubled_s >= _TELL_AFTER_S
        told = self._record.peek().told.get(self._name, "")
        was_held = told in (_HELD, _SCANNING)
        if state.is_done and not was_held:
            self._note_and_send(_HELD, "", lambda: self._send_held(reason))
        elif state.kind == _SCANNING and is_late and told != _SCANNING:
            scans = {"mount": self._name, "detail": state.detail}
            self._note_and_send(_SCANNING, "", lambda: self._ports.journal.send(events.SCAN_GOES_ON, **scans))
        elif not state.is_done and is_late and told != state.kind:
            failed = {"mount": self._name, "detail": state.detail, "reason": reason}
            self._note_and_send(state.kind, state.detail, lambda: self._ports.journal.send(events.HOLD_FAILED, **failed))

    def _note_and_send(self, word: str, failed: str, send: Callable[[], None]) -> None:
        """Tell, and remember it: not while another mount's pass has the record; the next one tells then."""
        with contextlib.suppress(TryAgain, IoFailed, NoPermission), self._record.opened():
            self._record.save(self._record.hold.note_told(self._name, word, failed=failed))
            send()

    def _send_held(self, reason: str) -> None:
        libraries = ", ".join(library.title for library in self._affected or ()) or "not known"
        settings = ", ".join(self._record.hold.holds) or "none"
        self._ports.journal.send(events.HELD, mount=self._name, reason=reason, libraries=libraries, settings=settings)

    def _is_due(self, since_s: float | None, every_s: float) -> bool:
        return since_s is None or self._ports.clock.monotonic_s() - since_s >= every_s


def _describe(scans: Scans) -> ProtectState:
    titles = ", ".join(library.title for library in scans.libraries)
    if titles:
        return ProtectState(is_done=True, kind=_SCANNING, detail=f"Plex goes on scanning {titles}, though that is cancelled")
    return ProtectState(is_done=True, kind=_HELD, detail="Plex is held")


def _list_unset(hold: Hold) -> str:
    return ", ".join(name for name in hold.holds if name not in hold.settled) or decide.EMPTY_TRASH
