"""From events to incidents: pairs, families, flapping, what goes on."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.core.events import Event, Priority
from plexguard.core.suite import events
from plexguard.status.server.incidents import FLAP, Incident, Occurrence, find_incidents, make_rules, pick_between

BEGAN = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def sample(name: str, priority: Priority, *, about: tuple[str, ...] = (), ends: tuple[str, ...] = ()) -> Event:
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
        sample("run.done", Priority.INFO),
    )
)
NAMES = sorted(RULES.names | {"run.done"})


def seen(name: str, minute: float, *, about: str = "", host: str = "media", downtime_s: float | None = None) -> Occurrence:
    at = BEGAN + timedelta(minutes=minute)
    return Occurrence(
        id=f"{name} {minute}",
        at=at,
        name=name,
        host=host,
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
        # And each machine.
        (
            [seen("plex.down", 0, host="a"), seen("plex.down", 1, host="b"), seen("plex.recovered", 4, host="b")],
            [("plex.down", 0, None, None, 1), ("plex.down", 1, 4, 3, 1)],
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
        st.sampled_from(["one", "two"]),
        st.none() | st.floats(-1e3, 1e9),
    ),
    max_size=60,
).map(
    lambda rows: [
        seen(
            name, minute + number / 1000, about=about if name.startswith(("mount", "disk")) else "", host=host, downtime_s=downtime
        )
        for number, (name, minute, about, host, downtime) in enumerate(sorted(rows, key=lambda row: row[1]))
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
            assert [
                i
                for i in incidents
                if (i.host, i.about) == (one.host, one.about) and i.began <= one.at and (i.ended is None or one.at <= i.ended)
            ]


@given(_OCCURRENCES)
def test_what_goes_on_is_what_nothing_has_ended(occurrences: list[Occurrence]) -> None:
    going_on: set[tuple[str, str, str]] = set()
    for one in occurrences:
        going_on -= {key for key in going_on if one.name == key[0] and one.host == key[1] and one.about == key[2]}
        if one.name in RULES.family:
            going_on.add((RULES.family[one.name], one.host, one.about))

    found = find_incidents(occurrences, RULES)

    assert {(RULES.family[i.name], i.host, i.about) for i in found if i.ended is None} == going_on


@given(_OCCURRENCES)
def test_times_of_one_thing_do_not_overlap_and_are_a_flap_apart(occurrences: list[Occurrence]) -> None:
    by_thing: dict[tuple[str, str, str], list[Incident]] = {}
    for incident in find_incidents([o.__class__(**{**_fields(o), "downtime_s": None}) for o in occurrences], RULES):
        by_thing.setdefault((RULES.family.get(incident.name, incident.name), incident.host, incident.about), []).append(incident)
    for rows in by_thing.values():
        for before, after in itertools.pairwise(rows):
            assert before.ended is not None and after.began - before.ended > FLAP


def _fields(one: Occurrence) -> dict[str, object]:
    return {name: getattr(one, name) for name in ("id", "at", "name", "host", "about", "title", "message", "downtime_s")}


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
