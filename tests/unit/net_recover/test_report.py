"""What --dry-run prints."""

import dataclasses
import json
from datetime import timedelta

from plexguard.core.records import encode
from plexguard.net_recover.config import Config
from plexguard.net_recover.decide import State, decide
from plexguard.net_recover.observe import observe
from plexguard.net_recover.report import make_report, render
from tests.unit.net_recover.world import Machine, World


def look(machine: Machine) -> tuple[str, dict[str, object]]:
    now = machine.world.clock.moment()
    seen = observe(machine.eyes, machine.config, known=machine.state.seen, whole=True)
    report = make_report(seen, decide(seen, machine.config, machine.state, now, now))
    return render(report), json.loads(json.dumps(encode(report)))


def test_a_network_that_is_well_shows_every_method_of_every_endpoint() -> None:
    machine = Machine(World(), Config(grace=timedelta(0)))

    text, data = look(machine)

    for endpoint in Config().endpoints:
        assert f"{endpoint:<16} icmp: 10 ms, tcp 443: 10 ms" in text
    assert "verdict          online" in text
    assert "step             none" in text
    assert (data["verdict"], data["step"], data["commands"]) == ("online", "", [])


def test_a_network_that_is_lost_shows_the_step_and_its_commands_and_takes_none() -> None:
    machine = Machine(World(), Config(grace=timedelta(0)))
    machine.world.break_down("gateway")
    before = machine.state

    text, data = look(machine)

    assert "interface        eth0 (ether, held by systemd-networkd): carrier, 192.0.2.2" in text
    assert "gateway          192.0.2.1: does not answer" in text
    assert "icmp: no answer" in text
    assert "step             soft reset" in text
    assert "networkctl reconfigure eth0" in text
    assert "would tell       net.lost: The network is lost (no-gateway)" in text
    assert data["commands"] == [["networkctl", "reconfigure", "eth0"]]
    assert (machine.world.steps, machine.journal.names, machine.state) == ([], [], before)


def test_a_reboot_that_would_be_asked_for_is_shown() -> None:
    config = dataclasses.replace(Config(grace=timedelta(0)), reboot=True, max_rounds=1)
    machine = Machine(World(), config)
    machine.world.break_down("gateway")
    machine.manager.on = lambda _verb, _name: None
    machine.check()
    machine.world.clock.pass_time(600)

    assert "would be asked for" in look(machine)[0]


def test_a_machine_without_a_network_is_shown_too() -> None:
    machine = Machine(World(), Config(), online_before=False)
    machine.world.gone = True
    machine.file.record = State()

    text, data = look(machine)

    assert "gateway          no default route" in text
    assert data["verdict"] == "unknown"
