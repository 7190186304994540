"""Who forbids a shutdown, and whether the clock is to be believed."""

import json

import pytest

from plexguard.core.host import CommandFailed, Completed
from plexguard.net_recover.config import Config
from plexguard.net_recover.observe import Watching
from plexguard.net_recover.reboot.observe import is_clock_synchronised, look_again, read_inhibitors
from plexguard.net_recover.states import Verdict
from tests.fakes.ports import FakeHost
from tests.unit.net_recover.world import Machine, World


def done(text: str) -> Completed:
    return Completed(code=0, stdout=text, stderr="")


def inhibitors(*rows: list[object]) -> FakeHost:
    return FakeHost({"busctl": done(json.dumps({"type": "a(ssssuu)", "data": [list(rows)]}))})


def test_only_who_blocks_a_shutdown_forbids_it() -> None:
    host = inhibitors(
        ["shutdown:sleep", "plexguard", "database job", "block", 0, 812],
        ["sleep", "laptop", "lid", "block", 1000, 9],
        ["shutdown", "plexguard", "Plex is being restarted", "delay", 0, 813],
        ["handle-power-key", "desk", "shutdown", "block", 1000, 10],
    )

    assert read_inhibitors(host) == ("plexguard (pid 812: database job)",)
    assert read_inhibitors(inhibitors()) == ()


@pytest.mark.parametrize("text", ["", "{}", '{"data": []}', '{"data": [[["shutdown"]]]}', "[1]", "null"])
def test_an_answer_that_makes_no_sense_tells_nothing(text: str) -> None:
    assert read_inhibitors(FakeHost({"busctl": done(text)})) is None


def test_a_login_manager_that_is_away_tells_nothing() -> None:
    assert read_inhibitors(FakeHost({"busctl": CommandFailed("no bus")})) is None


@pytest.mark.parametrize(("answer", "is_synchronised"), [(done("yes\n"), True), (done("no\n"), False), (CommandFailed("x"), False)])
def test_a_clock_follows_a_time_server_when_that_is_said(answer: Completed | Exception, is_synchronised: bool) -> None:
    assert is_clock_synchronised(FakeHost({"timedatectl": answer})) is is_synchronised


@pytest.mark.parametrize(("fault", "verdict"), [("gateway", Verdict.NO_GATEWAY), ("", Verdict.ONLINE)])
def test_the_network_is_looked_at_once_more(fault: str, verdict: Verdict, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(World(), Config())
    machine.world.break_down(fault)
    machine.world.watching = Watching.SOMEBODY
    run = machine.host.run
    monkeypatch.setattr(
        machine.host, "run", lambda argv, **given: done('{"data": [[]]}') if argv[0] == "busctl" else run(argv, **given)
    )

    seen = look_again(machine.eyes, machine.config, machine.state, None)

    assert (seen.verdict, seen.watching, seen.inhibitors) == (verdict, Watching.SOMEBODY, ())
