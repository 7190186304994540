"""From verdict to verdict the steps, rounds and reboots that fit, and when there are none."""

import dataclasses
from datetime import timedelta

import pytest

from plexguard.net_recover.config import Config
from plexguard.net_recover.holders import Held, Holder
from plexguard.net_recover.links import Addresses
from plexguard.net_recover.observe import Observation, Watching
from plexguard.net_recover.states import Verdict
from plexguard.net_recover.steps import Step
from tests.unit.net_recover.samples import CONFIG, LOST, NO_DNS, NO_LINK, OFF, ONLINE, UPSTREAM, Course

# -- rounds -----------------------------------------------------------------------------------------------------------


def test_a_round_takes_its_steps_in_order_and_tells_each() -> None:
    course = Course()

    course.check(LOST)

    assert course.steps == [Step.SOFT, Step.HARD, Step.RESTART]
    assert course.told == ["net.lost", *["net.step", "net.step-failed"] * 3, "net.round"]


def test_the_end_of_a_round_says_when_the_next_begins() -> None:
    course = Course()
    said = []
    for _ in range(30):
        plan = course.decide(LOST)
        while plan.step is not None:
            plan = course.decide(LOST)
        said += [tell.values["next"] for tell in plan.tells if tell.event.name == "net.round"]
        course.clock.pass_time(60.0)

    assert said == ["the next begins in 5min", "the next begins in 10min", "there is no further one"]


def test_for_names_the_cache_is_flushed_first() -> None:
    course = Course()

    course.check(NO_DNS)

    assert course.steps == [Step.DNS_FLUSH, Step.SOFT]


def test_between_rounds_there_is_a_pause_that_grows() -> None:
    course = Course()
    course.check(LOST)
    begun = []
    for minute in range(1, 31):
        before = len(course.steps)
        course.pass_minutes(1, LOST)
        begun += [minute] if len(course.steps) > before else []

    assert begun == [5, 15]


def test_after_three_rounds_it_gives_up_once_and_goes_on_checking() -> None:
    course = Course()
    course.check(LOST)

    course.pass_minutes(600, LOST)

    assert len(course.steps) == 9
    assert course.told.count("net.round") == 3
    assert course.told.count("net.gave-up") == 1
    assert course.asked == 0
    assert course.state.checked == course.clock.moment()


def test_a_program_that_ends_in_the_middle_of_a_step_goes_on_with_the_next_and_repeats_none() -> None:
    for step in (Step.SOFT, Step.HARD, Step.RESTART):
        course = Course()
        course.check(LOST, until=step)

        course.pass_minutes(1, LOST)

        assert course.steps == [Step.SOFT, Step.HARD, Step.RESTART]


def test_a_program_that_ends_at_every_step_still_gives_up() -> None:
    course = Course()
    for _ in range(200):
        course.clock.pass_time(60.0)
        course.decide(LOST)

    assert course.told.count("net.step") == 9
    assert course.told.count("net.gave-up") == 1


def test_a_network_that_comes_and_goes_gets_three_rounds_an_hour() -> None:
    course = Course()
    for _ in range(60):
        course.pass_minutes(1, LOST)
        course.decide(ONLINE)

    assert course.told.count("net.put-off") >= 1
    assert course.steps.count(Step.SOFT) <= 4  # the first of the second hour among them


def test_a_fault_that_changes_its_kind_between_way_and_names_has_steps_of_its_own_within_the_hour() -> None:
    course = Course(dataclasses.replace(CONFIG, max_rounds=1))
    course.check(NO_DNS)
    course.pass_minutes(61, NO_DNS)
    assert course.told.count("net.gave-up") == 1

    course.check(LOST)

    assert course.steps[-3:] == [Step.SOFT, Step.HARD, Step.RESTART]
    assert course.state.problem is not None
    assert course.state.problem.told == (Verdict.NO_DNS, Verdict.NO_GATEWAY)


def test_a_kind_is_told_once_in_an_outage() -> None:
    course = Course()
    for _ in range(20):
        course.pass_minutes(1, UPSTREAM)
        course.pass_minutes(1, NO_LINK)

    assert course.told.count("net.lost") == 2
    assert course.told.count("net.left-alone") == 1


def test_rounds_of_an_earlier_boot_are_forgotten_by_a_machine_whose_clock_went_back() -> None:
    course = Course(dataclasses.replace(CONFIG, max_rounds=1))
    course.check(LOST)
    course.decide(ONLINE)
    course.clock.reboot(down_s=-400 * 86_400.0)

    course.pass_minutes(30, LOST)
    assert len(course.steps) == 3
    course.pass_minutes(40, LOST)

    assert len(course.steps) == 6


def test_a_leased_address_is_kept_until_the_last_round_while_the_gateway_is_silent() -> None:
    course = Course()
    seen = dataclasses.replace(LOST, addresses=Addresses(found=("192.0.2.2",), is_leased=True))

    course.check(seen)
    course.pass_minutes(60, seen)

    assert course.steps == [Step.SOFT, Step.RESTART] * 2 + [Step.SOFT, Step.HARD, Step.RESTART]
    assert course.told.count("net.gave-up") == 1


def test_a_leased_address_is_kept_for_good_where_somebody_else_is_known_on_the_link_or_there_is_one_round() -> None:
    seen = dataclasses.replace(LOST, addresses=Addresses(found=("192.0.2.2",), is_leased=True))
    for config, known in ((CONFIG, True), (dataclasses.replace(CONFIG, max_rounds=1), False)):
        course = Course(config)
        course.check(dataclasses.replace(seen, others_known=known))
        course.pass_minutes(60, dataclasses.replace(seen, others_known=known))

        assert Step.HARD not in course.steps
        assert course.told.count("net.gave-up") == 1


def test_a_loss_that_is_young_gets_no_step() -> None:
    course = Course(Config())

    course.check(LOST)
    assert (course.steps, course.told) == ([], ["net.lost"])
    course.pass_minutes(1, LOST)

    assert course.steps == [Step.SOFT, Step.HARD, Step.RESTART]


def test_a_fault_of_another_kind_after_the_rounds_has_rounds_of_its_own_once() -> None:
    course = Course()
    course.pass_minutes(300, NO_LINK)
    assert len(course.steps) == 9

    course.pass_minutes(300, dataclasses.replace(LOST, addresses=Addresses()))
    assert len(course.steps) == 18
    for _ in range(20):
        course.pass_minutes(20, NO_LINK)
        course.pass_minutes(20, dataclasses.replace(LOST, addresses=Addresses()))

    assert len(course.steps) == 18


def test_after_a_boot_the_rounds_begin_anew() -> None:
    course = Course()
    course.pass_minutes(300, LOST)
    course.clock.reboot()

    course.pass_minutes(300, LOST)

    assert len(course.steps) == 18


def test_a_service_that_has_other_interfaces_is_not_restarted_while_somebody_watches_over_one() -> None:
    course = Course()

    course.check(dataclasses.replace(NO_LINK, watching=Watching.SOMEBODY))

    assert course.steps == [Step.SOFT, Step.HARD]


@pytest.mark.parametrize("watching", [Watching.SOMEBODY, Watching.UNKNOWN])
def test_over_an_interface_without_an_address_nobody_can_watch(watching: Watching) -> None:
    course = Course()

    course.check(dataclasses.replace(LOST, addresses=Addresses(), watching=watching))

    assert course.steps == [Step.SOFT, Step.HARD]


def test_what_cannot_be_told_of_addresses_is_treated_as_what_could_be_lost() -> None:
    course = Course()

    course.check(dataclasses.replace(LOST, addresses=None))

    assert Step.HARD not in course.steps


def test_ifupdown_is_not_asked_to_take_down_what_may_have_an_address() -> None:
    course = Course()

    course.check(dataclasses.replace(LOST, held=Held(by=Holder.IFUPDOWN), addresses=None))

    assert (course.steps, course.told) == ([], ["net.lost", "net.left-alone"])


def test_an_interface_that_never_came_up_in_this_boot_was_switched_off_by_nobody() -> None:
    course = Course()
    course.clock.reboot()

    course.check(OFF)

    assert course.steps == [Step.SOFT, Step.HARD, Step.RESTART]


def test_a_network_seen_over_no_interface_that_could_be_mended_is_left_alone() -> None:
    course = Course(online_before=False)
    course.decide(dataclasses.replace(ONLINE, interface=""))

    course.check(LOST)

    assert (course.steps, course.told) == ([], ["net.lost", "net.left-alone"])


# -- left alone -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (UPSTREAM, "beyond the gateway"),
        (OFF, "switches an interface off"),
        (dataclasses.replace(LOST, others_answer=True), "the gateway is away"),
        (dataclasses.replace(LOST, held=Held(by=Holder.NOBODY)), "nobody here holds"),
    ],
    ids=["upstream", "switched off", "others answer", "unmanaged"],
)
def test_what_no_step_can_or_should_mend_is_left_alone_and_that_is_told_once(seen: Observation, words: str) -> None:
    course = Course(dataclasses.replace(CONFIG, reboot=True))

    plan = course.decide(seen)
    course.pass_minutes(600, seen)

    assert words in str(course.values(plan, "net.left-alone")["reason"])
    assert (course.steps, course.asked) == ([], 0)
    assert course.told == ["net.lost", "net.left-alone"]


def test_a_network_that_was_never_seen_working_is_left_alone() -> None:
    course = Course(online_before=False)

    plan = course.decide(LOST)

    assert "never been seen" in str(course.values(plan, "net.left-alone")["reason"])
    assert plan.step is None


def test_names_are_flushed_where_nobody_holds_the_interface() -> None:
    course = Course()

    course.check(dataclasses.replace(NO_DNS, held=Held(by=Holder.NOBODY)))

    assert course.steps == [Step.DNS_FLUSH]


def test_without_rounds_it_only_reports() -> None:
    course = Course(dataclasses.replace(CONFIG, max_rounds=0, reboot=True))

    course.pass_minutes(60, LOST)

    assert (course.steps, course.asked) == ([], 0)
    assert course.told == ["net.lost", "net.left-alone"]


def test_an_interface_switched_off_after_our_hard_reset_was_seen_up_is_left_alone() -> None:
    course = Course()
    course.check(LOST, until=Step.HARD)
    assert course.decide(OFF).step is Step.RESTART  # it may be ours

    course.check(LOST)
    course.pass_minutes(1, OFF)

    assert course.told[-2:] == ["net.lost", "net.left-alone"]


# -- who watches ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("watching", [Watching.SOMEBODY, Watching.UNKNOWN])
def test_an_interface_with_a_carrier_is_not_touched_while_somebody_may_watch(watching: Watching) -> None:
    course = Course(dataclasses.replace(CONFIG, reboot=True))
    seen = dataclasses.replace(LOST, watching=watching)

    course.pass_minutes(600, seen)
    assert (course.steps, course.asked) == ([], 0)
    assert course.told == ["net.lost", "net.put-off"]

    # and when the film is over it begins
    course.check(LOST)
    assert course.steps == [Step.SOFT, Step.HARD, Step.RESTART]


def test_a_cache_is_flushed_whoever_watches_and_the_rest_of_the_round_waits() -> None:
    course = Course()

    course.check(dataclasses.replace(NO_DNS, watching=Watching.SOMEBODY))
    assert course.steps == [Step.DNS_FLUSH]
    course.check(NO_DNS)

    assert course.steps == [Step.DNS_FLUSH, Step.SOFT]
    assert course.told.count("net.put-off") == 1


def test_who_begins_to_watch_in_the_middle_of_a_round_stops_it() -> None:
    course = Course()
    course.check(LOST, until=Step.SOFT)

    course.pass_minutes(5, dataclasses.replace(LOST, watching=Watching.SOMEBODY))
    assert course.steps == [Step.SOFT]
    course.check(LOST)

    assert course.steps == [Step.SOFT, Step.HARD, Step.RESTART]


# -- the reboot -------------------------------------------------------------------------------------------------------


def give_up(config: Config) -> Course:
    course = Course(config)
    course.check(LOST)
    course.pass_minutes(20, LOST)
    return course


def test_a_reboot_is_asked_for_when_all_rounds_are_over_and_again_every_five_minutes_and_told_once() -> None:
    course = give_up(dataclasses.replace(CONFIG, reboot=True))
    assert course.told.count("net.gave-up") == 1
    before = course.asked

    course.pass_minutes(60, LOST)

    assert course.asked == before + 12
    assert course.told.count("reboot.asked") == 1


def test_no_reboot_is_asked_for_before_or_where_it_is_off() -> None:
    assert give_up(CONFIG).asked == 0
    course = Course(dataclasses.replace(CONFIG, reboot=True))
    course.check(LOST)
    course.pass_minutes(4, LOST)
    assert course.asked == 0


@pytest.mark.parametrize("seen", [UPSTREAM, NO_DNS, OFF], ids=["upstream", "names", "off"])
def test_no_reboot_is_asked_for_what_it_does_not_mend(seen: Observation) -> None:
    course = give_up(dataclasses.replace(CONFIG, reboot=True))
    before = course.asked

    course.pass_minutes(120, seen)

    assert course.asked == before


def test_a_clock_that_went_backwards_in_a_reboot_does_not_stop_the_asking() -> None:
    course = give_up(dataclasses.replace(CONFIG, reboot=True))
    before = course.asked
    course.clock.reboot(down_s=-400 * 86_400.0)

    course.pass_minutes(120, LOST)

    assert course.asked > before


def test_the_pause_is_the_configured_one() -> None:
    course = Course(dataclasses.replace(CONFIG, round_pause=timedelta(minutes=1)))
    course.check(LOST)

    course.pass_minutes(3, LOST)

    assert course.told.count("net.gave-up") == 1
