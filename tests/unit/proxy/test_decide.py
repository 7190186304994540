"""The breaker's decisions, from every state and by the clock that is given."""

from dataclasses import replace
from datetime import timedelta

import pytest

from plexguard.core.published import ProbeSeen
from plexguard.proxy.config import Config
from plexguard.proxy.decide import REASONS, Check, Observation, Phase, State, Trigger, decide, find_answer, next_check_s
from plexguard.proxy.runtime import Counters, Gate
from tests.fakes.ports import FakeClock

CONFIG = Config()
GOOD, BAD = Check(good=True), Check(good=False, reason="down", text="Plex does not answer")


class Run:
    """A breaker over a gate that does what it is told, look after look."""

    def __init__(self, **options: object) -> None:
        self.config = replace(CONFIG, **options)  # type: ignore[arg-type]
        self.clock = FakeClock()
        self.state = State()
        self.gate = Gate(status="UP", is_held=False, counters=Counters())
        self.told: list[str] = []
        self.sets: list[bool] = []
        self.probe: ProbeSeen | None = None
        self.look(GOOD)

    def look(self, check: Check | None = None, *, good: int = 0, bad: int = 0, after_s: float = 0.25) -> State:
        self.clock.pass_time(after_s)
        before = self.gate.counters
        counters = Counters(asked=before.asked + good + bad, good=before.good + good, bad=before.bad + bad)
        self.gate = replace(self.gate, counters=counters)
        plan = decide(Observation(gate=self.gate, check=check, probe=self.probe), self.config, self.state, self.clock.moment())
        self.told += plan.told
        if plan.hold:
            self.gate = replace(self.gate, is_held=True)
        if plan.set_gate is not None:
            self.sets.append(plan.set_gate)
            self.gate = replace(self.gate, status="no check" if plan.set_gate else "DOWN")
        self.state = plan.state
        return plan.state

    def find(self, verdict: str) -> None:
        self.probe = ProbeSeen(verdict=verdict, checked=self.clock.moment())


def opened(**options: object) -> Run:
    run = Run(**options)
    for _ in range(3):
        run.look(BAD)
    assert run.state.phase is Phase.OPEN
    return run


def test_first_look_takes_the_gate_over_and_leaves_it_open():
    run = Run()
    assert (run.gate.is_held, run.gate.lets_through, run.told) == (True, True, [])


@pytest.mark.parametrize("failures", [1, 4])
def test_fewer_failures_leave_it_closed(failures):
    run = Run()
    assert run.look(bad=failures).phase is Phase.CLOSED


def test_five_failures_in_a_row_open_it():
    run = Run()
    for _ in range(4):
        assert run.look(bad=1).phase is Phase.CLOSED
    assert run.look(bad=1).phase is Phase.OPEN
    assert (run.state.trigger, run.sets, run.told) == (Trigger.TRAFFIC, [False], ["opened"])


def test_success_between_failures_begins_anew():
    run = Run()
    run.look(bad=4)
    run.look(good=1)
    assert run.look(bad=4).phase is Phase.CLOSED


def test_counters_that_begin_anew_are_no_failures():
    run = Run()
    run.look(good=100, bad=3)
    run.gate = replace(run.gate, counters=Counters())
    assert run.look(bad=4).failures == 0


def test_failure_that_is_taken_back_for_a_moment_does_not_end_the_row():
    run = Run()
    run.look(bad=4)
    run.gate = replace(run.gate, counters=replace(run.gate.counters, bad=3))
    assert run.look().failures == 4
    assert run.look(bad=1).failures == 4, "the one that was taken back, once more"
    assert run.look(bad=1).phase is Phase.OPEN


def test_failure_that_is_taken_back_for_good_hides_no_later_one():
    run = Run()
    run.look(bad=4)
    run.gate = replace(run.gate, counters=replace(run.gate.counters, bad=3))
    for _ in range(5):
        assert run.look().failures == 4
    assert run.look(bad=1).phase is Phase.OPEN


def test_three_failed_checks_in_a_row_open_it():
    run = Run()
    assert [run.look(check).phase for check in (BAD, BAD, GOOD, BAD, BAD)] == [Phase.CLOSED] * 5
    assert run.look(BAD).phase is Phase.OPEN
    assert (run.state.trigger, run.state.reason) == (Trigger.CHECKS, "down")


def test_gate_that_haproxy_has_shut_is_followed():
    run = Run()
    run.gate = replace(run.gate, status="DOWN")
    assert run.look().trigger is Trigger.TRAFFIC
    other = Run()
    other.gate = Gate(status="DOWN", is_held=False, counters=Counters())
    assert other.look().trigger is Trigger.CHECKS


def test_open_is_open_for_its_time_whatever_is_found():
    run = opened()
    for _ in range(236):
        assert run.look(GOOD, good=1).phase is Phase.OPEN
    assert run.look(after_s=1.5).phase is Phase.HALF_OPEN
    assert next_check_s(opened().state, CONFIG) is None


def test_half_open_closes_after_three_good_checks_and_no_others():
    run = opened()
    run.look(after_s=61)
    assert [run.look(check).phase for check in (None, GOOD, None, GOOD)] == [Phase.HALF_OPEN] * 4
    assert run.look(GOOD).phase is Phase.CLOSED
    assert (run.sets, run.told) == ([False, True], ["opened", "half-open", "closed"])


def test_half_open_opens_again_at_one_bad_check_and_is_told_once():
    run = opened()
    for _ in range(5):
        assert run.look(after_s=61).phase is Phase.HALF_OPEN
        run.look(GOOD)
        assert run.look(BAD).phase is Phase.OPEN
    assert run.told == ["opened", "half-open"]


def test_gate_that_somebody_opened_is_shut_again():
    run = opened()
    run.gate = replace(run.gate, status="UP", is_held=False)
    run.look()
    assert (run.gate.lets_through, run.gate.is_held) == (False, True)


@pytest.mark.parametrize("verdict", REASONS)
def test_verdict_opens_with_its_reason(verdict):
    run = Run()
    run.look(after_s=1)
    run.find(verdict)
    state = run.look()
    assert (state.phase, state.trigger, state.reason) == (Phase.OPEN, Trigger.VERDICT, REASONS[verdict][0])


@pytest.mark.parametrize("verdict", ["healthy", "degraded", "erroring", "database-blocked", "misconfigured", "unknown", "new-word"])
def test_other_verdicts_leave_it_to_checks_and_traffic(verdict):
    run = Run()
    run.look(after_s=1)
    run.find(verdict)
    assert run.look().phase is Phase.CLOSED


def test_verdict_that_is_old_counts_for_nothing():
    run = Run()
    run.find("down")
    run.state = replace(run.state, since=FakeClock(uptime_s=1.0).moment())
    assert run.look(after_s=80).phase is Phase.CLOSED


def test_verdict_of_before_the_last_closing_does_not_open_again():
    run = Run()
    run.look(after_s=1)
    run.find("down")
    run.look()
    run.look(after_s=61)
    for _ in range(3):
        run.look(GOOD)
    assert [run.look().phase for _ in range(20)] == [Phase.CLOSED] * 20


def test_reason_of_the_probe_replaces_that_of_the_checks():
    run = opened()
    run.find("updating")
    assert run.look().reason == "updating"
    assert run.told == ["opened"]


def test_drained_stays_so_and_is_not_touched():
    run = Run()
    run.gate = replace(run.gate, status="MAINT")
    for _ in range(500):
        assert run.look(GOOD, after_s=1).phase is Phase.OPEN
    assert (run.state.trigger, run.sets) == (Trigger.DRAIN, [])


def test_what_is_let_go_is_checked_first():
    run = Run()
    run.gate = replace(run.gate, status="MAINT")
    run.look()
    run.gate = replace(run.gate, status="DOWN")
    assert run.look().phase is Phase.HALF_OPEN
    assert [run.look(GOOD).phase for _ in range(3)][-1] is Phase.CLOSED


def test_wait_is_what_is_left_and_the_checks():
    run = opened()
    assert find_answer(run.state, CONFIG, run.clock.moment()).wait_s == 63
    run.clock.pass_time(50)
    assert find_answer(run.state, CONFIG, run.clock.moment()).wait_s == 13
    run.look(after_s=20)
    assert find_answer(run.state, CONFIG, run.clock.moment()).wait_s == 3


@pytest.mark.parametrize("limit_s", [1, 60, 3600])
def test_time_of_open_is_configured(limit_s):
    run = opened(open_for=timedelta(seconds=limit_s))
    assert run.look(after_s=limit_s - 0.5).phase is Phase.OPEN
    assert run.look(after_s=0.5).phase is Phase.HALF_OPEN


def test_hang_is_found_within_fifteen_seconds_by_checks_alone():
    # A check that began just before the hang, then three that take their limit.
    config, found = CONFIG, State(has_answered=True)
    taken_s = config.check_interval.total_seconds()
    for failed in range(1, 4):
        taken_s += config.check_limit.total_seconds() + 0.25
        found = replace(found, failed_checks=failed)
        taken_s += next_check_s(found, config) or 0.0 if failed < 3 else 0.0
    assert taken_s < 15


def test_door_that_is_there_before_plex_lets_in_as_soon_as_plex_answers():
    run = Run()
    run.state = State()
    for _ in range(3):
        run.look(BAD)
    assert (run.state.phase, run.told) == (Phase.HALF_OPEN, ["opened"])
    for _ in range(100):
        assert run.look(BAD, after_s=2).phase is Phase.HALF_OPEN
    assert next_check_s(run.state, CONFIG) == CONFIG.check_interval.total_seconds()
    for _ in range(3):
        run.look(GOOD)
    assert (run.state.phase, run.told) == (Phase.CLOSED, ["opened", "closed"])


def test_verdict_of_a_probe_that_looks_seldom_holds_until_it_looks_again():
    run = opened()
    run.probe = replace(ProbeSeen(verdict="updating", checked=run.clock.moment()), interval_s=600.0)
    assert run.look(after_s=100).reason == "updating"


def flap(run: Run, *, times: int) -> None:
    for _ in range(times):
        run.look(bad=5)
        run.look(after_s=61)
        for _ in range(3):
            run.look(GOOD)
        assert run.state.phase is Phase.CLOSED


def test_breaker_that_opens_again_and_again_for_nothing_is_told_once_with_its_end():
    run = Run()
    flap(run, times=2)
    assert "flapping" not in run.told
    flap(run, times=5)
    assert run.told.count("flapping") == 1 and run.told.count("closed") == 7
    run.look(GOOD, after_s=901)
    run.look(GOOD, after_s=901)
    assert run.told[-1] == "steady" and run.told.count("steady") == 1


@pytest.mark.parametrize("apart_s", [901, 86_400])
def test_openings_that_are_far_apart_are_no_flapping(apart_s):
    run = Run()
    for _ in range(6):
        flap(run, times=1)
        run.look(GOOD, after_s=apart_s)
    assert not {"flapping", "steady"} & set(run.told)


def test_plex_that_is_really_away_does_not_flap():
    run = Run()
    for _ in range(6):
        run.look(bad=5)
        run.look(after_s=61)
        run.look(BAD)
        run.look(after_s=61)
        for _ in range(3):
            run.look(GOOD)
    assert "flapping" not in run.told


def test_opening_at_the_end_of_flapping_is_told_too():
    run = Run()
    flap(run, times=3)
    run.look(bad=5, after_s=901)
    assert run.told[-2:] == ["steady", "opened"]
