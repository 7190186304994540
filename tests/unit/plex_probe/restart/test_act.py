"""A restart, step by step: graceful first, killed only when stuck, watched until Plex answers."""

import signal

import pytest

from plexguard.core.found import Server
from plexguard.core.host import CommandFailed, CommandTimeout, Completed
from plexguard.core.manager import Unit
from plexguard.core.plex import PlexMaintenance, PlexRefused, PlexTimeout
from plexguard.plex_probe.restart.act import await_answer, carry_out
from plexguard.plex_probe.restart.decide import Budget, Restart
from tests.fakes.ports import IDENTITY, FakeClock, FakeHost, FakeJournal, FakeManager, FakePlex

NAME = "plexmediaserver.service"
GONE = Unit(name=NAME, load_state="loaded")
ACTIVE = Unit(name=NAME, load_state="loaded", active_state="active")
STUCK = Unit(name=NAME, load_state="loaded", active_state="deactivating", sub_state="stop-sigkill")


def step(server: Server = Server.UNIT, name: str = NAME) -> Restart:
    return Restart(server=server, name=name, reason="no answer", stop_timeout_s=10.0, start_timeout_s=90.0, budget=Budget())


class Bench:
    def __init__(self, *units: Unit) -> None:
        self.clock = FakeClock()
        self.journal = FakeJournal()
        self.host = FakeHost({"docker restart": Completed(code=0, stdout="plex\n", stderr="")})
        self.manager = FakeManager(*units)
        self.plex = FakePlex(self.clock)

    def carry_out(self, given: Restart) -> bool:
        return carry_out(given, plex=self.plex, manager=self.manager, host=self.host, clock=self.clock, journal=self.journal)


def test_a_unit_is_forgiven_and_restarted_in_one_job_under_an_inhibitor() -> None:
    bench = Bench(GONE)

    assert bench.carry_out(step())

    assert bench.manager.asked == [
        ("inhibit", "sleep:shutdown"),
        ("reset-failed", NAME),
        ("restart", NAME),
        ("release", "sleep:shutdown"),
    ]
    assert bench.journal.values("plex.restarted")["server"] == NAME


def test_a_unit_that_does_not_stop_in_time_is_killed_and_its_job_starts_it() -> None:
    bench = Bench(STUCK)
    bench.manager.fail["restart"] = CommandTimeout("no end within 10 s")
    bench.manager.on = lambda verb, _name: bench.manager.units.update({NAME: ACTIVE}) if verb == "kill" else None

    assert bench.carry_out(step())

    assert [verb for verb, _ in bench.manager.asked] == ["inhibit", "reset-failed", "restart", "kill", "release"]


def test_a_unit_that_takes_its_time_to_start_is_not_killed() -> None:
    bench = Bench(Unit(name=NAME, load_state="loaded", active_state="activating"))
    bench.manager.fail["restart"] = CommandTimeout("no end within 10 s")

    assert not bench.carry_out(step())

    assert "kill" not in [verb for verb, _ in bench.manager.asked]
    assert "not started within 90 s" in str(bench.journal.values("plex.restart-failed")["reason"])


def test_a_restart_that_somebody_else_cancelled_kills_nothing() -> None:
    # given: an admin's own job takes the place of ours
    bench = Bench(GONE)
    bench.manager.fail["restart"] = CommandFailed("Job for plexmediaserver.service canceled.")

    assert not bench.carry_out(step())

    assert "kill" not in [verb for verb, _ in bench.manager.asked]
    assert "canceled" in str(bench.journal.values("plex.restart-failed")["reason"])


def test_a_process_that_even_sigkill_does_not_end_is_told() -> None:
    bench = Bench(STUCK)
    bench.manager.fail["restart"] = CommandTimeout("no end within 10 s")

    assert not bench.carry_out(step())

    assert "SIGKILL" in str(bench.journal.values("plex.restart-failed")["reason"])
    assert bench.manager.asked[-1] == ("release", "sleep:shutdown")


def test_a_container_is_left_to_docker_with_the_same_limit() -> None:
    bench = Bench()

    assert bench.carry_out(step(Server.CONTAINER, "plex"))

    assert bench.host.ran == [["docker", "restart", "-t", "10", "--", "plex"]]


def test_docker_that_fails_is_told_with_its_reason() -> None:
    bench = Bench()
    bench.host.answers["docker restart"] = Completed(code=1, stdout="", stderr="No such container: plex")

    assert not bench.carry_out(step(Server.CONTAINER, "plex"))

    assert "No such container" in str(bench.journal.values("plex.restart-failed")["reason"])


def test_between_stop_and_start_a_sigterm_is_not_heard_and_afterwards_it_is() -> None:
    before = signal.getsignal(signal.SIGTERM)
    bench = Bench(GONE)
    heard: dict[str, object] = {}
    bench.manager.on = lambda verb, _name: heard.setdefault(verb, signal.getsignal(signal.SIGTERM))

    bench.carry_out(step())

    assert heard["restart"] is signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) == before


def test_it_waits_until_plex_answers() -> None:
    bench = Bench(GONE)
    bench.plex.identities = [PlexRefused("not yet")] * 40 + [IDENTITY]

    assert bench.carry_out(step())

    assert 20 <= float(str(bench.journal.values("plex.restarted")["seconds"])) < 25
    assert bench.journal.values("plex.restarted")["how"] == ""


def test_a_plex_that_migrates_after_the_restart_has_answered() -> None:
    clock = FakeClock()
    plex = FakePlex(clock)
    plex.identities = [PlexRefused("not yet"), PlexMaintenance("starting")]

    assert await_answer(plex, clock, timeout_s=90.0) == ", in maintenance"


@pytest.mark.parametrize("fault", [PlexRefused("gone"), PlexTimeout("hung")], ids=["refused", "hung"])
def test_a_plex_that_does_not_answer_in_time_is_told_as_a_restart_that_failed(fault: PlexRefused | PlexTimeout) -> None:
    bench = Bench(GONE)
    bench.plex.identities = [fault]

    assert not bench.carry_out(step())

    values = bench.journal.values("plex.restart-failed")
    assert values["reason"] == str(fault)
    assert 90.0 <= float(str(values["seconds"])) < 95.0
