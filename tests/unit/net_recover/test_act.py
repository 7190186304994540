"""A step is counted before it is taken, looked at until it helped, and never taken when it could not be counted."""

import dataclasses
import json
from datetime import timedelta
from pathlib import Path

import pytest

from plexguard.core.errors import IoFailed
from plexguard.core.host import CommandFailed
from plexguard.core.state import StateFile
from plexguard.net_recover import events
from plexguard.net_recover.act import REBOOT_UNIT, take_step
from plexguard.net_recover.config import Config
from plexguard.net_recover.decide import State
from plexguard.net_recover.history import Teller, open_history, read_all
from plexguard.net_recover.holders import Holder
from plexguard.net_recover.ladder import Problem
from plexguard.net_recover.states import Verdict
from plexguard.net_recover.steps import Patient, Step
from tests.fakes.ports import FakeClock, FakeHost, FakeJournal
from tests.unit.net_recover.world import Machine, World

CONFIG = Config(grace=timedelta(0))


def lost(fault: str = "gateway", *, config: Config = CONFIG, cured_by: str = "") -> Machine:
    machine = Machine(World(), config)
    machine.world.break_down(fault, cured_by=cured_by)
    return machine


@pytest.mark.parametrize(
    ("fault", "cured_by", "helped"),
    [
        ("route", "networkctl reconfigure", "soft reset"),
        ("address", "networkctl reconfigure", "soft reset"),
        ("link", "systemd-run", "hard reset"),
        ("gateway", "systemctl --no-ask-password restart", "service restart"),
        ("dns", "resolvectl flush-caches", "DNS flush"),
    ],
)
def test_the_step_that_helps_ends_the_round_and_is_named(fault: str, cured_by: str, helped: str) -> None:
    machine = lost(fault, cured_by=cured_by)

    machine.check()

    assert machine.journal.names[-2:] == ["net.step-done", "net.recovered"]
    assert machine.journal.values("net.recovered")["helped"] == helped
    assert machine.state.problem is None


def test_a_step_is_on_disk_before_it_is_taken() -> None:
    machine = lost()
    known: list[Step | None] = []
    run = machine.host.run

    def watch(argv, **given):
        if argv[0] in ("networkctl", "systemd-run", "systemctl"):
            known.append(machine.state.problem.step)
        return run(argv, **given)

    machine.host.run = watch  # type: ignore[method-assign]
    machine.check()

    assert known == [Step.SOFT, Step.HARD, Step.RESTART]


def test_a_step_that_cannot_be_counted_is_not_taken_and_the_loss_is_told() -> None:
    machine = lost()
    machine.file.is_full = True

    with pytest.raises(IoFailed):
        machine.check()

    assert machine.world.steps == []
    assert machine.journal.names == ["net.lost", "net.put-off"]
    assert "No space left" in str(machine.journal.values("net.put-off")["reason"])


def test_with_a_full_disk_each_thing_is_told_once_and_no_reboot_is_asked_for() -> None:
    machine = lost(config=dataclasses.replace(CONFIG, reboot=True))
    machine.run_for(timedelta(minutes=7))
    before = list(machine.world.steps)
    machine.file.is_full = True
    machine.journal.sent.clear()

    with pytest.raises(IoFailed):
        machine.run_for(timedelta(hours=1))
    machine.run_for(timedelta(hours=3))

    assert len(machine.journal.names) == len(set(machine.journal.names))
    assert (machine.world.steps, machine.manager.asked) == (before, [])


def test_a_network_that_is_back_is_told_with_a_full_disk_too_and_the_disk_anew_when_it_is_full_again() -> None:
    machine = lost("upstream")
    machine.file.is_full = True
    with pytest.raises(IoFailed):
        machine.check()

    machine.run_for(timedelta(minutes=10))
    machine.world.mend()
    machine.run_for(timedelta(minutes=10))

    assert machine.journal.names == ["net.lost", "net.left-alone", "net.recovered"]
    assert machine.journal.values("net.recovered")["downtime_s"] > 500
    machine.file.is_full = False
    machine.tick()
    machine.file.is_full = True
    machine.world.clock.pass_time(3600)
    machine.world.break_down("upstream")
    with pytest.raises(IoFailed):
        machine.check()


def test_what_is_counted_when_the_disk_takes_it_again_is_done() -> None:
    machine = lost()
    machine.file.is_full = True
    with pytest.raises(IoFailed):
        machine.check()
    machine.tick()

    machine.file.is_full = False
    machine.tick()

    assert len(machine.world.steps) == 3
    assert machine.file.on_disk is not None and machine.file.on_disk.problem is not None
    assert machine.file.on_disk.problem.taken == 1


def test_the_network_gets_its_time_to_be_back_and_no_more() -> None:
    machine = lost(config=dataclasses.replace(CONFIG, max_rounds=1, step_timeout=timedelta(seconds=10)))
    taken_s = []
    machine.journal.on_send = lambda name, _values: taken_s.append((name, machine.world.clock.uptime_s))

    machine.check()

    begun = [at for name, at in taken_s if name == "net.step"]
    ended = [at for name, at in taken_s if name == "net.step-failed"]
    assert all(10.0 <= end - begin < 25.0 for begin, end in zip(begun, ended, strict=True))


def test_a_network_that_comes_back_by_itself_in_a_step_is_seen_at_once() -> None:
    machine = lost()
    sleep, clock = machine.world.clock.sleep, machine.world.clock

    def come_back(seconds: float) -> None:
        sleep(seconds)
        if machine.world.steps:
            machine.world.mend()

    clock.sleep = come_back  # type: ignore[method-assign]
    machine.check()

    assert machine.world.steps == ["networkctl renew eth0"] or machine.world.steps == ["networkctl reconfigure eth0"]
    assert machine.journal.names[-1] == "net.recovered"


def test_what_a_command_said_is_told_with_the_step_that_failed() -> None:
    machine = lost()
    run = machine.host.run

    def fail(argv, **given):
        if argv[0] == "networkctl":
            raise CommandFailed("networkctl: exit code 1: Interface is not managed")
        return run(argv, **given)

    machine.host.run = fail  # type: ignore[method-assign]
    machine.check()

    first = next(values for event, values in machine.journal.sent if event.name == "net.step-failed")
    assert "Interface is not managed" in str(first["reason"])


def test_all_commands_of_a_step_are_run_whatever_the_first_said() -> None:
    host = FakeHost({"resolvectl": CommandFailed("resolvectl: no")})

    said = take_step(Step.DNS_FLUSH, Patient(holder=Holder.NETWORKD, interface="eth0", has_resolved=True), host)

    assert said == "resolvectl: no"
    assert len(host.ran) == 2


def test_a_reboot_is_only_queued() -> None:
    machine = lost(config=dataclasses.replace(CONFIG, reboot=True, max_rounds=1))
    machine.manager.on = lambda _verb, _name: None

    machine.check()

    assert machine.manager.asked == [("start", REBOOT_UNIT)]


def test_a_reboot_unit_that_is_masked_is_told_once_and_stops_no_check() -> None:
    machine = lost(config=dataclasses.replace(CONFIG, reboot=True, max_rounds=1))
    machine.manager.on = lambda _verb, _name: None
    machine.manager.fail["start"] = CommandFailed("Unit plexguard-reboot.service is masked.")

    machine.check()
    machine.run_for(timedelta(hours=1))

    assert machine.journal.names.count("reboot.refused") == 1
    assert machine.manager.asked.count(("start", REBOOT_UNIT)) > 5


def test_a_check_that_finds_nothing_new_minds_no_full_disk() -> None:
    machine = Machine(World(), CONFIG)
    machine.file.is_full = True

    machine.check()

    assert machine.journal.names == []


# -- the history ------------------------------------------------------------------------------------------------------


def test_what_is_told_is_kept_and_both_writers_are_read_in_order(tmp_path: Path) -> None:
    clock, journal = FakeClock(), FakeJournal()
    (tmp_path / "net-recover").mkdir()
    (tmp_path / "reboot").mkdir()
    check = Teller(journal, open_history(tmp_path / "net-recover"), clock)
    reboot = Teller(journal, open_history(tmp_path / "reboot"), clock)

    check.tell(events.UNKNOWN, reason="first")
    clock.pass_time(1)
    reboot.tell(events.REBOOT_REFUSED, reason="second")
    clock.pass_time(1)
    check.tell(events.UNKNOWN, reason="third")

    assert [record.text.rpartition(" ")[2] for record in read_all(tmp_path)] == ["first", "second", "third"]
    assert journal.names == ["net.unknown", "reboot.refused", "net.unknown"]


def test_a_disk_that_takes_nothing_stops_no_telling(tmp_path: Path) -> None:
    journal = FakeJournal()

    Teller(journal, open_history(tmp_path / "away"), FakeClock()).tell(events.UNKNOWN, reason="x")

    assert journal.names == ["net.unknown"]


def test_the_state_goes_to_disk_and_back(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state.json", State, schema=1, journal=FakeJournal())
    moment = FakeClock().moment()
    state = State(verdict=Verdict.NO_LINK, problem=Problem(verdict=Verdict.NO_LINK, began=moment, todo=(Step.HARD,)))

    file.save(state)

    assert file.load() == state
    assert json.loads(file.path.read_text())["problem"]["todo"] == ["hard reset"]
