"""A restart, step by step: counted first, graceful, killed only when stuck, watched until Plex answers."""

import dataclasses
import os
import signal
from pathlib import Path

import pytest

from plexguard.core.errors import IoFailed
from plexguard.core.found import Server
from plexguard.core.host import CommandFailed, CommandTimeout, Completed
from plexguard.core.manager import Unit
from plexguard.core.plex import PlexMaintenance, PlexRefused, PlexTimeout
from plexguard.core.program import Ports
from plexguard.core.state import StateFile
from plexguard.plex_probe.restart.act import await_answer, carry_out, refuse, restart
from plexguard.plex_probe.restart.decide import Budget, Refuse, Restart
from tests.fakes.ports import IDENTITY, FakeClock, FakeHost, FakeJournal, FakeManager, FakePlex, fake_ports

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


# -- what is counted and told around it -------------------------------------------------------------------------------


class Office:
    """The ports and the budget on disk, as the command has them."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.journal, self.manager = FakeClock(), FakeJournal(), FakeManager(GONE)
        self.ports: Ports = fake_ports(clock=self.clock, journal=self.journal, manager=self.manager)
        self.plex = FakePlex(self.clock)
        self.file = StateFile(folder / "state.json", Budget, schema=1, journal=self.journal)

    def restart(self) -> int:
        now = self.clock.moment()
        counted = dataclasses.replace(step(), budget=dataclasses.replace(Budget().spend(now), unfinished=now))
        return restart(counted, now, self.ports, plex=self.plex, file=self.file, limit=6)

    def refuse(self, refusal: Refuse) -> int:
        return refuse(refusal, self.file.load() or Budget(), self.clock.moment(), self.ports, file=self.file)


def test_a_restart_is_counted_and_told_before_it_is_made(tmp_path: Path) -> None:
    office = Office(tmp_path)
    seen: list[tuple[Budget | None, list[str]]] = []
    office.manager.on = lambda verb, _name: (
        seen.append((office.file.load(), list(office.journal.names))) if verb == "restart" else None
    )

    assert office.restart() == 0

    ((budget, told),) = seen
    assert budget is not None and (len(budget.restarts), budget.unfinished) == (1, budget.restarts[0])
    assert told == ["plex.restarting"]
    assert (office.journal.values("plex.restarting")["in_day"], office.journal.values("plex.restarting")["limit"]) == (1, 6)


def test_a_restart_that_cannot_be_counted_is_not_made(tmp_path: Path) -> None:
    office = Office(tmp_path / "away")

    with pytest.raises(IoFailed):
        office.restart()

    assert (office.manager.asked, office.journal.names) == ([], [])


def test_a_plex_that_came_back_was_not_left_stopped_by_us_and_one_that_did_not_was(tmp_path: Path) -> None:
    office = Office(tmp_path)

    assert office.restart() == 0
    assert (office.file.load() or Budget()).unfinished is None

    office.plex.identities = [PlexRefused("gone")]
    assert office.restart() == 1
    assert (office.file.load() or Budget()).unfinished is not None


@pytest.mark.parametrize("fault", [None, PlexRefused("gone")], ids=["back", "not back"])
def test_the_probe_looks_at_once_at_what_came_of_it(fault: PlexRefused | None, tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.plex.identities = [fault or IDENTITY]

    office.restart()

    assert office.manager.asked[-1] == ("start", "plexguard-plex-probe.service")


def test_a_refusal_that_passes_says_try_again_and_one_for_good_does_not(tmp_path: Path) -> None:
    office = Office(tmp_path)

    assert office.refuse(Refuse("somebody watches", passing=True)) == os.EX_TEMPFAIL
    assert office.refuse(Refuse("restart = false", passing=False)) == os.EX_UNAVAILABLE


def test_the_same_refusal_is_told_once_an_hour_however_often_it_is_asked_for(tmp_path: Path) -> None:
    office = Office(tmp_path)

    for _ in range(120):
        office.refuse(Refuse("somebody watches", passing=True))
        office.clock.pass_time(60)

    assert office.journal.names == ["plex.restart-refused"] * 2
