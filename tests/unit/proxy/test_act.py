"""The breaker at work over a gate that is a fake: what it tells, publishes, and does when the proxy is away."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from plexguard.core.clock import Moment
from plexguard.core.errors import PeerError
from plexguard.core.program import Ports
from plexguard.core.published import ProxySeen
from plexguard.core.state import StateFile
from plexguard.proxy import act
from plexguard.proxy.config import Config
from plexguard.proxy.decide import Check, Observation, Phase, State, Trigger, decide
from plexguard.proxy.runtime import Counters, Gate, ProxyAway
from tests.fakes.ports import FakeClock, FakeJournal, fake_ports

BAD = Check(good=False, reason="down", text="Plex does not answer")


class FakeRuntime:
    """HAProxy's socket: the gate does what it is told."""

    def __init__(self) -> None:
        self.gate = Gate(status="UP", is_held=False, counters=Counters())
        self.told: list[str] = []
        self.is_away = False
        self.refuses = ""
        self.looks = 0

    def look(self) -> Gate:
        if self.is_away:
            raise ProxyAway("away")
        self.looks += 1
        return self.gate

    def tell(self, commands: Sequence[str]) -> None:
        if self.refuses and any(command.startswith(self.refuses) for command in commands):
            raise PeerError("HAProxy: no")
        self.told += commands
        for command in commands:
            if command.endswith(("state maint", "state ready")):
                self.gate = replace(self.gate, status="MAINT" if command.endswith("maint") else "DOWN")
            if command.startswith("disable health"):
                self.gate = replace(self.gate, is_held=True)
            if command.endswith(("health up", "health down")):
                self.gate = replace(self.gate, status="no check" if command.endswith("up") else "DOWN")


class Site:
    def __init__(self, folder: Path) -> None:
        self.runtime, self.clock, self.journal = FakeRuntime(), FakeClock(), FakeJournal()
        self.marker, self.probe = folder / "drained", None
        self.file = StateFile(folder / "state.json", ProxySeen, schema=act.STATE_SCHEMA, journal=self.journal)

    def breaker(self) -> act.Breaker:
        ports: Ports = fake_ports(clock=self.clock, journal=self.journal)

        def no_plex():
            raise AssertionError("not asked")

        world = act.World(
            runtime=self.runtime, open_plex=no_plex, read_probe=lambda: self.probe, is_drained=self.marker.exists, maps="/maps"
        )
        # No check of its own: threads are for the integration tests.
        breaker = act.Breaker(Config(), ports, world, self.file)
        breaker._ask = lambda _now_s: None  # type: ignore[method-assign]
        return breaker

    def fail(self) -> None:
        self.runtime.gate = replace(self.runtime.gate, status="DOWN", is_held=True)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_first_cycle_takes_the_gate_and_publishes(site):
    assert site.breaker().cycle() == "closed"
    assert site.runtime.told[0] == "disable health metadata/plex"
    assert site.file.load().phase == "closed" and site.journal.names == []


def test_opening_is_told_and_published_and_callers_learn_why(site):
    breaker = site.breaker()
    breaker.cycle()
    site.fail()
    site.runtime.told.clear()
    assert breaker.cycle() == "open: Plex did not answer properly"
    assert site.journal.names == ["proxy.opened"]
    published = site.file.load()
    assert (published.phase, published.trigger, published.opens) == ("open", "traffic", 1)
    assert [command.split()[3] for command in site.runtime.told if "answers-503" in command] == ["json", "html", "xml", "wait"]


def test_proxy_that_is_away_is_told_after_a_while_and_its_return(site):
    breaker = site.breaker()
    site.runtime.is_away = True
    for _ in range(9):
        breaker.cycle()
    assert site.journal.names == []
    for _ in range(5):
        breaker.cycle()
    assert site.journal.names == ["proxy.unreachable"]
    site.runtime.is_away = False
    breaker.cycle()
    assert site.journal.names == ["proxy.unreachable", "proxy.reached"]
    assert site.journal.values("proxy.reached")["downtime_s"] >= 10


def test_state_of_the_breaker_before_is_taken_up(site):
    breaker = site.breaker()
    breaker.cycle()
    site.fail()
    breaker.cycle()
    site.runtime.gate = Gate(status="UP", is_held=False, counters=Counters())
    again = site.breaker()
    again.cycle()
    assert (again.state.phase, site.runtime.gate.lets_through) == (Phase.OPEN, False)
    assert site.journal.names == ["proxy.opened"]


def test_plex_that_is_in_trouble_is_left_in_peace_by_a_breaker_that_starts_again(site):
    breaker = site.breaker()
    breaker.cycle()
    site.fail()
    breaker.cycle()
    site.clock.pass_time(61)
    breaker.cycle()
    taken = act.take_up(site.file.load(), site.clock.moment())
    after = decide(
        Observation(gate=site.runtime.gate, check=BAD), Config(), replace(taken, phase=Phase.HALF_OPEN), site.clock.moment()
    )
    assert after.state.phase is Phase.OPEN


def test_plex_that_has_not_come_up_yet_is_looked_for_by_a_breaker_that_starts_again(site):
    now = site.clock.moment()
    begun = decide(Observation(gate=replace(site.runtime.gate, status="DOWN")), Config(), State(), now).state
    taken = act.take_up(act.publish(begun, now, opens=1, open_s=0.0), now)
    assert (taken.phase, taken.has_answered) == (Phase.HALF_OPEN, False)


def test_state_of_another_boot_is_not_taken_up(site):
    begun = Moment(wall=site.clock.now(), boot_id="another", uptime_s=5.0)
    published = ProxySeen(phase="open", since=begun, opened=begun, trigger="drain")
    assert act.take_up(published, site.clock.moment()).phase is Phase.CLOSED


def test_trigger_of_another_version_does_no_harm(site):
    now = site.clock.moment()
    assert act.take_up(ProxySeen(phase="open", since=now, trigger="new"), now).trigger is Trigger.CHECKS


def test_what_is_let_go_is_shut_before_it_is_ready(site):
    act.drain(site.runtime, site.marker)
    assert site.marker.exists()
    site.runtime.told.clear()
    assert act.let_go(site.runtime, site.marker, is_guarded=True)
    assert [command.rpartition(" ")[2] for command in site.runtime.told] == ["metadata/plex", "down", "ready"]
    assert not site.marker.exists()


def test_what_is_let_go_without_a_breaker_is_left_to_haproxy(site):
    act.drain(site.runtime, site.marker)
    assert act.let_go(site.runtime, site.marker, is_guarded=False)
    assert site.runtime.told[-1] == "enable health metadata/plex"


def test_ready_does_not_shut_a_door_that_nobody_has_drained(site):
    site.breaker().cycle()
    site.runtime.told.clear()
    assert not act.let_go(site.runtime, site.marker, is_guarded=True)
    assert site.runtime.told == [] and site.runtime.gate.lets_through


def test_proxy_that_begins_anew_while_drained_is_drained_again_and_a_second_drain_is_none(site):
    breaker = site.breaker()
    breaker.cycle()
    act.drain(site.runtime, site.marker)
    act.drain(site.runtime, site.marker)
    breaker.cycle()
    site.runtime.gate = Gate(status="UP", is_held=False, counters=Counters())
    site.clock.pass_time(600)
    breaker.cycle()
    assert site.runtime.gate.is_drained and breaker.state.trigger is Trigger.DRAIN
    assert site.journal.names == ["proxy.opened"]


def test_opening_is_told_and_published_although_callers_cannot_be_told_why(site):
    breaker = site.breaker()
    breaker.cycle()
    site.fail()
    site.runtime.refuses = "set map"
    breaker.cycle()
    assert site.journal.names == ["proxy.opened"] and site.file.load().phase == "open"
    site.runtime.refuses, site.runtime.told = "", []
    breaker.cycle()
    assert any("answers-503" in command for command in site.runtime.told)


def test_disk_that_is_full_does_not_end_the_breaker(site):
    breaker = site.breaker()
    breaker.cycle()
    # Whatever is written there fails, as on a disk that takes nothing; root is refused nothing else.
    site.file.path = site.file.path / "no-folder" / "state.json"
    site.fail()
    assert "not published" in breaker.cycle()
    assert (breaker.state.phase, site.journal.names) == (Phase.OPEN, ["proxy.opened"])


def test_first_look_makes_it_ready(site):
    site.breaker().cycle()
    assert site.clock.monotonic_s() == FakeClock().monotonic_s()


def test_breaker_that_has_nothing_to_do_looks_once_a_second(site):
    breaker = site.breaker()
    breaker.cycle()
    breaker._state = replace(breaker.state, has_answered=True)
    looks = site.runtime.looks
    breaker.cycle()
    assert site.runtime.looks - looks <= 6
    site.runtime.gate = replace(site.runtime.gate, counters=replace(site.runtime.gate.counters, asked=7, bad=1))
    looks = site.runtime.looks
    breaker.cycle()
    assert site.runtime.looks - looks > 15


def test_flapping_is_told_with_how_often(site):
    breaker = site.breaker()
    breaker.cycle()
    for _ in range(3):
        site.fail()
        breaker.look()
        site.clock.pass_time(61)
        breaker.look()
        breaker._state = replace(breaker.state, good_checks=2)
        breaker._asking.take = lambda _now_s: Check(good=True)
        breaker.look()
        breaker._asking.take = lambda _now_s: None
    assert site.journal.names[-2:] == ["proxy.closed", "proxy.flapping"]
    assert site.journal.values("proxy.flapping") == {"times": 3}
