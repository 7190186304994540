"""What a channel is told, when, and what not."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.core import suite
from plexguard.core.events import Priority
from plexguard.notify.config import Channel, Quiet
from plexguard.notify.decide import DROPPED, Plan, decide, find_quiet_end
from plexguard.notify.line import Line
from plexguard.notify.message import Message
from plexguard.notify.past import Past
from tests.unit.notify.lines import PROBLEM, at, channel, line, problem, recovery

EVENTS = {event.name: event for event in suite.events()}
NIGHT = Quiet(begin=time(22), end=time(7))


def plan(lines: Sequence[Line], one: Channel, *, past: Past | None = None, now: datetime | None = None, limit: int = 1000) -> Plan:
    return decide(
        lines,
        channel=one,
        past=past or Past(position=1),
        now=now or at(1000),
        limit=limit,
        zone=UTC,
        events=EVENTS,
    )


def told(lines: Sequence[Line], one: Channel, *, now: datetime | None = None) -> list[Message]:
    return [step.message for step in plan(lines, one, now=now).steps]


def ids(messages: Sequence[Message]) -> list[str]:
    return [message.id for message in messages]


# -- filters


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["id-1", "id-2", "id-3"]),
        ({"min_priority": "notice"}, ["id-2", "id-3"]),
        ({"min_priority": "warning"}, ["id-2"]),
        ({"include": ("plex.*",)}, ["id-2"]),
        ({"exclude": ("plex.*", "speed.slow")}, ["id-1", "id-3"]),
        ({"include": ()}, []),
    ],
)
def test_channel_is_told_what_it_asks_for(options: dict[str, object], expected: list[str]) -> None:
    lines = [line(1), problem(2), line(3, priority=Priority.NOTICE, name="network.recovered")]
    assert ids(told(lines, channel(**options))) == expected


def test_what_is_left_out_is_done_with() -> None:
    found = plan([line(1), line(2)], channel(min_priority="err"))
    assert (found.steps, found.after.position, found.wake_at) == ((), 3, None)


# -- pairs


def test_recovery_of_a_told_problem_passes_every_filter_and_names_it() -> None:
    (first, second) = told([problem(1, s=0), recovery(2, s=90)], channel(min_priority="err", include=("plex.hung",)))
    assert (first.id, second.problem_id, second.downtime_s) == ("id-1", "id-1", 90.0)


def test_downtime_is_the_one_that_the_event_tells() -> None:
    (_, second) = told([problem(1, s=0), recovery(2, s=90, downtime_s=85.5)], channel())
    assert second.downtime_s == 85.5


def test_recovery_of_a_problem_that_was_not_told_is_an_event_like_any_other() -> None:
    lines = [problem(1), recovery(2)]
    assert told(lines, channel(exclude=("plex.hung",), min_priority="warning")) == []
    (only,) = told(lines, channel(exclude=("plex.hung",)))
    assert (only.id, only.problem_id, only.downtime_s) == ("id-2", "", None)


def test_recovery_is_of_the_same_thing_only() -> None:
    found = told([problem(1, about="/a"), recovery(2, about="/b"), recovery(3, about="/a")], channel(min_priority="err"))
    assert [(m.id, m.problem_id) for m in found] == [("id-1", ""), ("id-3", "id-1")]


def test_downtime_over_a_clock_that_was_set_back_is_not_negative() -> None:
    assert told([problem(1, s=500), recovery(2, s=100)], channel())[1].downtime_s == 0.0


# -- folding


def flapping(times: int, *, every_s: float = 10.0, first: int = 1, begin_s: float = 0.0) -> list[Line]:
    """Return so many pairs."""
    return [
        made
        for number in range(times)
        for made in (
            problem(first + 2 * number, s=begin_s + every_s * number),
            recovery(first + 2 * number + 1, s=begin_s + every_s * number + 5),
        )
    ]


def test_third_and_later_comings_are_one_message_when_the_window_ends() -> None:
    lines = flapping(10)
    before = plan(lines, channel(), now=at(599))
    after = told(lines, channel(), now=at(600))
    assert [step.message.id for step in before.steps] == ["id-1", "id-2", "id-3", "id-4"]
    assert before.wake_at == at(600)
    assert (after[4].id, after[4].count, after[4].name) == ("id-20", 8, "plex.recovered")
    assert "plex.hung came 8 times more within 10min" in after[4].message and "it is over now" in after[4].message
    assert len(after) == 5


def test_folded_message_says_that_it_goes_on_and_its_recovery_is_told() -> None:
    lines = [*flapping(5)[:-1], recovery(10, s=700)]
    found = told(lines, channel(), now=at(800))
    assert (found[4].name, found[4].count, "it goes on" in found[4].message) == (PROBLEM, 3, True)
    assert (found[5].id, found[5].problem_id) == ("id-10", found[4].id)


def test_trouble_that_goes_on_is_one_message_a_window() -> None:
    found = told(flapping(361), channel(), now=at(4200))
    assert [message.count for message in found] == [1, 1, 1, 1, 58, 60, 60, 60, 60, 60, 1]


def test_trouble_that_comes_again_much_later_is_told_at_once() -> None:
    lines = [*flapping(3), *flapping(1, first=7, begin_s=7200)]
    assert ids(told(lines, channel(), now=at(7300)))[-2:] == ["id-7", "id-8"]


def test_failures_of_one_unit_are_one_message_with_a_count() -> None:
    lines = [problem(n, name="unit.failed", about="plexguard-x.service", s=n) for n in range(1, 21)]
    lines.append(problem(21, name="unit.failed", about="plexguard-y.service", s=21))
    found = told(lines, channel(), now=at(700))
    assert [(message.id, message.count) for message in found] == [("id-1", 1), ("id-21", 1), ("id-20", 19)]


def test_recovery_of_a_told_problem_is_told_though_another_one_that_it_ends_is_being_folded() -> None:
    lines = [*flapping(3), problem(7, name="plex.down", s=40), recovery(8, s=50)]
    found = told(lines, channel(min_priority="err"), now=at(700))
    assert [(m.id, m.problem_id) for m in found[4:]] == [("id-7", ""), ("id-8", "id-7"), ("id-6", "")]


def test_recovery_from_all_ends_what_is_folded_and_what_was_told() -> None:
    lines = [*flapping(3)[:-1], problem(6, name="plex.down", s=40), recovery(7, s=50)]
    found = told(lines, channel(), now=at(700))
    assert [(m.id, m.problem_id, m.count) for m in found[4:]] == [("id-6", "", 1), ("id-7", "id-6", 1), ("id-7-folded", "", 1)]
    assert "it is over now" in found[-1].message


def test_first_coming_after_a_long_peace_is_no_repetition_however_late_it_is_looked_at() -> None:
    lines = [*flapping(3), *flapping(1, first=7, begin_s=7200)]
    (*_, again, over) = told(lines, channel(), now=at(7300))
    assert (again.message, over.problem_id) == ("event 7", "id-7")


def test_recovery_is_told_whatever_else_was_told_that_nothing_ends() -> None:
    others = [problem(n, name="unit.failed", about=f"plexguard-{n}.service", s=n) for n in range(2, 1000)]
    found = told([problem(1, s=0), *others, recovery(1000, s=1000)], channel(min_priority="err"), now=at(1100))
    assert [m.problem_id for m in found if m.name == "plex.recovered"] == ["id-1"]


def test_nothing_is_folded_where_that_is_turned_off() -> None:
    assert len(told(flapping(10), channel(fold=timedelta(0)))) == 20


def test_clock_that_was_set_back_ends_a_window() -> None:
    past = plan(flapping(5), channel(), now=at(100)).after
    found = plan([], channel(), past=past, now=at(-86400))
    assert [step.message.count for step in found.steps] == [3]


def test_state_stays_small_whatever_is_told() -> None:
    lines = [problem(n, about=f"/srv/{n}", s=0) for n in range(1, 2000)]
    after = plan(lines, channel(), now=at(1), limit=5000).after
    assert (len(after.windows), len(after.troubles)) == (500, 500)


# -- quiet hours


def test_quiet_hours_keep_and_the_morning_tells_in_order() -> None:
    night, morning = datetime(2026, 3, 2, 3, tzinfo=UTC), datetime(2026, 3, 2, 7, tzinfo=UTC)
    lines = [line(1), line(2)]
    held = plan(lines, channel(quiet=NIGHT), now=night)
    assert (held.steps, held.after.position, held.wake_at) == ((), 1, morning)
    assert ids(told(lines, channel(quiet=NIGHT), now=morning)) == ["id-1", "id-2"]


def test_what_may_not_wait_takes_along_what_was_kept_before_it() -> None:
    night = datetime(2026, 3, 2, 3, tzinfo=UTC)
    found = plan([line(1), line(2), problem(3), line(4)], channel(quiet=NIGHT), now=night)
    assert [step.message.id for step in found.steps] == ["id-1", "id-2", "id-3"]
    assert found.after.position == 4


def test_what_may_not_wait_is_found_behind_more_than_a_batch() -> None:
    night = datetime(2026, 3, 2, 3, tzinfo=UTC)
    found = plan([*(line(n) for n in range(1, 50)), problem(50)], channel(quiet=NIGHT), now=night, limit=10)
    assert [step.message.id for step in found.steps] == [f"id-{n}" for n in range(1, 11)]


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("now", "quiet", "expected"),
    [
        ("2026-01-10T21:59+01:00", NIGHT, None),
        ("2026-01-10T22:00+01:00", NIGHT, "2026-01-11T07:00+01:00"),
        ("2026-01-11T06:59+01:00", NIGHT, "2026-01-11T07:00+01:00"),
        ("2026-01-11T07:00+01:00", NIGHT, None),
        # The clock is put forward, and back: the night is an hour shorter, and longer.
        ("2026-03-28T23:00+01:00", NIGHT, "2026-03-29T07:00+02:00"),
        ("2026-10-24T23:00+02:00", NIGHT, "2026-10-25T07:00+01:00"),
        # An end that this day does not have on its clock, and one that it has twice.
        ("2026-03-29T01:30+01:00", Quiet(begin=time(1), end=time(2, 30)), "2026-03-29T03:30+02:00"),
        ("2026-10-25T02:15+02:00", Quiet(begin=time(1), end=time(2, 30)), "2026-10-25T02:30+02:00"),
        ("2026-10-25T02:15+01:00", Quiet(begin=time(1), end=time(2, 30)), "2026-10-25T02:30+01:00"),
    ],
)
def test_quiet_hours_end_by_the_clock_on_the_wall(now: str, quiet: Quiet, expected: str | None) -> None:
    end = find_quiet_end(quiet, BERLIN, datetime.fromisoformat(now))
    assert end == (datetime.fromisoformat(expected) if expected else None)


# -- dropped


def test_events_that_are_gone_are_told_with_how_many_and_when() -> None:
    first = plan([line(1)], channel())
    found = plan([line(501), line(502)], channel(), past=first.after)
    (gone, *rest) = [step.message for step in found.steps]
    assert (gone.name, gone.count, ids(rest)) == (DROPPED, 499, ["id-501", "id-502"])
    assert "499 events were dropped, told between 2026-03-01 12:00:01 and 2026-03-01 12:08:21 UTC" in gone.message


# -- nothing is lost, nothing changes its order

# An afternoon long after, when nobody is to be left alone.
LATER = at(100 * 86400 + 3600)
OPTIONS = st.fixed_dictionaries(
    {
        "fold": st.sampled_from([timedelta(0), timedelta(seconds=20), timedelta(minutes=10)]),
        "quiet": st.sampled_from([None, Quiet(begin=time(12), end=time(12, 2)), NIGHT]),
        "min_priority": st.sampled_from(["info", "notice", "err"]),
    }
)
KINDS = st.lists(st.tuples(st.sampled_from("prie"), st.sampled_from(["", "a", "b"]), st.integers(0, 30)), max_size=60)


def make_lines(kinds: Sequence[tuple[str, str, int]]) -> list[Line]:
    clock = itertools.accumulate(step for _, _, step in kinds)
    made = []
    for n, ((kind, about, _), s) in enumerate(zip(kinds, clock, strict=True), 1):
        match kind:
            case "p":
                made.append(problem(n, s=s, about=about))
            case "r":
                made.append(recovery(n, s=s, about=about))
            case "i":
                made.append(line(n, s=s))
            case _:
                made.append(problem(n, name="unit.failed", s=s, about=about))
    return made


@given(kinds=KINDS, options=OPTIONS, limits=st.lists(st.integers(1, 7), min_size=1), kills=st.lists(st.integers(0, 7)))
def test_wherever_a_delivery_is_broken_off_the_rest_comes(
    kinds: list[tuple[str, str, int]], options: dict[str, object], limits: list[int], kills: list[int]
) -> None:
    lines, one = make_lines(kinds), channel(**options)
    end = LATER
    whole = ids(told(lines, one, now=end))
    past, received, first_seen = Past(position=1), [], []
    deaths = iter(kills)
    for limit in itertools.cycle(limits):
        found = plan([x for x in lines if x.n >= past.position], one, past=past, now=end, limit=limit)
        if not found.steps:
            break
        batch = [step.message.id for step in found.steps]
        received += batch
        # Killed after it was sent and before that was kept; or after some of it was kept, as when a batch is halved.
        kept = next(deaths, None)
        if kept is None:
            past = found.steps[-1].after
        elif kept:
            past = found.steps[min(kept, len(batch)) - 1].after
    for message in received:
        if message not in first_seen:
            first_seen.append(message)
    assert first_seen == whole


@given(kinds=KINDS, options=OPTIONS)
def test_every_event_that_is_wanted_is_told_or_counted(kinds: list[tuple[str, str, int]], options: dict[str, object]) -> None:
    lines, one = make_lines(kinds), channel(**{**options, "min_priority": "info"})
    found = told(lines, one, now=LATER)
    problems = sum(line.is_problem for line in lines)
    counted = sum(m.count for m in found if m.id in {x.id for x in lines if x.is_problem} or m.count > 1 or "once more" in m.title)
    assert counted == problems
    assert [i for i in ids(found) if i in {x.id for x in lines if not x.is_problem and not x.ends}] == [
        x.id for x in lines if not x.is_problem and not x.ends
    ]


@given(kinds=KINDS, options=OPTIONS, steps=st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_told_as_it_happens_or_all_at_once_nothing_is_lost(
    kinds: list[tuple[str, str, int]], options: dict[str, object], steps: list[int]
) -> None:
    """The events come in pieces, each looked at when it came, as in life."""
    lines, one = make_lines(kinds), channel(**{**options, "min_priority": "info", "fold": timedelta(0)})
    past, received = Past(position=1), []
    places = itertools.accumulate(itertools.cycle(steps))
    for place in itertools.takewhile(lambda p: p < len(lines) + 40, places):
        seen = lines[:place]
        now = seen[-1].at if seen else at(0)
        found = plan([x for x in seen if x.n >= past.position], one, past=past, now=now)
        received += [step.message.id for step in found.steps]
        past = found.after
    found = plan([x for x in lines if x.n >= past.position], one, past=past, now=LATER)
    received += [step.message.id for step in found.steps]
    assert received == [x.id for x in lines]
