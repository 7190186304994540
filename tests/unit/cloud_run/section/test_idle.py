"""When a step is over, stalled or too long, with signals that fail, lie still and come back."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.cloud_run.section.idle import Look, Outcome, Rules, Watch, begin, take

RULES = Rules(grace_s=60.0, needed=3, idle_percent=20.0, stall_s=900.0, limit_s=7200.0)
IDLE = Look(at_s=0.0, activities=0, processes=0, count=100, cpu_percent=1.0, ended=True)
EVERY_S = 30.0


def follow(*looks: Look, rules: Rules = RULES) -> Watch:
    """Take looks, half a minute apart, and stop at the first that is an end."""
    watch = begin(0.0, 100)
    for number, look in enumerate(looks, 1):
        watch = take(watch, replace(look, at_s=number * EVERY_S), rules)
        if watch.outcome is not Outcome.GOING:
            break
    return watch


def test_step_is_done_when_all_is_idle_several_times_in_a_row() -> None:
    assert follow(IDLE, IDLE).outcome is Outcome.GOING
    assert follow(IDLE, IDLE, IDLE).outcome is Outcome.DONE


def test_nothing_is_done_before_it_can_have_begun() -> None:
    assert follow(*[IDLE] * 3, rules=replace(RULES, grace_s=91.0)).outcome is Outcome.GOING
    assert follow(*[IDLE] * 4, rules=replace(RULES, grace_s=91.0)).outcome is Outcome.DONE


TELLING = replace(RULES, tells_end=True)


def test_step_that_has_found_nothing_and_whose_end_plex_tells_needs_no_grace() -> None:
    later = replace(TELLING, grace_s=1e6)
    assert follow(IDLE, IDLE, rules=later).outcome is Outcome.GOING
    assert follow(IDLE, IDLE, IDLE, rules=later).outcome is Outcome.DONE
    # What was found is worked on after that.
    found = replace(IDLE, count=101)
    assert follow(*[found] * 9, rules=later).outcome is Outcome.GOING
    assert follow(replace(IDLE, ended=False), *[replace(IDLE, ended=None)] * 9, rules=later).outcome is Outcome.GOING


def test_step_of_which_nothing_is_left_and_no_end_is_told_has_vanished_after_two_minutes() -> None:
    gone = replace(IDLE, ended=False)
    assert follow(*[gone] * 4, rules=TELLING).outcome is Outcome.GOING
    assert follow(*[gone] * 5, rules=TELLING).outcome is Outcome.VANISHED
    # Of one whose end nobody tells that cannot be said; and what cannot be told for a moment begins it anew.
    assert follow(*[gone] * 5).outcome is Outcome.GOING
    assert follow(*[gone] * 4, replace(gone, activities=None), *[gone] * 4, rules=TELLING).outcome is Outcome.GOING
    assert follow(*[gone] * 4, replace(gone, cpu_percent=90.0), *[gone] * 4, rules=TELLING).outcome is Outcome.GOING


@pytest.mark.parametrize(
    "busy",
    [{"activities": 1}, {"processes": 1}, {"count": 101}, {"cpu_percent": 20.0}, {"ended": False}],
    ids=lambda busy: next(iter(busy)),
)
def test_any_signal_that_shows_work_begins_the_count_anew(busy: dict[str, float]) -> None:
    working = replace(IDLE, **busy)
    still = replace(IDLE, count=working.count)
    assert follow(IDLE, IDLE, working, still, still).outcome is Outcome.GOING
    assert follow(IDLE, IDLE, working, still, still, still).outcome is Outcome.DONE


# Of the API, the database and the processor, each way in which some of them fail: with all that there is of the others idle.
FAILING = [
    dict(itertools.chain(*(part.items() for part in parts)))
    for number in range(1, 4)
    for parts in itertools.combinations(
        ({"activities": None, "ended": None}, {"count": None}, {"cpu_percent": None, "processes": None}), number
    )
]


@pytest.mark.parametrize("failing", FAILING, ids=lambda failing: " and ".join(failing))
def test_what_cannot_be_told_is_never_done(failing: dict[str, None]) -> None:
    blind = replace(IDLE, **failing)
    watch = follow(*[blind] * 300)
    assert watch.outcome in (Outcome.OVER, Outcome.STALLED)
    # Where the database tells nothing, nobody knows that it stands still.
    assert watch.outcome is Outcome.OVER or "count" not in failing
    # Nor is it once it comes and goes.
    assert follow(*[IDLE, IDLE, blind] * 9).outcome is Outcome.GOING


def test_count_that_stands_still_is_a_stall_when_the_processor_is_idle_and_named_when_it_is_not() -> None:
    waiting = replace(IDLE, processes=1)
    assert follow(*[waiting] * 29).outcome is Outcome.GOING
    assert follow(*[waiting] * 30).outcome is Outcome.STALLED
    downloading = follow(*[replace(IDLE, processes=1, cpu_percent=180.0)] * 40)
    assert (downloading.outcome, downloading.why.partition(":")[0]) == (
        Outcome.GOING,
        "the processor is busy, but the count stands still",
    )


def test_step_that_found_nothing_for_long_and_then_ends_is_no_stall() -> None:
    looking = replace(IDLE, activities=1, cpu_percent=90.0)
    assert follow(*[looking] * 100, IDLE, IDLE, IDLE).outcome is Outcome.DONE


def test_time_in_which_the_database_tells_nothing_is_no_stall() -> None:
    blind, waiting = replace(IDLE, count=None, processes=1), replace(IDLE, processes=1)
    assert follow(*[waiting] * 20, *[blind] * 100, *[waiting] * 9).outcome is Outcome.GOING
    assert follow(*[waiting] * 20, *[blind] * 100, *[waiting] * 10).outcome is Outcome.STALLED


def test_every_step_ends() -> None:
    growing = [replace(IDLE, processes=1, count=number) for number in range(241)]
    assert follow(*growing).outcome is Outcome.OVER


LOOKS = st.builds(
    Look,
    at_s=st.just(0.0),
    activities=st.none() | st.integers(0, 1),
    processes=st.none() | st.integers(0, 1),
    count=st.none() | st.integers(99, 101),
    cpu_percent=st.none() | st.sampled_from([0.0, 19.9, 20.0, 300.0]),
    ended=st.none() | st.booleans(),
)


@given(st.lists(LOOKS, max_size=60))
def test_done_is_only_what_was_seen_idle_at_the_last_looks_whatever_came_before(looks: list[Look]) -> None:
    watch = begin(0.0, 100)
    for number, look in enumerate(looks, 1):
        watch = take(watch, replace(look, at_s=number * EVERY_S), RULES)
        if watch.outcome is Outcome.DONE:
            last = looks[number - RULES.needed : number]
            assert len(last) == RULES.needed and not any(one.unknown for one in last)
            assert all(one.activities == one.processes == 0 and one.ended and one.cpu_percent < RULES.idle_percent for one in last)  # type: ignore[operator]
            assert len({one.count for one in last}) == 1
            break


def test_scan_that_waits_for_a_slow_storage_is_no_stall_while_its_process_is_there() -> None:
    waiting = replace(IDLE, activities=1, processes=1, cpu_percent=5.0, ended=False)

    assert follow(*[waiting] * 40).outcome is Outcome.STALLED
    assert follow(*[waiting] * 40, rules=replace(RULES, is_patient=True)).outcome is Outcome.GOING
    assert follow(*[waiting] * 250, rules=replace(RULES, is_patient=True)).outcome is Outcome.OVER
