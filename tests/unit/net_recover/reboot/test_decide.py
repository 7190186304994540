"""Whether this machine is rebooted: never twice in a day, and never while anything is in doubt."""

import dataclasses
from datetime import timedelta

import pytest

from plexguard.core.records import decode, encode
from plexguard.net_recover.config import Config
from plexguard.net_recover.decide import State
from plexguard.net_recover.ladder import Problem
from plexguard.net_recover.observe import Watching
from plexguard.net_recover.reboot.decide import (
    DAY_S,
    LEAST_UPTIME_S,
    Budget,
    Known,
    RebootObservation,
    find_early_refusal,
    find_refusal,
    take_back,
)
from plexguard.net_recover.states import Verdict
from tests.fakes.ports import FakeClock

CONFIG = Config(reboot=True)
SEEN = RebootObservation(verdict=Verdict.NO_GATEWAY, detail="x", watching=Watching.NOBODY, update="", inhibitors=())


class Bench:
    """A check that has given up just now, on a machine that has been up for hours."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.budget = Budget()
        self.is_synchronised = True
        self.config = CONFIG
        self.verdict = Verdict.NO_GATEWAY
        self.gave_up = True
        self.last_online = self.clock.moment()

    def known(self) -> Known:
        problem = Problem(verdict=self.verdict, began=self.last_online, gave_up=self.gave_up)
        checked = State(verdict=self.verdict, problem=problem, checked=self.clock.moment(), last_online=self.last_online)
        return Known(checked=checked, is_synchronised=self.is_synchronised)

    def refusal(self) -> str:
        """Return the kind of the refusal, "" for a reboot, which is counted."""
        now = self.clock.moment()
        refusal = find_early_refusal(self.known(), self.config, self.budget, now)
        if refusal is not None:
            return refusal.kind
        spent = self.budget.spend(now, "no-gateway", is_synchronised=self.is_synchronised)
        self.budget = decode(Budget, encode(spent))
        return ""

    def reason(self) -> str:
        refusal = find_early_refusal(self.known(), self.config, self.budget, self.clock.moment())
        assert refusal is not None
        return refusal.reason


def test_a_network_that_stays_lost_after_all_rounds_is_a_reason() -> None:
    assert Bench().refusal() == ""
    assert find_refusal(SEEN) is None


# -- what forbids it whatever is seen ---------------------------------------------------------------------------------


def test_it_is_off_by_default() -> None:
    bench = Bench()
    bench.config = Config()

    assert bench.refusal() == "switched-off"


def test_the_rounds_come_first() -> None:
    bench = Bench()
    bench.gave_up = False
    assert bench.refusal() == "not-asked"

    now = bench.clock.moment()
    for checked in (None, State(), State(checked=now)):
        refusal = find_early_refusal(Known(checked=checked, is_synchronised=True), CONFIG, Budget(), now)
        assert refusal is not None and refusal.kind == "not-asked"


def test_a_check_that_has_not_looked_for_hours_or_since_the_boot_has_no_say() -> None:
    bench = Bench()
    known = bench.known()
    for pass_by in (lambda: bench.clock.pass_time(3 * 3600), lambda: bench.clock.reboot()):
        pass_by()
        refusal = find_early_refusal(known, CONFIG, Budget(), bench.clock.moment())
        assert refusal is not None and refusal.kind == "not-asked"


@pytest.mark.parametrize("verdict", [Verdict.NO_DNS, Verdict.NO_INTERNET, Verdict.SWITCHED_OFF])
def test_what_a_reboot_does_not_mend_gets_none(verdict: Verdict) -> None:
    bench = Bench()
    bench.verdict = verdict

    assert bench.refusal() == "not-rebootable"


@pytest.mark.parametrize(("uptime_s", "kind"), [(LEAST_UPTIME_S - 1, "uptime"), (LEAST_UPTIME_S, "")])
def test_a_machine_that_has_just_come_up_is_not_rebooted(uptime_s: float, kind: str) -> None:
    bench = Bench()
    bench.clock.reboot()
    bench.clock.pass_time(uptime_s)

    assert bench.refusal() == kind


@pytest.mark.parametrize(("is_synchronised", "kind"), [(False, "clock"), (True, "")])
def test_a_clock_that_is_earlier_than_it_once_was_is_only_believed_when_it_is_synchronised(
    is_synchronised: bool, kind: str
) -> None:
    bench = Bench()
    bench.clock.reboot(down_s=-400 * DAY_S)
    bench.clock.pass_time(3600)
    bench.is_synchronised = is_synchronised

    assert bench.refusal() == kind


# -- the budget -------------------------------------------------------------------------------------------------------


def test_there_are_never_two_within_a_day_and_the_reason_says_when_the_next_may_be() -> None:
    bench = Bench()
    assert bench.refusal() == ""
    bench.clock.reboot()
    bench.clock.pass_time(12 * 3600)

    assert bench.refusal() == "budget"
    assert "the next may be in 12.0 h" in bench.reason()


def test_midnight_changes_nothing() -> None:
    bench = Bench()
    bench.clock.pass_time(11.9 * 3600)  # 23:54
    assert bench.refusal() == ""
    bench.clock.reboot()
    bench.clock.pass_time(1000)

    assert bench.refusal() == "budget"


def test_after_a_day_there_is_one_again() -> None:
    bench = Bench()
    assert bench.refusal() == ""
    bench.clock.reboot()
    bench.clock.pass_time(DAY_S - 61)
    assert bench.refusal() == "budget"
    bench.clock.pass_time(61)

    assert bench.refusal() == ""


def test_a_longer_pause_holds_and_a_shorter_one_cannot_be() -> None:
    bench = Bench()
    bench.config = dataclasses.replace(CONFIG, min_between_reboots=timedelta(days=7))
    assert bench.refusal() == ""
    bench.clock.reboot()
    bench.clock.pass_time(6 * DAY_S)
    assert bench.refusal() == "budget"

    bench.config = dataclasses.replace(CONFIG, min_between_reboots=timedelta(0))
    bench.budget = Budget()
    assert bench.refusal() == ""
    bench.clock.pass_time(3600)
    assert bench.refusal() == "budget"


def test_a_budget_of_none_is_none() -> None:
    bench = Bench()
    bench.config = dataclasses.replace(CONFIG, max_reboots_per_day=0)

    assert bench.refusal() == "budget"


@pytest.mark.parametrize("jump_days", [1.5, 400.0, 9000.0])
def test_a_clock_that_jumps_ahead_over_the_reboot_gives_no_second_one(jump_days: float) -> None:
    bench = Bench()
    bench.is_synchronised = False
    assert bench.refusal() == ""
    bench.clock.reboot(down_s=jump_days * DAY_S)
    bench.clock.pass_time(3600)

    assert bench.refusal() == "budget"
    assert "reckoned from this boot" in bench.reason()


def test_a_clock_that_was_wrong_when_it_was_counted_and_is_right_now_gives_no_second_one() -> None:
    bench = Bench()
    bench.clock.wall -= timedelta(days=3000)
    bench.last_online = bench.clock.moment()
    bench.is_synchronised = False
    assert bench.refusal() == ""
    bench.clock.reboot()
    bench.clock.wall += timedelta(days=3000)
    bench.is_synchronised = True
    bench.clock.pass_time(3600)

    assert bench.refusal() == "budget"


def test_a_reboot_of_the_far_future_gives_no_second_one_nor_forbids_it_for_ever() -> None:
    bench = Bench()
    bench.clock.wall += timedelta(days=3000)
    assert bench.refusal() == ""
    bench.clock.reboot()
    bench.clock.wall -= timedelta(days=3000)
    bench.last_online = bench.clock.moment()
    bench.clock.pass_time(3600)

    assert bench.refusal() == "budget"
    bench.clock.pass_time(DAY_S)
    assert bench.refusal() == ""


def test_a_power_cut_does_not_shorten_the_day() -> None:
    bench = Bench()
    bench.is_synchronised = False
    assert bench.refusal() == ""
    for _ in range(5):
        bench.clock.reboot()
        bench.clock.pass_time(6 * 3600)
        assert bench.refusal() == "budget"


def test_a_reboot_that_was_told_counts_though_the_budget_forgot_it() -> None:
    bench = Bench()
    told = bench.clock.moment()
    bench.clock.reboot()
    bench.clock.pass_time(3600)
    known = bench.known()
    assert known.checked is not None
    known = dataclasses.replace(known, checked=dataclasses.replace(known.checked, told_reboot=told))

    refusal = find_early_refusal(known, CONFIG, Budget(), bench.clock.moment())

    assert refusal is not None
    assert refusal.kind == "budget"


@pytest.mark.parametrize(("uptime_s", "kind"), [(3600.0, "budget"), (DAY_S, "")])
def test_a_budget_that_was_lost_takes_this_boot_for_a_reboot(uptime_s: float, kind: str) -> None:
    bench = Bench()
    bench.clock.reboot()
    bench.clock.pass_time(uptime_s)
    known = dataclasses.replace(bench.known(), is_budget_lost=True)

    refusal = find_early_refusal(known, CONFIG, Budget(), bench.clock.moment())

    assert (refusal.kind if refusal is not None else "") == kind


def test_the_record_stays_small() -> None:
    clock, budget = FakeClock(), Budget()
    for _ in range(200):
        clock.pass_time(DAY_S)
        budget = budget.spend(clock.moment(), "x", is_synchronised=True)

    assert len(budget.reboots) == 50


def test_a_reboot_that_certainly_did_not_happen_is_taken_back() -> None:
    bench = Bench()
    assert bench.refusal() == ""
    bench.budget = take_back(bench.budget)

    assert bench.budget == Budget()
    assert bench.refusal() == ""


# -- what is seen at the moment of acting -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"verdict": Verdict.ONLINE}, "not-lost", "online"),
        ({"verdict": Verdict.NO_DNS}, "not-lost", "no-dns"),
        ({"verdict": Verdict.NO_INTERNET}, "not-lost", "no-internet"),
        ({"verdict": Verdict.UNKNOWN}, "not-lost", "unknown"),
        ({"watching": Watching.SOMEBODY}, "streams", "somebody watches"),
        ({"watching": Watching.UNKNOWN}, "streams", "cannot be told"),
        ({"others_answer": True}, "gateway-away", "gateway that is away"),
        ({"update": "apt-get (pid 7) holds a lock"}, "update", "apt-get (pid 7)"),
        ({"inhibitors": ("plexguard (pid 9: database job)",)}, "inhibitor", "database job"),
        ({"inhibitors": None}, "inhibitor", "cannot be told"),
    ],
)
def test_whatever_is_in_doubt_forbids_it_and_is_named(change: dict[str, object], kind: str, words: str) -> None:
    refusal = find_refusal(dataclasses.replace(SEEN, **change))  # type: ignore[arg-type]

    assert refusal is not None
    assert refusal.kind == kind
    assert words in refusal.reason
    assert refusal.passing
