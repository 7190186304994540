"""Parameters of a query: what is allowed, and that all else is refused with its name."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.core.events import Priority
from plexguard.status.server.parameters import MOST_EVENTS, BadParameter, EventQuery, Place, parse_events, parse_none, parse_range

ID = "0123456789abcdef" * 2


def query(**values: str) -> dict[str, list[str]]:
    return {name: [value] for name, value in values.items()}


def test_nothing_given_is_the_newest_of_all() -> None:
    assert parse_events({}) == EventQuery()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (query(limit="500"), EventQuery(limit=500)),
        (query(min_priority="warning"), EventQuery(min_priority=Priority.WARNING)),
        (query(min_priority="err"), EventQuery(min_priority=Priority.ERR)),
        (query(name="plex.*,perms.repaired"), EventQuery(names=("plex.*", "perms.repaired"))),
        (query(since="2026-11-21T10:00:00Z"), EventQuery(since=datetime(2026, 11, 21, 10, tzinfo=UTC))),
        (query(until="2026-11-21T12:00:00+02:00"), EventQuery(until=datetime(2026, 11, 21, 10, tzinfo=UTC))),
        (query(until="2026-11-21T12:00:00 02:00"), EventQuery(until=datetime(2026, 11, 21, 10, tzinfo=UTC))),
        (query(since="2026-11-21"), EventQuery(since=datetime(2026, 11, 21, tzinfo=UTC))),
        (query(before=f"17-{ID}"), EventQuery(before=Place(at_us=17, id=ID))),
    ],
)
def test_what_is_allowed(given: dict[str, list[str]], expected: EventQuery) -> None:
    assert parse_events(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        query(limit="0"),
        query(limit="501"),
        query(limit="-1"),
        query(limit="1e2"),
        query(limit="\u0661"),
        query(limit="9" * 100),
        query(limit=""),
        query(min_priority="loud"),
        query(min_priority="3"),
        query(name="plex.down' OR 1=1"),
        query(name="[a-z]"),
        query(name=",".join(["a"] * 21)),
        query(since="yesterday"),
        query(since="9999-12-31T23:59:59-10:00"),
        query(since="2026-11-21T10:00:00Z\n"),
        query(before="17"),
        query(before=f"x-{ID}"),
        query(before=f"{'9' * 19}-{ID}"),
        query(before=f"17-{ID[:-1]}'"),
        query(nmae="plex.*"),
        query(name="x" * 201),
        {"limit": ["1", "2"]},
        {"limit": []},
    ],
)
def test_all_else_is_refused_by_name(given: dict[str, list[str]]) -> None:
    with pytest.raises(BadParameter) as refused:
        parse_events(given)
    (name,) = given
    assert name in str(refused.value) or "unknown parameter" in str(refused.value)
    # What was given is not given back: it may be anything.
    assert not [value for value in given[name] if len(value) > 3 and value in str(refused.value)]


def test_ranges() -> None:
    assert (parse_range({}), parse_range(query(range="7d"))) == (timedelta(days=1), timedelta(days=7))
    for bad in (query(range="8d"), query(range=""), query(rnage="7d"), {"range": ["7d", "7d"]}):
        with pytest.raises(BadParameter):
            parse_range(bad)
    with pytest.raises(BadParameter):
        parse_none(query(a="b"))


@given(
    st.dictionaries(
        st.sampled_from(["since", "until", "name", "min_priority", "limit", "before", "x"]),
        st.lists(st.text(max_size=40), max_size=2),
    )
)
def test_anything_is_a_query_or_refused(given: dict[str, list[str]]) -> None:
    try:
        found = parse_events(given)
    except BadParameter:
        return
    assert 1 <= found.limit <= MOST_EVENTS


@given(st.integers(0, 10**18 - 1), st.text("0123456789abcdef", min_size=32, max_size=32))
def test_next_is_taken_as_before(at_us: int, id_: str) -> None:
    place = Place(at_us=at_us, id=id_)
    assert parse_events(query(before=str(place))).before == place
