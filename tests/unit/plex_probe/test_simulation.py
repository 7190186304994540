"""Days of checks against a Plex that does everything a Plex does: no restart that was not needed, no outage that was missed.

The world below is the truth; the probe and the root side see of it only what they would see of a real one.
"""

import os
import random
from collections.abc import Callable
from datetime import timedelta

import pytest

from plexguard.core.clock import Moment
from plexguard.core.found import FoundPlex, Server
from plexguard.core.manager import Unit
from plexguard.core.plex import Identity, Library, PlexMaintenance, PlexRefused, PlexTimeout
from plexguard.core.records import decode, encode
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.decide import OUTAGES, AskRestart, State, Tell, Verdict, decide
from plexguard.plex_probe.observe import RESTART_UNIT, observe, observe_server, take_look
from plexguard.plex_probe.restart.decide import Budget, Refuse, RestartObservation
from plexguard.plex_probe.restart.decide import decide as decide_restart
from tests.fakes.ports import IDENTITY, LIBRARY, FakeClock, FakeManager, FakePlex

CONFIG = Config()
FOUND = FoundPlex(server=Server.UNIT, name="plexmediaserver.service")
TICKS = 3000
DOWN = ("hung", "crashed")


class World:
    """What Plex really does. state: well, maintenance, starting, stopped, crashed, hung, or restarting (by systemd itself)."""

    def __init__(self, seed: int, *, between_s: tuple[float, float]) -> None:
        self.random = random.Random(seed)
        self.clock = FakeClock()
        self.state = "well"
        self.since_s = 0.0
        self.started_s = 0.0
        self.pause_until_s = 0.0
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.restart_until_s = 0.0
        self._between_s = between_s
        self._plan_next()

    def become(self, state: str) -> None:
        self.state, self.since_s = state, self.clock.uptime_s
        if state == "starting":
            self.started_s = self.clock.uptime_s
            self.after(self.random.uniform(1, 50), lambda: self.become("well"))

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        self.later.append((self.clock.uptime_s + seconds, act))

    def catch_up(self) -> None:
        """Let happen what has come due."""
        while due := sorted((at, n) for n, (at, _) in enumerate(self.later) if at <= self.clock.uptime_s):
            self.later.pop(due[0][1])[1]()

    def _plan_next(self) -> None:
        self.after(self.random.uniform(*self._between_s), self._happen)

    def _happen(self) -> None:
        self._plan_next()
        if self.state != "well":
            return
        kind = self.random.choice(("pause", "pause", "maintenance", "stop", "hang", "crash", "flap", "set clock", "reboot"))
        getattr(self, "_" + kind.replace(" ", "_"))()

    def _pause(self) -> None:
        self.pause_until_s = self.clock.uptime_s + self.random.uniform(0.5, 8.0)

    def _maintenance(self) -> None:
        self.become("maintenance")
        self.after(self.random.uniform(10, 1800), lambda: self.become("well"))

    def _stop(self) -> None:
        self.become("stopped")
        self.after(self.random.uniform(20, 20_000), lambda: self.become("starting"))

    def _hang(self) -> None:
        self.become("hung")
        self._call_admin()

    def _crash(self) -> None:
        self.become("crashed")
        self._call_admin()

    def _call_admin(self) -> None:
        """Somebody comes after an hour and a half and starts what is still down."""
        fault_since_s = self.since_s

        def repair() -> None:
            if self.state in DOWN and self.since_s == fault_since_s:
                self.become("starting")

        self.after(5400, repair)

    def _flap(self) -> None:
        """A crash that systemd's own Restart= answers."""
        self.become("restarting")
        self.after(5, lambda: self.become("starting"))

    def _set_clock(self) -> None:
        self.clock.wall += timedelta(days=self.random.uniform(-300, 300))

    def _reboot(self) -> None:
        shift_s = self.clock.uptime_s
        self.clock.reboot(down_s=self.random.uniform(20, 90))
        self.later = [(at - shift_s, act) for at, act in self.later]
        self.pause_until_s = self.restart_until_s = 0.0
        self.become("starting")

    def restart(self) -> None:
        """What the root side does."""
        self.restart_until_s = self.clock.uptime_s + 25
        self.become("restarting")
        works = self.random.random() < 0.8
        self.after(12, (lambda: self.become("starting")) if works else self._hang_again)

    def _hang_again(self) -> None:
        self.started_s = self.clock.uptime_s
        self._hang()


class WorldPlex(FakePlex):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def identity(self, *, timeout_s: float) -> Identity:
        self._ask(timeout_s)
        return IDENTITY

    def libraries(self, *, timeout_s: float) -> tuple[Library, ...]:
        self._ask(timeout_s)
        return (LIBRARY,)

    def _ask(self, timeout_s: float) -> None:
        world = self._world
        world.catch_up()
        if world.state in ("stopped", "crashed", "starting", "restarting"):
            raise PlexRefused("connection refused")
        if world.state == "maintenance":
            raise PlexMaintenance("starting")
        slow_tail_s = world.random.uniform(0.5, 2.2) if world.random.random() < 0.05 else 0.003
        takes_s = slow_tail_s + max(0.0, world.pause_until_s - world.clock.uptime_s)
        world.clock.pass_time(min(timeout_s, takes_s))
        if world.state == "hung" or takes_s > timeout_s:
            raise PlexTimeout("no whole answer in time")


class WorldManager(FakeManager):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.restart_code = 0

    def unit(self, name: str) -> Unit:
        world = self._world
        if name == RESTART_UNIT:
            is_at_work = world.clock.uptime_s < world.restart_until_s
            return Unit(name=name, active_state="activating" if is_at_work else "inactive", exit_code=self.restart_code)
        active = {"stopped": "inactive", "crashed": "failed", "restarting": "activating"}.get(world.state, "active")
        return Unit(name=name, load_state="loaded", active_state=active, started_s=world.started_s)


class Watch:
    """Ticks of the probe, with what a service manager keeps between them: state on disk, and the root side on call."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.plex, self.manager = WorldPlex(world), WorldManager(world)
        self.state, self.budget = State(), Budget()
        self.asked: list[str] = []
        self.restarted: list[Moment] = []
        self.certain_s: list[float] = []
        self.told: list[str] = []
        self.longest_unseen_s = 0.0

    def tick(self) -> None:
        world = self.world
        world.clock.pass_time(30.0 + world.random.random())
        world.catch_up()
        began = world.clock.moment()
        was_down = world.state if world.state in DOWN else ""
        down_since_s = world.since_s
        seen = observe(
            self.plex,
            FOUND,
            manager=self.manager,
            container=None,
            clock=world.clock,
            config=CONFIG,
            has_token=True,
            describe=lambda: "a Plex",
        )
        plan = decide(seen, CONFIG, self.state, began, world.clock.moment())
        self.state = decode(State, encode(plan.state))
        self._judge(plan.state.verdict, began, was_down, down_since_s)
        self.told += [step.event.name for step in plan.steps if isinstance(step, Tell)]
        if AskRestart() in plan.steps:
            self._restart()

    def _judge(self, verdict: Verdict, began: Moment, was_down: str, down_since_s: float) -> None:
        world = self.world
        if verdict in OUTAGES:
            self.certain_s.append(world.clock.moment().seconds_since(began))
        elif was_down and world.state == was_down and world.since_s == down_since_s:
            self.longest_unseen_s = max(self.longest_unseen_s, world.clock.uptime_s - down_since_s)

    def _restart(self) -> None:
        world = self.world
        self.asked.append(world.state)
        look = take_look(self.plex, world.clock, timeout_s=3.0, has_token=False)
        server, detail = observe_server(FOUND, manager=self.manager, container=None, clock=world.clock, config=CONFIG)
        seen = RestartObservation(found=FOUND, answer=look.answer, server=server, server_detail=detail, update="")
        step = decide_restart(seen, CONFIG, self.budget, world.clock.moment())
        self.manager.restart_code = 0
        if isinstance(step, Refuse):
            self.manager.restart_code = os.EX_TEMPFAIL if step.passing else 1
        else:
            self.budget = decode(Budget, encode(step.budget))
            self.restarted.append(world.clock.moment())
            world.restart()


def watch(seed: int, *, between_s: tuple[float, float]) -> Watch:
    watcher = Watch(World(seed, between_s=between_s))
    for _ in range(TICKS):
        watcher.tick()
    return watcher


@pytest.mark.parametrize("seed", range(6))
def test_a_day_of_checks_restarts_only_what_is_down_and_misses_nothing(seed: int) -> None:
    # given, when: something happens every quarter of an hour or so
    watcher = watch(seed, between_s=(300.0, 1500.0))

    # then: no false restart
    assert set(watcher.asked) <= set(DOWN)
    # and no outage missed: what lasts is certain at the first tick after a start's grace is over, or at once
    assert watcher.asked
    assert watcher.longest_unseen_s <= CONFIG.start_grace.total_seconds() + 31.0 + 20.0
    # and certain within 20 s of the first failed look
    assert max(watcher.certain_s) <= 20.0


@pytest.mark.parametrize("seed", range(6, 9))
def test_a_day_full_of_outages_stays_within_the_budgets(seed: int) -> None:
    watcher = watch(seed, between_s=(60.0, 400.0))

    for moment in watcher.restarted:
        day = [
            other for other in watcher.restarted if 0 <= moment.seconds_since(other) < 86_400.0 and other.boot_id == moment.boot_id
        ]
        assert len(day) <= CONFIG.max_restarts_per_day
    assert set(watcher.asked) <= set(DOWN)


@pytest.mark.parametrize("seed", range(3))
def test_every_recovery_has_its_fault_and_giving_up_is_told_once_an_incident(seed: int) -> None:
    watcher = watch(seed, between_s=(100.0, 900.0))

    open_fault, gave_up = False, False
    for name in watcher.told:
        if name == "plex.recovered":
            assert open_fault
            open_fault = gave_up = False
        elif name == "plex.gave-up":
            assert open_fault
            assert not gave_up
            gave_up = True
        elif name != "plex.restart-asked":
            # A stop on purpose ends an incident, and what follows it is another.
            open_fault, gave_up = True, gave_up and name != "plex.stopped"


def test_the_world_is_as_eventful_as_it_should_be() -> None:
    watcher = watch(1, between_s=(100.0, 900.0))

    assert {"plex.hung", "plex.refused", "plex.maintenance", "plex.stopped", "plex.recovered", "plex.gave-up"} <= set(watcher.told)
