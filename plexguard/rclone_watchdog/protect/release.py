"""Let Plex go: only the last of the mounts that were held for puts back what was, and only when Plex cannot lose anything by it.

A scan that began while a mount was gone may have marked its items, and Plex makes an end of these when any scan ends with its trash
emptied, also one of a single folder, which does not look at the others again. So first every such scan has ended, then a whole scan
has found again what was marked, and then settings come back.
"""

import dataclasses
from collections.abc import Callable, Iterable

from plexguard.core.errors import PlexguardError, TryAgain
from plexguard.core.plex import Library, PlexControl, PlexDeclined
from plexguard.core.program import Ports
from plexguard.rclone_watchdog.protect import decide, events
from plexguard.rclone_watchdog.protect.decide import Hold, Next
from plexguard.rclone_watchdog.protect.world import CALL_S, ProtectState, World, fail

# A scan that was asked for and is not seen to have begun or ended in this time is asked for again: Plex may have forgotten it.
_SCAN_AGAIN_S = 60.0
_TELL_AFTER_S = 60.0
# What ends by itself, if after hours.
_TAKES_TIME = ("scanning", "rescan")
_DONE = ProtectState(is_done=True, kind="released", detail="Plex is as it was")


class Releaser:
    """Lets Plex go for one mount, after it was proven. by_hand: a person takes it on themselves that nothing is lost.
    goes_on: asked between two steps, whether it is still wanted."""

    def __init__(
        self, name: str, world: World, ports: Ports, *, by_hand: bool = False, goes_on: Callable[[], bool] = lambda: True
    ) -> None:
        self._name = name
        self._world = world
        self._ports = ports
        self._by_hand = by_hand
        self._goes_on = goes_on
        self._record = world.open_record(ports.journal)
        self._asked_s: float | None = None
        self._undone_s: float | None = None

    def release(self) -> ProtectState:
        """Make one pass."""
        known = self._record.peek()
        if not (known.concerns(self._name) or (self._name in known.freed and not self._by_hand)):
            return _DONE
        try:
            with self._record.opened():
                is_news = self._record.hold.concerns(self._name)
                state = self._release()
                if is_news:
                    self._tell(state)
        except PlexguardError as error:
            state = fail(error)
        return state

    def _release(self) -> ProtectState:
        record = self._record
        now = self._ports.clock.moment()
        hold = record.hold.free(self._name, now) if self._by_hand else record.hold.forgive(self._name)
        others = sorted(set(hold.holders) - {self._name})
        record.save(hold.remove_holder(self._name) if others else hold)
        if others:
            return ProtectState(is_done=True, kind="released", detail=f"Plex stays held for {', '.join(others)}")
        try:
            return self._end(self._world.plex())
        except PlexguardError as error:
            return fail(error)

    def _end(self, plex: PlexControl) -> ProtectState:
        """Put back what was, if nothing can be lost by it."""
        record = self._record
        if not record.hold.before:
            record.save(record.hold.end())
            return _DONE
        if plex.identity(timeout_s=CALL_S).machine_identifier != record.hold.server:
            record.save(record.hold.end())
            return ProtectState(
                is_done=True, kind="released", detail="Plex is another than the one that was held, and is left as it is"
            )
        if not self._by_hand and (waits := self._find_reason_to_wait(plex)) is not None:
            return waits
        return self._restore(plex)

    # -- nothing is lost ----------------------------------------------------------------------------------------------

    def _find_reason_to_wait(self, plex: PlexControl) -> ProtectState | None:
        blindness = self._world.find_blindness()
        if blindness:
            return ProtectState(is_done=False, kind="blind", detail=blindness)
        libraries = self._concerned(plex.libraries(timeout_s=CALL_S))
        scans = decide.find_scans(plex.activities(timeout_s=CALL_S), libraries)
        if scans.libraries or scans.is_nameless:
            self._asked_s = None
            titles = ", ".join(library.title for library in scans.libraries) or "a library"
            self._save_scanned(scans.libraries)
            return ProtectState(is_done=False, kind="scanning", detail=f"Plex scans {titles}: its end is waited for")
        return self._find_missing(plex, libraries)

    def _concerned(self, libraries: Iterable[Library]) -> tuple[Library, ...]:
        """Return the libraries of all mounts that were held for since the settings were."""
        listed = tuple(libraries)
        hold = self._record.hold
        keys = {*hold.missing, *hold.scanned, *hold.asked, *(library.key for library in self._world.pick_affected(listed))}
        return tuple(library for library in listed if library.key in keys)

    def _find_missing(self, plex: PlexControl, libraries: Iterable[Library]) -> ProtectState | None:
        """Have what is suspect scanned, and return what is still to be waited for."""
        lacking: list[str] = []
        awaited: list[str] = []
        for library in libraries:
            missing = plex.count_items(library, timeout_s=CALL_S).missing
            verdict = decide.judge_library(self._record.hold, library, missing)
            if verdict is Next.SCAN or (verdict is Next.WAIT and self._is_overdue()):
                self._ask_scan(plex, library)
            if verdict in (Next.SCAN, Next.WAIT):
                awaited.append(library.title)
            if verdict is Next.MISSING:
                lacking.append(f"{missing} of {library.title}")
        if awaited:
            return ProtectState(is_done=False, kind="rescan", detail=f"Plex looks again for what it misses: {', '.join(awaited)}")
        if lacking:
            return ProtectState(
                is_done=False, kind="missing", detail=f"Plex still misses items, and would forget them: {', '.join(lacking)}"
            )
        return None

    def _ask_scan(self, plex: PlexControl, library: Library) -> None:
        record = self._record
        record.save(dataclasses.replace(record.hold, asked={**record.hold.asked, library.key: library.scanned_at}))
        plex.scan(library, timeout_s=CALL_S)
        self._asked_s = self._ports.clock.monotonic_s()

    def _is_overdue(self) -> bool:
        """Tell whether a scan that was asked for should have been seen by now; after an end of ours nobody knows when that was."""
        return self._asked_s is None or self._ports.clock.monotonic_s() - self._asked_s >= _SCAN_AGAIN_S

    def _save_scanned(self, libraries: Iterable[Library]) -> None:
        """Remember a scan that was at work after the proof: it may have begun before it."""
        hold = self._record.hold
        self._record.save(hold.note_scans(library.key for library in libraries if library.key not in hold.asked))

    # -- settings -----------------------------------------------------------------------------------------------------

    def _restore(self, plex: PlexControl) -> ProtectState:
        record = self._record
        # Before the first is put back: if we end here, the next hold must not take our own doing for a person's.
        record.save(record.hold.begin_end())
        for name in decide.to_restore(record.hold, plex.preferences(timeout_s=CALL_S)):
            if not self._goes_on():
                raise TryAgain("it is not wanted any more")
            plex.set_preference(name, record.hold.before[name], timeout_s=CALL_S)
        left = decide.to_restore(record.hold, plex.preferences(timeout_s=CALL_S))
        if left:
            raise PlexDeclined(f"Plex does not take back its settings: {', '.join(left)}")
        restored = _describe(record.hold)
        record.save(record.hold.end())
        return ProtectState(is_done=True, kind="released", detail=restored)

    def _tell(self, state: ProtectState) -> None:
        record = self._record
        if state.is_done:
            self._ports.journal.send(events.RELEASED, mount=self._name, detail=state.detail)
            record.save(record.hold.forget_told(self._name))
            return
        now_s = self._ports.clock.monotonic_s()
        self._undone_s = now_s if self._undone_s is None else self._undone_s
        is_late = now_s - self._undone_s >= _TELL_AFTER_S or state.kind == "missing"
        if is_late and record.hold.told.get(self._name) != state.kind and state.kind not in _TAKES_TIME:
            record.save(record.hold.note_told(self._name, state.kind, failed=state.detail))
            self._ports.journal.send(events.RELEASE_WAITS, mount=self._name, detail=state.detail)


def _describe(hold: Hold) -> str:
    on = [name for name in hold.holds if hold.before[name] == decide.ON]
    return f"Plex's settings are as they were: {', '.join(on) or 'none of them is'} on"


def let_go(name: str, world: World, ports: Ports) -> None:
    """Let Plex go for a mount that the configuration does not have any more: nobody will ever prove it."""
    if name in world.open_record(ports.journal).peek().holders:
        Releaser(name, world, ports, by_hand=True).release()
