"""From events to incidents: pairs, families, flapping, what goes on, and what nobody remembers any more."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.core.clock import Moment
from plexguard.core.events import Event, Kept, Priority
from plexguard.core.suite import events
from plexguard.core.told import Told
from plexguard.status.incidents import (
    FLAP,
    Incident,
    Life,
    Occurrence,
    find_incidents,
    forget,
    make_rules,
    occurrence_of,
    pick_between,
    title_of,
)
from tests.fakes import told as fake_told
from tests.fakes.ports import BEGIN

BEGAN = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
BOOT = "0" * 31 + "1"


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def tell(name: str, at_s: float, *, host: str = "house", **values: object) -> Told:
    """Return an event of the suite, told so many seconds after all began."""
    return fake_told.tell(name, at(at_s), host=host, **values)


def fold(told: list[Told]) -> tuple[Incident, ...]:
    return find_incidents(map(occurrence_of, told), make_rules(events()))


def sample(
    name: str, priority: Priority, *, about: tuple[str, ...] = (), ends: tuple[str, ...] = (), kept: Kept = Kept.ALWAYS
) -> Event:
    fields = dict.fromkeys(about, str)
    return Event(
        name=name,
        message_id="0" * 32,
        priority=priority,
        message=name,
        subject=name,
        meaning="",
        decided="",
        did="",
        action="",
        fields=fields,
        about=about,
        ends=ends,
        kept=kept,
    )


RULES = make_rules(
    (
        sample("plex.slow", Priority.NOTICE),
        sample("plex.down", Priority.WARNING),
        sample("plex.gave-up", Priority.ERR),
        sample("plex.recovered", Priority.NOTICE, ends=("plex.slow", "plex.down", "plex.gave-up")),
        sample("mount.stale", Priority.WARNING, about=("mount",)),
        sample("mount.back", Priority.NOTICE, about=("mount",), ends=("mount.stale",)),
        sample("disk.full", Priority.ERR, about=("path",)),
        sample("all.back", Priority.NOTICE, ends=("mount.stale",)),
        sample("log.lost", Priority.WARNING, kept=Kept.RUN),
        sample("choice.open", Priority.WARNING, kept=Kept.BOOT),
        sample("lists.right", Priority.NOTICE, ends=("log.lost", "choice.open")),
        sample("run.done", Priority.INFO),
    )
)
NAMES = sorted(RULES.names | {"run.done"})


def seen(name: str, minute: float, *, about: str = "", downtime_s: float | None = None, boot_id: str = BOOT) -> Occurrence:
    return Occurrence(
        id=f"{name} {minute}",
        moment=Moment(wall=BEGAN + timedelta(minutes=minute), boot_id=boot_id, uptime_s=60 * minute),
        name=name,
        unit="a.service",
        about=about,
        title=name,
        message=f"{name} at {minute}",
        downtime_s=downtime_s,
    )


def shown(incident: Incident) -> tuple[str, float, float | None, float | None, int]:
    """Return name, began and ended in minutes, downtime in minutes, count."""
    ended = None if incident.ended is None else (incident.ended - BEGAN) / timedelta(minutes=1)
    downtime = None if incident.downtime_s is None else incident.downtime_s / 60
    return incident.name, (incident.began - BEGAN) / timedelta(minutes=1), ended, downtime, incident.count


@pytest.mark.parametrize(
    ("occurrences", "expected"),
    [
        ([], []),
        ([seen("run.done", 0)], []),
        ([seen("plex.recovered", 0)], []),
        ([seen("plex.down", 0)], [("plex.down", 0, None, None, 1)]),
        ([seen("plex.down", 0), seen("plex.recovered", 5)], [("plex.down", 0, 5, 5, 1)]),
        # It began before it was told.
        ([seen("plex.down", 1), seen("plex.recovered", 5, downtime_s=300)], [("plex.down", 0, 5, 5, 1)]),
        # A clock that was set is no downtime.
        ([seen("plex.down", 0), seen("plex.recovered", 5, downtime_s=1e12)], [("plex.down", 0, 5, 5, 1)]),
        # One outage, told three times; the worst of it gives it its name.
        (
            [seen("plex.slow", 0), seen("plex.down", 1), seen("plex.gave-up", 2), seen("plex.down", 3), seen("plex.recovered", 9)],
            [("plex.gave-up", 0, 9, 9, 1)],
        ),
        # Back within the time of a flap, and after it.
        (
            [
                seen("plex.down", 0),
                seen("plex.recovered", 5),
                seen("plex.down", 15),
                seen("plex.recovered", 16),
                seen("plex.down", 27),
                seen("plex.recovered", 30),
            ],
            [("plex.down", 0, 16, 6, 2), ("plex.down", 27, 30, 3, 1)],
        ),
        ([seen("plex.down", 0), seen("plex.recovered", 5), seen("plex.down", 6)], [("plex.down", 0, None, 5, 2)]),
        # Told again although it goes on.
        ([seen("plex.down", 0), seen("plex.down", 60), seen("plex.recovered", 61)], [("plex.down", 0, 61, 61, 2)]),
        # Each thing for itself.
        (
            [seen("mount.stale", 0, about="a"), seen("mount.stale", 1, about="b"), seen("mount.back", 4, about="b")],
            [("mount.stale", 0, None, None, 1), ("mount.stale", 1, 4, 3, 1)],
        ),
        # What is about nothing in particular ends all.
        (
            [seen("mount.stale", 0, about="a"), seen("mount.stale", 1, about="b"), seen("all.back", 4)],
            [("mount.stale", 0, 4, 4, 1), ("mount.stale", 1, 4, 3, 1)],
        ),
        # What nothing ends is a moment; often, it is one with a count.
        (
            [seen("disk.full", 0, about="/"), seen("disk.full", 5, about="/"), seen("disk.full", 30, about="/")],
            [("disk.full", 0, 5, None, 2), ("disk.full", 30, 30, None, 1)],
        ),
    ],
)
def test_incidents_of_events(occurrences: list[Occurrence], expected: list[object]) -> None:
    assert [shown(incident) for incident in find_incidents(occurrences, RULES)] == expected


_OCCURRENCES = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.integers(0, 400),
        st.sampled_from(["", "a", "b"]),
        st.none() | st.floats(-1e3, 1e9),
    ),
    max_size=60,
).map(
    lambda rows: [
        seen(name, minute + number / 1000, about=about if name.startswith(("mount", "disk")) else "", downtime_s=downtime)
        for number, (name, minute, about, downtime) in enumerate(sorted(rows, key=lambda row: row[1]))
    ]
)


@given(_OCCURRENCES)
def test_nothing_is_lost_and_times_make_sense(occurrences: list[Occurrence]) -> None:
    incidents = find_incidents(occurrences, RULES)

    last = occurrences[-1].at if occurrences else BEGAN
    for incident in incidents:
        assert incident.ended is None or incident.began <= incident.ended <= last
        assert incident.count >= 1
        assert incident.downtime_s is None or incident.downtime_s >= 0
    # Each problem that was told lies in an incident of its thing.
    for one in occurrences:
        if one.name in RULES.family or one.name in RULES.moments:
            assert [i for i in incidents if i.about == one.about and i.began <= one.at and (i.ended is None or one.at <= i.ended)]


@given(_OCCURRENCES)
def test_what_goes_on_is_what_nothing_has_ended(occurrences: list[Occurrence]) -> None:
    going_on: set[tuple[str, str]] = set()
    for one in occurrences:
        going_on -= {(name, about) for name, about in going_on if one.name == "all.back" and name == "mount.back"}
        going_on -= {(one.name, one.about)}
        if one.name in RULES.family:
            going_on.add((RULES.family[one.name], one.about))

    found = find_incidents(occurrences, RULES)

    assert {(RULES.family[i.name], i.about) for i in found if i.is_open} == going_on


@given(_OCCURRENCES)
def test_times_of_one_thing_do_not_overlap_and_are_a_flap_apart(occurrences: list[Occurrence]) -> None:
    by_thing: dict[tuple[str, str], list[Incident]] = {}
    for incident in find_incidents([replace(one, downtime_s=None) for one in occurrences], RULES):
        by_thing.setdefault((RULES.family.get(incident.name, incident.name), incident.about), []).append(incident)
    for rows in by_thing.values():
        for before, after in itertools.pairwise(rows):
            assert before.ended is not None and after.began - before.ended > FLAP


@given(_OCCURRENCES, st.integers(0, 400), st.integers(0, 400))
def test_what_is_picked_touches_the_time(occurrences: list[Occurrence], since: int, length: int) -> None:
    begin = BEGAN + timedelta(minutes=since)
    end = begin + timedelta(minutes=length)
    every = find_incidents(occurrences, RULES)

    picked = pick_between(every, begin, end)

    assert list(picked) == sorted(picked, key=lambda incident: (incident.began, incident.id), reverse=True)
    assert {i.id for i in every} - {i.id for i in picked} == {
        i.id for i in every if i.began > end or (i.ended is not None and i.ended < begin)
    }


def test_rules_know_every_event_of_the_suite() -> None:
    rules = make_rules(events())
    assert "plex.recovered" in rules.ends and rules.family["plex.down"] == "plex.recovered"
    assert not rules.moments & set(rules.family)
    assert all(rules.priorities[name] <= Priority.WARNING for name in rules.moments)
    assert {name for event in events() for name in event.ends} == set(rules.family)


# -- the suite's own --------------------------------------------------------------------------------------------------


def test_a_problem_ends_with_its_recovery() -> None:
    (incident,) = fold([tell("plex.hung", 0), tell("plex.recovered", 60, downtime_s=75.5)])

    assert (incident.began, incident.ended, incident.downtime_s) == (at(-15.5), at(60), 75.5)
    assert (incident.area, incident.severity, incident.count) == ("plex", "warning", 1)


def test_another_recovery_does_not_end_it() -> None:
    (incident,) = fold([tell("plex.hung", 0), tell("net.recovered", 60)])

    assert incident.is_open


def test_what_no_event_ends_is_a_moment() -> None:
    (incident,) = fold([tell("program.failed", 0)])

    assert not incident.is_open


def test_a_machine_that_was_renamed_is_the_same_one() -> None:
    (incident,) = fold([tell("plex.hung", 0, host="localhost"), tell("plex.recovered", 60, host="media")])

    assert not incident.is_open


def test_a_title_is_one_line_with_its_values() -> None:
    assert title_of(tell("container.changed", 0, status="run\nning")) == "Plex's container is run ning"


# -- what nobody remembers --------------------------------------------------------------------------------------------

OTHER = "0" * 31 + "2"


@pytest.mark.parametrize(
    ("name", "boot_id", "started_minute", "ended_minute"),
    [
        # The same life goes on.
        ("log.lost", BOOT, 4, None),
        ("log.lost", BOOT, None, None),
        ("choice.open", BOOT, 4, None),
        ("plex.down", BOOT, 4, None),
        # The program was started anew.
        ("log.lost", BOOT, 7, 7),
        ("choice.open", BOOT, 7, None),
        ("plex.down", BOOT, 7, None),
        # The machine was: what was told may have been told by a clock that ran ahead.
        ("log.lost", OTHER, None, 20),
        ("choice.open", OTHER, 1, 20),
        ("plex.down", OTHER, 1, None),
    ],
)
def test_what_a_program_has_forgotten_is_over(
    name: str, boot_id: str, started_minute: float | None, ended_minute: float | None
) -> None:
    started_s = {} if started_minute is None else {"a.service": 60 * started_minute, "b.service": 60 * 30}
    life = Life(boot_id=boot_id, began=BEGAN + timedelta(minutes=20), started_s=started_s)

    (found,) = forget(find_incidents([seen(name, 5)], RULES), life, RULES)

    assert found.ended == (None if ended_minute is None else BEGAN + timedelta(minutes=ended_minute))
    assert found.downtime_s is None


def test_a_clock_that_was_set_back_gives_no_end_before_the_beginning() -> None:
    life = Life(boot_id=OTHER, began=BEGAN - timedelta(days=1))

    (found,) = forget(find_incidents([seen("log.lost", 5)], RULES), life, RULES)

    assert found.ended == found.began


def test_what_was_told_again_in_this_life_goes_on() -> None:
    life = Life(boot_id=OTHER, began=BEGAN + timedelta(minutes=20))

    (found,) = forget(find_incidents([seen("log.lost", 5), seen("log.lost", 21, boot_id=OTHER)], RULES), life, RULES)

    assert found.is_open


def test_what_is_remembered_in_memory_alone() -> None:
    assert make_rules(events()).kept == {
        "container.ambiguous": Kept.BOOT,
        "container.docker-lost": Kept.RUN,
        "logs.audit-lost": Kept.RUN,
        "notify.spool-failed": Kept.RUN,
        "perms.audit-refused": Kept.RUN,
        "proxy.flapping": Kept.RUN,
        "proxy.opened": Kept.BOOT,
        "proxy.unreachable": Kept.RUN,
    }
