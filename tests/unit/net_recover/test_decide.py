"""From verdict to verdict what is told and what is known."""

import pytest

from plexguard.core.records import decode, encode
from plexguard.net_recover.decide import State
from plexguard.net_recover.ladder import Problem
from plexguard.net_recover.states import Verdict
from plexguard.net_recover.steps import Step
from tests.fakes.ports import FakeClock
from tests.unit.net_recover.samples import LOST, NO_DNS, NOWHERE, OFF, ONLINE, UPSTREAM, Course


def test_a_network_that_is_well_leaves_no_line_and_is_remembered() -> None:
    course = Course()

    course.pass_minutes(60, ONLINE)

    assert course.told == []
    assert (course.state.interface, course.state.verdict) == ("eth0", Verdict.ONLINE)
    assert course.state.last_online == course.clock.moment()


def test_a_loss_is_told_once_and_its_end_with_the_downtime() -> None:
    course = Course()
    course.pass_minutes(10, UPSTREAM)

    plan = course.decide(ONLINE)

    assert course.told == ["net.lost", "net.left-alone", "net.recovered"]
    assert course.values(plan, "net.recovered")["downtime_s"] == 540.0
    assert course.values(plan, "net.recovered")["helped"] == "by itself"
    assert course.state.problem is None


@pytest.mark.parametrize("step", [Step.SOFT, Step.HARD, Step.RESTART])
def test_the_step_after_which_the_network_is_back_helped(step: Step) -> None:
    course = Course()
    course.check(LOST, until=step)

    plan = course.decide(ONLINE)

    assert [tell.event.name for tell in plan.tells] == ["net.step-done", "net.recovered"]
    assert course.values(plan, "net.recovered")["helped"] == step.value


def test_a_dns_flush_that_helped_is_named() -> None:
    course = Course()
    course.check(NO_DNS, until=Step.DNS_FLUSH)

    assert course.values(course.decide(ONLINE), "net.recovered")["helped"] == "DNS flush"


def test_a_reboot_that_helped_is_named() -> None:
    course = Course()
    course.check(LOST)
    course.clock.reboot()

    assert course.values(course.decide(ONLINE, rebooted=True), "net.recovered")["helped"] == "reboot"


def test_a_network_that_comes_and_goes_every_minute_is_told_once() -> None:
    course = Course()
    for _ in range(200):
        course.pass_minutes(1, UPSTREAM)
        course.pass_minutes(1, ONLINE)

    assert course.told == ["net.lost", "net.left-alone", "net.recovered"]


def test_a_loss_that_stays_after_coming_and_going_is_told_and_so_is_its_end() -> None:
    course = Course()
    for _ in range(5):
        course.pass_minutes(1, UPSTREAM)
        course.pass_minutes(1, ONLINE)
    course.pass_minutes(30, UPSTREAM)
    course.pass_minutes(1, ONLINE)

    assert course.told == ["net.lost", "net.left-alone", "net.recovered"] * 2


def test_another_kind_of_loss_soon_after_one_is_told() -> None:
    course = Course()
    course.pass_minutes(1, UPSTREAM)
    course.pass_minutes(1, ONLINE)
    course.pass_minutes(1, OFF)
    course.pass_minutes(1, ONLINE)

    assert course.told == ["net.lost", "net.left-alone", "net.recovered"] * 2


def test_a_loss_long_after_one_is_another() -> None:
    course = Course()
    course.pass_minutes(1, UPSTREAM)
    course.pass_minutes(11, ONLINE)
    course.pass_minutes(1, UPSTREAM)

    assert course.told == ["net.lost", "net.left-alone", "net.recovered", "net.lost", "net.left-alone"]


def test_what_cannot_be_told_is_neither_lost_nor_back() -> None:
    course = Course()
    course.pass_minutes(3, NOWHERE)
    assert course.told == ["net.unknown"]

    course.check(UPSTREAM)
    course.pass_minutes(3, NOWHERE)

    assert course.told == ["net.unknown", "net.known", "net.lost", "net.left-alone", "net.unknown"]
    assert course.state.problem is not None


def test_that_it_can_be_told_again_is_told_once() -> None:
    course = Course()
    course.pass_minutes(2, NOWHERE)

    course.pass_minutes(2, ONLINE)

    assert course.told == ["net.unknown", "net.known"]


def test_the_state_survives_its_file() -> None:
    moment = FakeClock().moment()
    problem = Problem(verdict=Verdict.NO_DNS, began=moment, told=(Verdict.NO_DNS,), round=1, todo=(Step.SOFT,), step=Step.DNS_FLUSH)
    state = State(problem=problem, rounds=(moment,), last_online=moment, interface="eth0")

    assert decode(State, encode(state)) == state
