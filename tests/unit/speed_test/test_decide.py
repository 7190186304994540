"""When a test is due, what puts it off, and what its result means."""

import os
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from plexguard.core.published import SpeedDay
from plexguard.speed_test import events
from plexguard.speed_test.config import Config
from plexguard.speed_test.decide import (
    Due,
    Failed,
    Missing,
    Outcome,
    Plan,
    State,
    Usual,
    decide,
    find_due,
    find_night,
    find_slow,
    find_usual,
    settle,
)
from plexguard.speed_test.observe import Observation, Starter
from plexguard.speed_test.result import Record
from tests.fakes.ports import FakeClock
from tests.unit.speed_test.samples import FREE, NEW_YORK, VIEWER, at, failure, record, result

CONFIG = Config()
NIGHT = "2026-03-01"
FULL = State(days={NIGHT: SpeedDay(attempts=4)})
DONE = State(days={NIGHT: SpeedDay(attempts=1, tested=True)})
TWO = at(NIGHT, "02:00")
EVENING = at(NIGHT, "20:00")
BY_TIMER, BY_UNIT, BY_PERSON = (Due(day=NIGHT, starter=starter) for starter in Starter)


def plan_at(
    now: datetime, past: State | None = None, *, seen: Observation = FREE, by_timer: bool = True, config: Config = CONFIG
) -> Plan:
    past = past or State()
    starter = Starter.TIMER if by_timer else Starter.UNIT
    due = find_due(config, ZoneInfo(config.time_zone), past, now, starter)
    return decide(due, seen if due.is_open else None, config, past)


def reason(plan: Plan) -> str:
    (step,) = plan.steps
    assert step.event is events.PUT_OFF
    return str(step.values["reason"])


# -- nights -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "night"),
    [
        (at("2026-03-01", "01:59:59"), None),
        (at("2026-03-01", "02:00"), date(2026, 3, 1)),
        (at("2026-03-01", "05:30"), date(2026, 3, 1)),
        (at("2026-03-01", "05:30:01"), None),
        (at("2026-03-01", "20:00"), None),
        # New York has no 02:00 on 8 March: it is 03:00 at once.
        (at("2026-03-08", "01:59:59"), None),
        (at("2026-03-08", "03:00"), date(2026, 3, 8)),
        (at("2026-03-08", "05:30"), date(2026, 3, 8)),
    ],
)
def test_the_night_begins_at_two_and_ends_half_an_hour_after_the_last_try(now: datetime, night: date | None) -> None:
    assert find_night(CONFIG, NEW_YORK, now) == night


def test_of_an_hour_that_comes_twice_the_first_begins_the_night() -> None:
    config = Config(at=time(1, 0))

    assert find_night(config, NEW_YORK, at("2026-11-01", "00:59:59")) is None
    for fold in (0, 1):
        assert find_night(config, NEW_YORK, at("2026-11-01", "01:00", fold=fold)) == date(2026, 11, 1)
    assert find_night(config, NEW_YORK, at("2026-11-01", "04:00")) == date(2026, 11, 1)


def test_a_night_that_begins_before_midnight_belongs_to_the_day_it_began_on() -> None:
    config = Config(at=time(23, 0))

    nights = [find_night(config, NEW_YORK, at("2026-03-02", clock)) for clock in ("00:00", "02:30", "02:31", "23:00")]

    assert nights == [date(2026, 3, 1), date(2026, 3, 1), None, date(2026, 3, 2)]


def test_the_night_is_that_of_the_zone_and_not_of_the_machine() -> None:
    berlin = Config(time_zone="Europe/Berlin")

    assert plan_at(at(NIGHT, "02:00", ZoneInfo("Europe/Berlin")), config=berlin).attempt == 1
    assert plan_at(TWO, config=berlin).attempt == 0


# -- whether a test is made -------------------------------------------------------------------------------------------


def test_at_night_a_test_is_made_and_counted_first() -> None:
    plan = plan_at(TWO)

    assert (plan.attempt, plan.steps, plan.code) == (1, (), 0)
    assert plan.state.days == {NIGHT: SpeedDay(attempts=1)}


def test_after_a_failure_the_next_hour_makes_the_next_attempt() -> None:
    past, attempts = State(), []
    for hour in range(4):
        plan = plan_at(TWO + timedelta(hours=hour), past)
        attempts.append(plan.attempt)
        past = settle(Failed(reason="x", code=69), plan.state, (), CONFIG, FakeClock().moment(), due=BY_TIMER).state

    assert attempts == [1, 2, 3, 4]
    assert past.days == {NIGHT: SpeedDay(attempts=4)}


@pytest.mark.parametrize("past", [FULL, DONE], ids=["attempts spent", "tested"])
def test_the_timer_does_nothing_and_says_nothing_when_the_day_is_done(past: State) -> None:
    plan = plan_at(TWO + timedelta(hours=1), past)

    assert plan == Plan(state=past)


def test_the_next_day_begins_anew() -> None:
    assert plan_at(TWO + timedelta(days=1), FULL).attempt == 1


def test_attempts_are_counted_by_day_attempted_whatever_became_of_them() -> None:
    """The seeds counted successes, and made twelve tests in one hour."""
    past = State()
    for _ in range(12):
        past = plan_at(TWO, past).state

    assert past.day(NIGHT).attempts == 4


def test_a_lower_limit_holds() -> None:
    config = Config(max_attempts_per_day=1)
    past = plan_at(TWO, config=config).state

    assert plan_at(TWO + timedelta(hours=1), past, config=config).attempt == 0


def test_a_night_that_was_missed_is_not_made_up_in_the_evening() -> None:
    plan = plan_at(EVENING)

    assert (plan.attempt, plan.code) == (0, os.EX_TEMPFAIL)
    assert reason(plan) == "it is 20:00 in America/New_York, and a test that was missed at night is not made up by day"


def test_by_hand_a_test_is_made_at_any_time_and_counted() -> None:
    plan = plan_at(EVENING, DONE, by_timer=False)

    assert (plan.attempt, plan.state.day(NIGHT).attempts) == (2, 2)


def test_a_test_by_hand_is_the_test_of_its_day() -> None:
    by_hand = plan_at(at(NIGHT, "00:30"), by_timer=False)
    tested = settle(result(), by_hand.state, (), CONFIG, FakeClock().moment(), due=BY_PERSON).state

    assert plan_at(TWO, tested) == Plan(state=tested)


def test_by_hand_too_the_attempts_of_the_day_are_all_there_are() -> None:
    plan = plan_at(EVENING, FULL, by_timer=False)

    assert (plan.attempt, plan.code) == (0, os.EX_TEMPFAIL)
    assert reason(plan) == "4 of 4 attempts were made on 2026-03-01 (America/New_York)"


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (Observation(command="x", update="dpkg (pid 5) holds /var/lib/dpkg/lock"), "an update is at work: dpkg (pid 5) holds"),
        (Observation(command="x", viewers=(VIEWER,)), "somebody watches"),
        (Observation(command="x", viewers=(VIEWER, VIEWER)), "2 players are in use"),
        (Observation(command="x", viewers=None, unknown="no answer"), "whether somebody watches cannot be told: no answer"),
        (Observation(command="x", no_network="1.1.1.1:443: no route"), "there is no network: 1.1.1.1:443: no route"),
    ],
    ids=["update", "viewer", "viewers", "unknown", "no network"],
)
@pytest.mark.parametrize("by_timer", [True, False], ids=["by timer", "by hand"])
def test_a_test_is_put_off_and_that_is_no_attempt(seen: Observation, why: str, by_timer: bool) -> None:
    plan = plan_at(TWO, seen=seen, by_timer=by_timer)

    assert (plan.attempt, plan.code, plan.state.days) == (0, os.EX_TEMPFAIL, {})
    assert reason(plan).startswith(why)


def test_the_same_reason_is_told_once_a_day_and_another_one_at_once() -> None:
    busy, offline = Observation(command="x", viewers=(VIEWER,)), Observation(command="x", no_network="gone")
    told, past = [], State()
    for hour, seen in enumerate((busy, busy, offline, offline, busy)):
        plan = plan_at(TWO + timedelta(hours=hour) if hour < 4 else TWO + timedelta(days=1), past, seen=seen)
        told.append(len(plan.steps))
        past = plan.state

    assert told == [1, 0, 1, 0, 1]


def test_who_asks_by_hand_is_told_every_time() -> None:
    busy = Observation(command="x", viewers=(VIEWER,))
    past = plan_at(TWO, seen=busy).state

    assert len(plan_at(TWO, past, seen=busy, by_timer=False).steps) == 1


def test_a_missing_command_is_told_once_until_it_changes() -> None:
    gone = Observation(command="")
    first = plan_at(TWO, seen=gone)
    second = plan_at(TWO + timedelta(days=1), first.state, seen=gone)
    other = plan_at(TWO + timedelta(days=2), second.state, seen=gone, config=Config(command=("speedtest",)))

    assert [len(plan.steps) for plan in (first, second, other)] == [1, 0, 1]
    assert {plan.code for plan in (first, second, other)} == {os.EX_UNAVAILABLE}
    assert first.steps[0].values == {"command": "speedtest-cli", "reason": "there is no such command"}
    assert first.state.days == {}


@pytest.mark.parametrize("outcome", [result(), Failed(reason="x", code=69)], ids=["a result", "a failure"])
def test_a_command_that_was_back_and_is_missing_again_is_told_again(outcome: Outcome) -> None:
    gone = Observation(command="")
    first = plan_at(TWO, seen=gone)
    back = settled(outcome, past=plan_at(TWO, first.state).state)

    assert len(plan_at(TWO + timedelta(days=1), back.state, seen=gone).steps) == 1


def test_a_missing_command_is_told_to_who_asks_by_hand_every_time() -> None:
    gone = Observation(command="")
    past = plan_at(TWO, seen=gone).state

    assert len(plan_at(EVENING, past, seen=gone, by_timer=False).steps) == 1


def test_days_are_kept_for_two_weeks_and_today_always() -> None:
    old = State(days={f"2099-01-{day:02}": SpeedDay(attempts=1) for day in range(1, 21)})

    days = plan_at(TWO, old).state.days

    assert len(days) == 15
    assert days[NIGHT] == SpeedDay(attempts=1)
    assert "2099-01-20" in days


# -- what came of it --------------------------------------------------------------------------------------------------


def settled(
    outcome: Outcome, history: tuple[Record, ...] = (), past: State | None = None, *, config: Config = CONFIG, due: Due = BY_TIMER
) -> Plan:
    counted = past or State(days={NIGHT: SpeedDay(attempts=1)})
    return settle(outcome, counted, history, config, FakeClock().moment(), due=due)


def told(plan: Plan) -> list[str]:
    for step in plan.steps:
        step.event.render(step.values)
        step.event.journal_fields(step.values)
    return [step.event.name for step in plan.steps]


USUAL = (record(),) * 5


def test_a_result_ends_the_day_and_is_told_with_its_figures() -> None:
    plan = settled(result(93.4e6, 20e6))

    assert plan.state.days == {NIGHT: SpeedDay(attempts=1, tested=True)}
    assert (plan.code, told(plan)) == (0, ["speed.result"])
    assert plan.steps[0].values == {"download_mbit_s": 93.4, "upload_mbit_s": 20.0, "ping_ms": 10.0, "server": "Example (Here)"}


def test_a_person_reads_the_result_where_it_is_printed() -> None:
    assert told(settled(result(), due=BY_PERSON)) == []
    assert told(settled(result(), due=BY_UNIT)) == ["speed.result"]
    assert told(settled(result(10e6), USUAL, due=BY_PERSON)) == ["speed.slow"]


def test_a_failure_is_told_with_its_reason_and_its_number() -> None:
    plan = settled(Failed(reason="exit code 1", code=76), past=State(days={NIGHT: SpeedDay(attempts=3)}))

    assert (plan.code, told(plan)) == (76, ["speed.failed"])
    assert plan.steps[0].values == {"reason": "exit code 1", "attempt": 3, "limit": 4, "day": NIGHT}
    assert not plan.state.day(NIGHT).tested


def test_a_command_that_is_there_and_cannot_be_run_is_told_once_too() -> None:
    missing = Missing(reason="Failed to run speedtest-cli: Permission denied")
    first = settled(missing)
    second = settled(missing, past=plan_at(TWO + timedelta(days=1), first.state).state)

    assert (first.code, told(first), second.code, told(second)) == (
        os.EX_UNAVAILABLE,
        ["speed.no-command"],
        os.EX_UNAVAILABLE,
        [],
    )
    assert told(settled(missing, past=second.state, due=BY_UNIT)) == ["speed.no-command"]


@pytest.mark.parametrize(
    ("download", "upload", "slow"),
    [(50e6, 10e6, ()), (49.9e6, 10e6, ("download",)), (50e6, 9.9e6, ("upload",)), (1e6, 0.0, ("download", "upload"))],
)
def test_slow_is_what_falls_under_half_of_the_usual(download: float, upload: float, slow: tuple[str, ...]) -> None:
    usual = Usual(download_bit_per_s=100e6, upload_bit_per_s=20e6)

    assert find_slow(result(download, upload), usual, 50) == slow


def test_the_usual_is_the_median_of_the_last_fourteen_results_and_failures_are_none() -> None:
    old, new = [record(10e6, 1e6)] * 10, [record(speed * 1e6, 2e6) for speed in range(1, 15)]

    assert find_usual([*old, *new]) == Usual(download_bit_per_s=7.5e6, upload_bit_per_s=2e6)
    assert find_usual([*new, *[failure()] * 20]) == Usual(download_bit_per_s=7.5e6, upload_bit_per_s=2e6)


def test_before_the_third_result_nothing_is_usual() -> None:
    assert find_usual([record(), failure(), record()]) is None
    assert find_usual([record()] * 3) is not None
    assert told(settled(result(1.0), (record(),) * 2)) == ["speed.result"]


def test_a_slow_line_is_told_once_and_its_end_once() -> None:
    speeds, history, past = [100e6, 10e6, 10e6, 45e6, 100e6, 100e6], USUAL, State()
    names, codes = [], []
    for speed in speeds:
        plan = settled(result(speed), history, past)
        names.append(told(plan)[1:])
        codes.append(plan.code)
        history, past = (*history, record(speed)), plan.state

    assert names == [[], ["speed.slow"], [], [], ["speed.recovered"], []]
    assert codes == [0, 1, 1, 1, 0, 0]


def test_an_upload_that_becomes_slow_too_is_told() -> None:
    first = settled(result(10e6, 20e6), USUAL)
    second = settled(result(10e6, 1e6), USUAL, first.state)
    third = settled(result(100e6, 1e6), USUAL, second.state)

    assert [told(plan)[1:] for plan in (first, second, third)] == [["speed.slow"], ["speed.slow"], []]
    assert second.steps[1].values["slow"] == "download and upload"
    assert (third.state.slow, third.code) == (("upload",), 1)


def test_the_recovery_tells_how_long_it_was_slow() -> None:
    clock = FakeClock()
    slow = settle(result(1e6), State(), USUAL, CONFIG, clock.moment(), due=BY_TIMER)
    clock.pass_time(36 * 3600)
    still = settle(result(2e6), slow.state, USUAL, CONFIG, clock.moment(), due=BY_TIMER)
    clock.pass_time(12 * 3600)
    back = settle(result(), still.state, USUAL, CONFIG, clock.moment(), due=BY_TIMER)

    assert back.steps[1].values["slow_h"] == 48.0
    assert (back.state.slow, back.state.slow_since) == ((), None)


def test_a_history_that_was_deleted_ends_what_was_slow_without_a_word() -> None:
    slow = settled(result(1e6), USUAL)

    after = settled(result(1e6), (), slow.state)

    assert (told(after), after.state.slow, after.code) == (["speed.result"], (), 0)


def test_nothing_is_slow_when_nobody_wants_to_know() -> None:
    assert told(settled(result(1.0, 0.0), USUAL, config=Config(slow_percent=0))) == ["speed.result"]
