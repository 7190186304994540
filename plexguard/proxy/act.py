"""The breaker at work: look, decide, set the gate, tell, and publish, up to four times a second."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from plexguard.core.clock import Moment
from plexguard.core.errors import IoFailed, PeerError
from plexguard.core.plex import Plex
from plexguard.core.program import Ports
from plexguard.core.published import ProbeSeen, ProxySeen
from plexguard.core.state import PUBLISHED, StateFile, make_folder, write_atomic
from plexguard.proxy import events
from plexguard.proxy.answers import TIMED_OUT, map_entries
from plexguard.proxy.config import Config
from plexguard.proxy.decide import Observation, Phase, Plan, State, Trigger, decide, find_answer, next_check_s, next_look_s
from plexguard.proxy.observe import Asking, check_plex
from plexguard.proxy.render.common import BODIES, BREAKER
from plexguard.proxy.runtime import ProxyAway, Runtime, quote

STATE_SCHEMA = 1
_CYCLE_S = 5.0
# A proxy that begins anew while it should be shut is open until it is found.
_AWAY_S, _AWAY_SHUT_S = 1.0, 0.25
_TOLD_AFTER_S = 10.0
# What a check may take beyond its limit: to read who listens at Plex's port, on a busy machine.
_OVERDUE_S = 2.0
# The probe looks every 30 s; what callers are told of the wait follows as often.
_REFRESH_S = 2.0
_PUBLISH_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the breaker looks at. maps: the folder of the proxy's maps. is_drained: an administrator wants it shut."""

    runtime: Runtime
    open_plex: Callable[[], Plex]
    read_probe: Callable[[], ProbeSeen | None]
    is_drained: Callable[[], bool]
    maps: str


class Breaker:
    """file: where the state is published, and found again after a restart of this program."""

    def __init__(self, config: Config, ports: Ports, world: World, file: StateFile[ProxySeen]) -> None:
        self._config = config
        self._ports = ports
        self._world = world
        self._file = file
        published = file.load() or ProxySeen(phase=Phase.CLOSED.value)
        self._state = take_up(published, ports.clock.moment())
        self._opens, self._open_s = published.opens, published.open_s
        self._asking = Asking()
        self._checked_s = self._refreshed_s = self._published_s = float("-inf")
        self._probe: ProbeSeen | None = None
        self._away_since: float | None = None
        self._told_away = False
        self._has_old_words = True
        self._unpublished = ""
        self._next_look_s = 0.0

    @property
    def state(self) -> State:
        return self._state

    def cycle(self) -> str:
        """Look for some seconds; return a line on what there is."""
        began_s, before, is_first = self._ports.clock.monotonic_s(), self._state.phase, self._published_s == float("-inf")
        while self._ports.clock.monotonic_s() - began_s < _CYCLE_S:
            self._ports.clock.sleep(self._next_look_s)
            if not self._try_look():
                self._next_look_s = _AWAY_S if self._state.phase is Phase.CLOSED else _AWAY_SHUT_S
                return "the proxy does not answer"
            if self._state.phase is not before or is_first:
                break
        return describe(self._state) + self._unpublished

    def _try_look(self) -> bool:
        now_s = self._ports.clock.monotonic_s()
        try:
            self.look()
        except (ProxyAway, PeerError) as error:
            self._note_away(str(error), now_s)
            return False
        if self._told_away and self._away_since is not None:
            self._ports.journal.send(events.REACHED, downtime_s=now_s - self._away_since)
        self._away_since, self._told_away = None, False
        return True

    def _note_away(self, reason: str, now_s: float) -> None:
        if self._away_since is None:
            self._away_since = now_s
        if not self._told_away and now_s - self._away_since >= _TOLD_AFTER_S:
            self._told_away = True
            self._ports.journal.send(events.UNREACHABLE, reason=reason)

    def look(self) -> None:
        """Look once, and do what follows. Raises ProxyAway and PeerError: what was not done then follows from the next look."""
        now, now_s = self._ports.clock.moment(), self._ports.clock.monotonic_s()
        if now_s - self._refreshed_s >= _REFRESH_S:
            self._probe = self._world.read_probe()
        gate = self._world.runtime.look()
        seen = Observation(gate=gate, is_drained=self._world.is_drained(), check=self._asking.take(now_s), probe=self._probe)
        past = self._state
        plan = decide(seen, self._config, past, now)
        self._carry_out(plan, now, now_s)
        self._next_look_s = next_look_s(self._state, past)
        self._ask(now_s)

    def _carry_out(self, plan: Plan, now: Moment, now_s: float) -> None:
        commands = []
        if plan.drain:
            commands.append(f"set server {BREAKER} state maint")
        if plan.hold:
            commands.append(f"disable health {BREAKER}")
        if plan.set_gate is not None:
            commands.append(f"set server {BREAKER} health {'up' if plan.set_gate else 'down'}")
        changed = plan.state.phase is not self._state.phase or plan.state.reason != self._state.reason
        is_due = now_s - self._refreshed_s >= _REFRESH_S
        if commands:
            self._world.runtime.tell(commands)
        past, self._state = self._state, plan.state
        self._has_old_words |= changed
        if is_due:
            self._refreshed_s = now_s
        try:
            # At once: who is turned away meanwhile hears other words. What is said while it is closed is what a proxy begins with.
            if self._has_old_words or (is_due and self._state.phase is not Phase.CLOSED):
                self._world.runtime.tell(self._answers(now))
                self._has_old_words = False
        finally:
            self._tell(plan, past, now)
            if changed or now_s - self._published_s >= _PUBLISH_S:
                self._publish(now, now_s)

    def _publish(self, now: Moment, now_s: float) -> None:
        """A disk that takes nothing is no reason to leave the gate: what is published is for others to see."""
        self._published_s = now_s
        try:
            self._file.save(publish(self._state, now, opens=self._opens, open_s=self._open_s))
            self._unpublished = ""
        except IoFailed as error:
            self._unpublished = f"; not published: {error}"

    def _answers(self, now: Moment) -> list[str]:
        """The proxy may have begun anew with its first words; so they are given again and again."""
        entries = {503: map_entries(503, find_answer(self._state, self._config, now)), 504: map_entries(504, TIMED_OUT)}
        return [
            f"set map {self._world.maps}/{BODIES[status]} {key} {quote(value)}"
            for status, found in entries.items()
            for key, value in found.items()
            if status == 503 or self._state.phase is Phase.CLOSED
        ]

    def _tell(self, plan: Plan, past: State, now: Moment) -> None:
        state, journal = plan.state, self._ports.journal
        for name in plan.told:
            match name:
                case "opened":
                    self._opens += 1
                    assert state.trigger is not None
                    journal.send(
                        events.OPENED,
                        trigger=state.trigger.value,
                        reason=state.reason,
                        text=state.text,
                        detail=describe_trigger(state),
                        open_for_s=self._config.open_for.total_seconds(),
                    )
                case "half-open":
                    journal.send(events.HALF_OPEN, reason=state.reason, text=state.text)
                case "closed":
                    downtime_s = now.seconds_since(past.opened) if past.opened is not None else 0.0
                    self._open_s += downtime_s
                    journal.send(events.CLOSED, downtime_s=downtime_s, trials=past.trials)
                case "flapping":
                    journal.send(events.FLAPPING, times=state.flaps)
                case "steady":
                    journal.send(events.STEADY)

    def _ask(self, now_s: float) -> None:
        wait_s = next_check_s(self._state, self._config)
        if wait_s is None or self._asking.is_busy:
            return
        if now_s - self._checked_s >= wait_s:
            plex, limit_s = self._world.open_plex(), self._config.check_limit.total_seconds()
            self._asking.begin(lambda: check_plex(plex, timeout_s=limit_s), until_s=now_s + limit_s + _OVERDUE_S)
        self._checked_s = now_s if self._asking.is_busy else self._checked_s


def take_up(published: ProxySeen, now: Moment) -> State:
    """Return the state that a breaker before this one has left; of another boot nothing is left."""
    if published.since is None or published.since.boot_id != now.boot_id or published.phase == Phase.CLOSED.value:
        return State(since=now)
    # A Plex that has not answered since boot is looked for without a pause, and goes on to be; one that has is left in peace.
    is_new = published.phase == Phase.HALF_OPEN.value and published.since == published.opened
    # Where it stood between its checks is not kept: they begin anew.
    trigger = next((trigger for trigger in Trigger if trigger.value == published.trigger), Trigger.CHECKS)
    return State(
        phase=Phase.HALF_OPEN if is_new else Phase.OPEN,
        has_answered=not is_new,
        since=published.since,
        opened=published.opened,
        trigger=trigger,
        reason=published.reason,
        text=published.text,
        trials=1,
    )


def publish(state: State, now: Moment, *, opens: int, open_s: float) -> ProxySeen:
    return ProxySeen(
        phase=state.phase.value,
        since=state.since,
        opened=state.opened,
        trigger=state.trigger.value if state.trigger is not None else "",
        reason=state.reason,
        text=state.text,
        failures=state.failures,
        failed_checks=state.failed_checks,
        good_checks=state.good_checks,
        opens=opens,
        open_s=open_s,
        seen=now,
    )


def describe(state: State) -> str:
    return state.phase.value + (f": {state.text}" if state.text else "")


def describe_trigger(state: State) -> str:
    match state.trigger:
        case Trigger.TRAFFIC:
            return "too many requests in a row have failed"
        case Trigger.CHECKS:
            return (
                f"{state.failed_checks} checks in a row have failed" if state.failed_checks else "HAProxy's own checks have failed"
            )
        case Trigger.VERDICT:
            return "plexguard-plex-probe has found it"
        case _:
            return "an administrator has drained it"


def release(runtime: Runtime) -> None:
    """Give the gate back to HAProxy's own checks. Raises PlexguardError."""
    runtime.tell([f"enable health {BREAKER}"])


def drain(runtime: Runtime, marker: Path) -> None:
    """Let no new request through to Plex; what is under way goes on. marker: a file that is there until `let_go`, so that a proxy
    that begins anew is drained as well. Raises PlexguardError."""
    make_folder(marker.parent)
    write_atomic(marker, b"", mode=PUBLISHED)
    runtime.tell([f"set server {BREAKER} state maint"])


def let_go(runtime: Runtime, marker: Path, *, is_guarded: bool) -> bool:
    """End what `drain` began, and return whether there was anything. The gate stays shut until checks have opened it.
    is_guarded: the breaker makes them; else they are HAProxy's own. Raises PlexguardError."""
    was_drained = marker.exists()
    try:
        marker.unlink(missing_ok=True)
    except OSError as error:
        raise IoFailed(f"Failed to remove {marker}: {error.strerror}") from error
    # A gate that is not drained must not be touched: the breaker would take it for shut by failures.
    if not runtime.look().is_drained:
        return was_drained
    # In this order and at once: a server that is let go counts as well until it is said otherwise.
    runtime.tell([f"disable health {BREAKER}", f"set server {BREAKER} health down", f"set server {BREAKER} state ready"])
    if not is_guarded:
        release(runtime)
    return True
