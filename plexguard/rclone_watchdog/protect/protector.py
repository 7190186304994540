"""Holding and letting go beside the watchdog's loop, which looks at the mount each second: Plex may answer after many."""

import threading
from enum import Enum

from plexguard.core.program import Ports
from plexguard.rclone_watchdog.protect.act import Holder
from plexguard.rclone_watchdog.protect.release import Releaser
from plexguard.rclone_watchdog.protect.world import ProtectState, World

# A Plex that is well takes some hundredths of a second for all of it. The loop waits no longer for one that is not.
_WAIT_S = 1.5
# After a pass that found what only time or a person can end.
_PAUSE_S = {"missing": 15.0, "blind": 3.0, "rescan": 3.0, "scanning": 3.0}


class _Wanted(Enum):
    NOTHING = "nothing"
    HOLD = "hold"
    RELEASE = "release"


class Protector:
    """Holds Plex while it is called so each cycle, and lets it go when it is called so. One pass at a time, in a thread of its own;
    the loop is told how far it is.

    Nothing is begun by itself: without calls nothing is done.
    """

    def __init__(self, name: str, world: World, ports: Ports) -> None:
        self._name = name
        self._world = world
        self._ports = ports
        self._changed = threading.Condition()
        self._wanted = _Wanted.NOTHING
        self._reason = ""
        self._is_due = False
        self._is_busy = False
        self._state = ProtectState(is_done=True, kind="nothing")
        self._state_of = _Wanted.NOTHING
        self._ended_s = 0.0
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> ProtectState:
        """What came of the newest pass."""
        return self._state

    @property
    def is_refused(self) -> bool:
        return self._state.is_refused

    def hold(self, why: str) -> bool:
        """Have Plex held; to be called each cycle while the mount is not proven. Return whether all is held that should be."""
        return self._have(_Wanted.HOLD, why)

    def release(self) -> bool:
        """Have Plex let go; to be called each cycle after the mount is proven, until it returns True."""
        return self._have(_Wanted.RELEASE, "")

    def _have(self, wanted: _Wanted, reason: str) -> bool:
        self._keep_thread()
        with self._changed:
            is_news = wanted is not self._wanted
            self._wanted, self._reason = wanted, reason
            if not is_news and self._is_paused():
                return self._state.is_done
            waits = not self._is_busy
            self._is_due = True
            self._changed.notify_all()
            if waits:
                self._changed.wait_for(lambda: not (self._is_due or self._is_busy), timeout=_WAIT_S)
            return self._state_of is wanted and self._state.is_done

    def _is_paused(self) -> bool:
        pause_s = _PAUSE_S.get(self._state.kind, 0.0)
        return self._wanted is _Wanted.RELEASE and self._ports.clock.monotonic_s() - self._ended_s < pause_s

    def _keep_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="protect", daemon=True)
            self._thread.start()
        if not self._thread.is_alive():
            # A bug of ours: the program ends and says so, and the next one goes on from the record.
            raise RuntimeError("the thread that holds Plex has ended")

    def _work(self) -> None:
        last, holder, releaser = _Wanted.NOTHING, self._make_holder(), self._make_releaser()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_due)
                self._is_due, self._is_busy = False, True
                wanted, reason = self._wanted, self._reason
            if wanted is not last:
                last, holder, releaser = wanted, self._make_holder(), self._make_releaser()
            state = holder.hold(reason) if wanted is _Wanted.HOLD else releaser.release()
            if state.kind == "freed":
                # What a person began goes on even if Plex was away then.
                self._make_releaser(by_hand=True).release()
            with self._changed:
                self._is_busy, self._state, self._state_of = False, state, wanted
                self._ended_s = self._ports.clock.monotonic_s()
                self._changed.notify_all()

    def _make_holder(self) -> Holder:
        return Holder(self._name, self._world, self._ports, goes_on=lambda: self._wanted is _Wanted.HOLD)

    def _make_releaser(self, *, by_hand: bool = False) -> Releaser:
        wanted = _Wanted.HOLD if by_hand else _Wanted.RELEASE
        return Releaser(self._name, self._world, self._ports, by_hand=by_hand, goes_on=lambda: self._wanted is wanted)
