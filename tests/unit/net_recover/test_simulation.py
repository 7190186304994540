"""Days of a machine whose network comes and goes: what the seeds' operators lived through, in seconds."""

import dataclasses
import random
from collections.abc import Mapping
from datetime import timedelta

import pytest

from plexguard.net_recover.config import Config
from plexguard.net_recover.observe import Watching
from tests.unit.net_recover.world import FAULTS, Machine, World

CONFIG = Config()
REBOOTING = Config(reboot=True)
DAY_S = 86_400.0


def begin(fault: str, config: Config, *, cured_by: str = "") -> Machine:
    machine = Machine(World(), config)
    machine.world.break_down(fault, cured_by=cured_by)
    return machine


@pytest.mark.parametrize("fault", ["link", "gateway", "address"])
def test_four_days_without_a_network_give_four_reboots_and_checking_never_stops(fault: str) -> None:
    machine = begin(fault, REBOOTING)

    machine.run_for(timedelta(days=4))

    assert len(machine.reboots) == 4
    # Every minute of the machine's life but for the rounds, the reboots and what a failing check itself takes.
    assert machine.checks > 0.6 * 4 * 1440
    gaps = [later.wall - earlier.wall for earlier, later in zip(machine.reboots, machine.reboots[1:], strict=False)]
    assert all(timedelta(hours=24) <= gap < timedelta(hours=24, minutes=15) for gap in gaps)
    # once before and once after each reboot, since a boot is a new beginning
    assert machine.journal.names.count("net.gave-up") == 5
    # and it is told when it is over
    machine.world.mend()
    machine.tick()
    assert machine.journal.names[-1] == "net.recovered"
    assert float(str(machine.journal.values("net.recovered")["downtime_s"])) == pytest.approx(4 * DAY_S, rel=0.01)


def test_four_days_without_a_network_give_no_reboot_where_it_is_not_switched_on() -> None:
    machine = begin("gateway", CONFIG)

    machine.run_for(timedelta(days=4))

    assert machine.reboots == []
    assert machine.manager.asked == []
    assert len([step for step in machine.world.steps if step.startswith("networkctl reconfigure")]) == CONFIG.max_rounds
    assert machine.checks > 0.6 * 4 * 1440


@pytest.mark.parametrize("fault", ["upstream", "dns"])
def test_four_days_of_what_no_reboot_mends_give_none(fault: str) -> None:
    machine = begin(fault, REBOOTING)

    machine.run_for(timedelta(days=4))

    assert machine.reboots == []


def test_an_outage_ends_the_reboots_when_one_helps() -> None:
    machine = begin("gateway", REBOOTING)
    machine.boot_cures = True

    machine.run_for(timedelta(days=4))

    assert len(machine.reboots) == 1
    assert machine.journal.values("net.recovered")["helped"] == "reboot"


def test_an_outage_of_four_days_leaves_few_lines() -> None:
    machine = begin("gateway", REBOOTING)

    machine.run_for(timedelta(days=4))

    # One loss and one ask; in each of five boots three rounds of three steps with their results and ends, and giving up.
    assert len(machine.journal.names) <= 1 + 1 + 5 * (3 * 3 * 2 + 3 + 1 + 1)


class Life:
    """Things happen to a machine: faults of every kind, some that a step mends, flapping, films, updates, clocks, power cuts."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.machine = Machine(World(), dataclasses.replace(REBOOTING, interval=timedelta(minutes=self.random.choice((1, 5, 20)))))
        self.machine.world.is_leased = self.random.random() < 0.5

    def live(self, ticks: int, *, only: tuple[str, ...] = (), chance: float = 0.03) -> None:
        happenings = only or tuple(name for name in dir(self) if name.startswith("do_"))
        for _ in range(ticks):
            if self.random.random() < chance:
                getattr(self, self.random.choice(happenings))()
            self.machine.tick()

    def do_break(self) -> None:
        cure = self.random.choice(("", "", "networkctl", "systemd-run", "systemctl", "resolvectl"))
        self.machine.world.break_down(self.random.choice(FAULTS), cured_by=cure)

    do_break_again = do_break_more = do_break

    def do_mend(self) -> None:
        self.machine.world.mend()
        self.machine.world.is_up, self.machine.world.gone = True, False

    def do_flap(self) -> None:
        for _ in range(self.random.randrange(2, 12)):
            self.do_break()
            self.machine.tick()
            self.do_mend()
            self.machine.tick()

    def do_set_clock(self) -> None:
        # Who sets a clock by hand takes it from its time server: the kernel says so.
        self.machine.is_synchronised = False
        self.machine.world.clock.wall += timedelta(days=self.random.uniform(-400, 400))

    def do_lose_time_server(self) -> None:
        self.machine.is_synchronised = False

    def do_find_time_server(self) -> None:
        self.machine.is_synchronised = True
        self.machine.world.clock.wall = self.machine.world.clock.true_wall

    def do_cut_power(self) -> None:
        clock = self.machine.world.clock
        self.machine.file.read_again()
        clock.reboot(down_s=self.random.uniform(20, 400_000))
        if self.random.random() < 0.5:
            # No battery: the clock begins somewhere.
            clock.wall += timedelta(days=self.random.uniform(-4000, 4000))
            self.machine.is_synchronised = False
        clock.pass_time(120.0)

    def do_watch(self) -> None:
        self.machine.world.watching = self.random.choice((*Watching, Watching.NOBODY, Watching.NOBODY))

    def do_switch_off(self) -> None:
        self.machine.world.is_up = False

    def do_pull_out(self) -> None:
        self.machine.world.gone = True


@pytest.mark.parametrize("seed", range(8))
def test_no_life_however_wild_exceeds_a_budget(seed: int) -> None:
    life = Life(seed)
    true_s = TrueTime(life.machine)

    life.live(1500)

    # Reboots: never two in 24 hours of true time, whatever clocks said.
    assert all(later - earlier >= DAY_S for earlier, later in zip(true_s.reboots, true_s.reboots[1:], strict=False))
    # Rounds: never more than three in an hour of a machine's uptime.
    for number, (boot, begun_s) in enumerate(true_s.rounds):
        recent = [at for other, at in true_s.rounds[: number + 1] if other == boot and begun_s - at < 3600.0]
        assert len(recent) <= CONFIG.max_rounds
    # Nobody who watched was interrupted.
    assert life.machine.world.interrupted == []
    # and it never stopped looking
    assert life.machine.state.checked is not None
    assert life.machine.state.checked.boot_id == life.machine.world.clock.boot_id
    assert life.machine.checks >= 1500


@pytest.mark.parametrize("seed", range(6))
def test_weeks_without_a_network_and_with_clocks_that_jump_never_give_two_reboots_in_a_day(seed: int) -> None:
    life = Life(seed)
    life.machine.config = dataclasses.replace(REBOOTING, interval=timedelta(minutes=20))
    true_s = TrueTime(life.machine)
    life.machine.world.break_down("gateway")

    life.live(1500, only=("do_set_clock", "do_lose_time_server", "do_find_time_server", "do_cut_power"), chance=0.008)

    assert all(later - earlier >= DAY_S for earlier, later in zip(true_s.reboots, true_s.reboots[1:], strict=False))
    # Nor is it forbidden for ever: a machine that stays up for a day may reboot.
    assert len(true_s.reboots) >= 3


class TrueTime:
    """Seconds that really passed, which no clock of the machine is: what is counted against budgets."""

    def __init__(self, machine: Machine) -> None:
        self.now_s = 0.0
        self.reboots: list[float] = []
        self.rounds: list[tuple[str, float]] = []
        self._machine = machine
        machine.world.clock.on_pass = self._pass
        machine.on_reboot = lambda: self.reboots.append(self.now_s)
        machine.journal.on_send = self._note

    def _pass(self, seconds: float) -> None:
        self.now_s += seconds

    def _note(self, name: str, values: Mapping[str, object]) -> None:
        # What each round begins with.
        if name == "net.step" and values["step"] == ("DNS flush" if values["kind"] == "no-dns" else "soft reset"):
            clock = self._machine.world.clock
            self.rounds.append((clock.boot_id, clock.uptime_s))


def test_the_lives_are_as_eventful_as_they_should_be() -> None:
    lives = [Life(seed) for seed in range(8)]
    for life in lives:
        life.live(1500)

    told = {name for life in lives for name in life.machine.journal.names}
    assert {
        *("net.lost", "net.step", "net.step-done", "net.step-failed", "net.round", "net.recovered", "net.gave-up"),
        *("net.left-alone", "net.put-off", "reboot.asked"),
    } <= told
    assert sum(len(life.machine.reboots) for life in lives) >= 5
    refused = {kind for life in lives for kind in life.machine.refusals}
    assert {"budget", "clock"} <= refused


@pytest.mark.parametrize("seed", range(4))
def test_every_recovery_has_its_loss_and_giving_up_is_told_once_for_a_fault(seed: int) -> None:
    life = Life(seed)
    life.live(1500)

    open_loss = False
    for name in life.machine.journal.names:
        if name == "net.lost":
            open_loss = True
        elif name == "net.recovered":
            assert open_loss
            open_loss = False
        elif name not in ("net.unknown", "net.known"):
            assert open_loss, name
