"""Days of checks against a Plex that does everything a Plex does: no restart that was not needed, no outage that was missed.

The world below is the truth; the probe and the root side see of it only what they would see of a real one.
"""

import os
import random
from collections.abc import Callable
from datetime import timedelta

import pytest

from plexguard.core.clock import Moment
from plexguard.core.events import Tell
from plexguard.core.found import FoundContainer, FoundPlex, Server
from plexguard.core.manager import Unit
from plexguard.core.plex import Identity, Library, PlexMaintenance, PlexRefused, PlexTimeout, Session
from plexguard.core.processes import Inside
from plexguard.core.records import decode, encode
from plexguard.core.viewers import Paused
from plexguard.plex_probe import observe as observe_module
from plexguard.plex_probe import server as server_module
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.decide import State, decide
from plexguard.plex_probe.ladder import AskRestart
from plexguard.plex_probe.observe import RESTART_UNIT, observe
from plexguard.plex_probe.progress import Marks
from plexguard.plex_probe.restart import observe as restart_observe_module
from plexguard.plex_probe.restart.decide import Budget, Refuse, read_told
from plexguard.plex_probe.restart.decide import decide as decide_restart
from plexguard.plex_probe.restart.observe import observe as observe_restart
from plexguard.plex_probe.states import OUTAGES, Verdict
from tests.fakes.ports import IDENTITY, LIBRARY, FakeClock, FakeManager, FakePlex

CONFIG = Config()
UNIT = FoundPlex(server=Server.UNIT, name="plexmediaserver.service")
CONTAINER = FoundPlex(server=Server.CONTAINER, name="plex")
TICKS = 3000
# What only a restart, or a person, ends. The last is what an update stopped and did not start again.
DOWN = ("hung", "crashed", "left stopped")


class World:
    """What Plex really does. state: well, maintenance, starting, stopped, crashed, hung, restarting (by systemd itself, or by
    us), preparing (a container that downloads its Plex), updating or left stopped (a unit). lock: held by a package manager."""

    def __init__(self, seed: int, *, between_s: tuple[float, float], found: FoundPlex) -> None:
        self.found = found
        self.lock = False
        self.offline_until_s = 0.0
        self.marks = 0
        self.random = random.Random(seed)
        self.clock = FakeClock()
        self.state = "well"
        self.since_s = 0.0
        self.started_s = 0.0
        self.plex_started_s = 0.0
        self.pause_until_s = 0.0
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.restart_until_s = 0.0
        self._between_s = between_s
        self._plan_next()

    def become(self, state: str, *, keep_start: bool = False) -> None:
        self.state, self.since_s = state, self.clock.uptime_s
        if state == "starting":
            self.plex_started_s = self.clock.uptime_s
            self.started_s = self.started_s if keep_start else self.clock.uptime_s
            # A database that has to be recovered takes its time; its -wal shows that it gets on.
            took_s = self.random.uniform(1, 50) if self.random.random() < 0.8 else self.random.uniform(60, 800)
            self.after(took_s, lambda: self.state == "starting" and self.become("well"))

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
        kinds = (
            "pause",
            "pause",
            "maintenance",
            "stop",
            "hang",
            "crash",
            "flap",
            "set clock",
            "reboot",
            "update",
            "packages",
            "offline",
        )
        kind = self.random.choice(kinds)
        getattr(self, "_" + kind.replace(" ", "_"))()

    def _pause(self) -> None:
        self.pause_until_s = self.clock.uptime_s + self.random.uniform(0.5, 8.0)

    def _maintenance(self) -> None:
        self.become("maintenance")
        self.after(self.random.uniform(10, 1800), lambda: self.state == "maintenance" and self.become("well"))

    def _offline(self) -> None:
        """The internet is away: what Plex asks of it in vain makes it slow, and nothing more."""
        self.offline_until_s = self.clock.uptime_s + self.random.uniform(60, 4000)

    def _packages(self) -> None:
        """Other packages are installed, and Plex may pause as at any time."""
        self.lock = True
        self.after(self.random.uniform(5, 700), self._unlock)
        if self.random.random() < 0.5:
            self._pause()

    def _unlock(self) -> None:
        self.lock = False

    def _update(self) -> None:
        if self.found.server is Server.CONTAINER:
            # The image was pulled, and the container made anew: it updates itself before it starts a Plex.
            self._prepare()
            return
        self.lock = True
        self.become("updating")
        self.after(self.random.uniform(5, 1300), self._end_update)

    def _prepare(self) -> None:
        self.started_s = self.clock.uptime_s
        self.become("preparing")
        self.after(self.random.uniform(5, 800), lambda: self.state == "preparing" and self.become("starting", keep_start=True))

    def _end_update(self) -> None:
        self.lock = False
        if self.state == "updating":
            self._choose_after_update()

    def _choose_after_update(self) -> None:
        chance = self.random.random()
        if chance < 0.2:
            self.become("left stopped")
            self._call_admin()
        elif chance < 0.5:
            self.started_s = self.clock.uptime_s
            self._maintenance()
        else:
            self.become("starting")

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
        self.pause_until_s = self.restart_until_s = self.offline_until_s = 0.0
        self.lock = False
        self.started_s = 0.0
        self.become("starting")

    def update_sign(self) -> str:
        """What shows that an update is at work."""
        return "apt-get holds a lock" if self.lock else "plex prepares itself" if self.state == "preparing" else ""

    def mark(self) -> Marks:
        """What moves on disk while Plex gets on."""
        self.marks += self.state in ("well", "maintenance", "starting")
        return Marks(log=str(self.marks), database=str(self.marks))

    def inside(self) -> Inside:
        has_plex = self.state not in ("preparing", "crashed", "stopped", "restarting")
        return Inside(has_plex=has_plex, plex_started_s=self.plex_started_s if has_plex else None)

    def restart(self) -> None:
        """What the root side does."""
        was_left = self.state == "left stopped"
        self.restart_until_s = self.clock.uptime_s + 25
        self.become("restarting")
        works = self.random.random() < 0.8 or was_left
        start = (
            self._prepare
            if self.found.server is Server.CONTAINER and self.random.random() < 0.2
            else lambda: self.become("starting")
        )
        self.after(12, start if works else self._hang_again)

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

    def connect(self, *, timeout_s: float) -> None:
        pass

    def sessions(self, *, timeout_s: float) -> tuple[Session, ...]:
        self._ask(timeout_s)
        return ()

    def libraries(self, *, timeout_s: float) -> tuple[Library, ...]:
        self._ask(timeout_s)
        return (LIBRARY,)

    def _ask(self, timeout_s: float) -> None:
        world = self._world
        world.catch_up()
        if world.state in ("stopped", "crashed", "starting", "restarting", "preparing", "updating", "left stopped"):
            raise PlexRefused("connection refused")
        if world.state == "maintenance":
            if world.random.random() < 0.3:
                # A migration leaves little time for answers, and the part that serves takes over.
                world.clock.pass_time(timeout_s)
                raise PlexTimeout("no whole answer in time")
            raise PlexMaintenance("starting")
        slow_tail_s = world.random.uniform(0.5, 2.2) if world.random.random() < 0.05 else 0.003
        if world.clock.uptime_s < world.offline_until_s:
            slow_tail_s = max(slow_tail_s, world.random.uniform(0.0, 4.0) if world.random.random() < 0.3 else 0.0)
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
        states = {
            "stopped": "inactive",
            "updating": "inactive",
            "left stopped": "inactive",
            "crashed": "failed",
            "restarting": "activating",
        }
        return Unit(name=name, load_state="loaded", active_state=states.get(world.state, "active"), started_s=world.started_s)


class Watch:
    """Ticks of the probe, with what a service manager keeps between them: state on disk, and the root side on call."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.plex, self.manager = WorldPlex(world), WorldManager(world)
        # Plex has been seen well before.
        self.state, self.budget = State(answered=world.found.url), Budget()
        self.asked: list[str] = []
        self.restarted: list[Moment] = []
        self.certain_s: list[float] = []
        self.told: list[str] = []
        self.longest_unseen_s = 0.0

    def container(self) -> FoundContainer | None:
        world = self.world
        if world.found.server is not Server.CONTAINER:
            return None
        status = {"stopped": "exited", "crashed": "exited", "restarting": "restarting"}.get(world.state, "running")
        return FoundContainer(
            name="plex",
            id="c0ffee",
            status=status,
            exit_code=1,
            stopped_on_purpose=world.state == "stopped",
            started_s=world.started_s,
            seen_s=world.clock.uptime_s,
        )

    def tick(self) -> None:
        world = self.world
        world.clock.pass_time(30.0 + world.random.random())
        world.catch_up()
        began = world.clock.moment()
        was_down = world.state if world.state in DOWN else ""
        down_since_s = world.since_s
        seen = observe(
            self.plex,
            world.found,
            manager=self.manager,
            container=self.container(),
            clock=world.clock,
            config=CONFIG,
            has_token=True,
            paused_limit=timedelta(hours=2),
            describe=lambda: "a Plex",
        )
        plan = decide(seen, CONFIG, self.state, began, world.clock.moment())
        self.state = decode(State, encode(plan.state))
        self._judge(plan.state.verdict, began, was_down, down_since_s, excused=bool(seen.server.update))
        self.told += [step.event.name for step in plan.steps if isinstance(step, Tell)]
        if AskRestart() in plan.steps:
            self._restart()

    def _judge(self, verdict: Verdict, began: Moment, was_down: str, down_since_s: float, *, excused: bool) -> None:
        world = self.world
        if verdict in OUTAGES:
            # From the first failed look of this check, or of the check of a start before it, to now.
            self.certain_s.append(world.clock.moment().seconds_since(began))
        elif was_down and not excused and world.state == was_down and world.since_s == down_since_s:
            self.longest_unseen_s = max(self.longest_unseen_s, world.clock.uptime_s - down_since_s)

    def _restart(self) -> None:
        world = self.world
        self.asked.append(world.state)
        seen = observe_restart(
            self.plex,
            world.found,
            manager=self.manager,
            container=self.container(),
            clock=world.clock,
            config=CONFIG,
            paused=Paused(),
            paused_limit=timedelta(hours=2),
            open_with_token=lambda: self.plex,
        )
        told = read_told(self.state, world.found, world.clock.moment())
        step = decide_restart(seen, CONFIG, self.budget, told, world.clock.moment())
        self.manager.restart_code = 0
        if isinstance(step, Refuse):
            self.manager.restart_code = os.EX_TEMPFAIL if step.passing else os.EX_UNAVAILABLE
            return
        if step.budget.restarts != self.budget.restarts:
            self.restarted.append(world.clock.moment())
        self.budget = decode(Budget, encode(step.budget))
        assert world.state in DOWN, f"Plex was restarted while it was {world.state}"
        world.restart()


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Watch]:
    """Return what watches a world for TICKS checks, its traces on disk among what the probe sees of it."""

    def run(seed: int, *, between_s: tuple[float, float], found: FoundPlex = UNIT) -> Watch:
        world = World(seed, between_s=between_s, found=found)
        monkeypatch.setattr(server_module, "find_update", lambda container: world.update_sign())
        monkeypatch.setattr(server_module, "was_stopped_by_update", lambda unit, clock: world.state == "left stopped")
        monkeypatch.setattr(server_module, "look_inside", lambda container_id: world.inside())
        for module in (observe_module, restart_observe_module):
            monkeypatch.setattr(module, "mark_progress", lambda preferences: world.mark())
        watcher = Watch(world)
        for _ in range(TICKS):
            watcher.tick()
        return watcher

    return run


@pytest.mark.parametrize("found", [UNIT, CONTAINER], ids=["unit", "container"])
@pytest.mark.parametrize("seed", range(4))
def test_a_day_of_checks_restarts_only_what_is_down_and_misses_nothing(
    watch: Callable[..., Watch], seed: int, found: FoundPlex
) -> None:
    # given, when: something happens every quarter of an hour or so
    watcher = watch(seed, between_s=(300.0, 1500.0), found=found)

    # then: no false restart
    assert set(watcher.asked) <= set(DOWN)
    # and no outage missed: what lasts is certain at the first tick after a start's grace is over, or at once
    assert watcher.asked
    assert watcher.longest_unseen_s <= CONFIG.start_grace.total_seconds() + 31.0 + 20.0
    # and certain within 20 s of the first failed look
    assert max(watcher.certain_s) <= 20.0


@pytest.mark.parametrize("seed", range(6, 9))
def test_a_day_full_of_outages_stays_within_the_budgets(watch: Callable[..., Watch], seed: int) -> None:
    watcher = watch(seed, between_s=(60.0, 400.0))

    for moment in watcher.restarted:
        day = [
            other for other in watcher.restarted if 0 <= moment.seconds_since(other) < 86_400.0 and other.boot_id == moment.boot_id
        ]
        assert len(day) <= CONFIG.max_restarts_per_day
    assert set(watcher.asked) <= set(DOWN)


@pytest.mark.parametrize("seed", range(3))
def test_every_recovery_has_its_fault_and_giving_up_is_told_once_an_incident(watch: Callable[..., Watch], seed: int) -> None:
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
        elif name not in ("plex.restart-asked", "plex.left-stopped", "plex.updated"):
            # A stop on purpose, or by an update, ends an incident, and what follows it is another.
            open_fault, gave_up = True, gave_up and name not in ("plex.stopped", "plex.updating")


def test_the_world_is_as_eventful_as_it_should_be(watch: Callable[..., Watch]) -> None:
    told = {name for seed in (1, 2, 3, 4) for name in watch(seed, between_s=(100.0, 900.0)).told}

    assert {"plex.hung", "plex.down", "plex.maintenance", "plex.stopped", "plex.recovered", "plex.gave-up"} <= told
    assert {"plex.updating", "plex.left-stopped", "plex.degraded"} <= told
