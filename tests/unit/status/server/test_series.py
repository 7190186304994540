"""Points of a chart: few, and nothing bad hidden by their being few."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.core.responses import Response
from plexguard.status.server.series import MOST_POINTS, response_s, thin_responses

SINCE = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=1)


def check(minute: float, seconds: float | None = 0.01, verdict: str = "healthy") -> Response:
    at = int((SINCE + timedelta(minutes=minute)).timestamp())
    latencies = {} if seconds is None else {"tcp": 0.001, "identity": 0.002, "database": seconds}
    return Response(at=at, verdict=verdict, failed="" if seconds is not None else "identity", latencies=latencies)


def test_a_few_checks_are_shown_each() -> None:
    points = thin_responses([check(0), check(60, None, "hung"), check(120, 0.5)], SINCE, UNTIL)
    assert [(p.at, p.seconds, p.slowest, p.verdict) for p in points] == [
        (SINCE, 0.01, 0.01, "healthy"),
        (SINCE + timedelta(hours=1), None, None, "hung"),
        (SINCE + timedelta(hours=2), 0.5, 0.5, "healthy"),
    ]


def test_one_that_was_slow_and_one_that_failed_show_among_many() -> None:
    checks = [check(n / 2) for n in range(2880)]
    checks[1000] = check(500, 7.5)
    checks[2000] = check(1000, None, "down")

    points = thin_responses(checks, SINCE, UNTIL)

    assert len(points) == MOST_POINTS
    assert max(p.slowest or 0 for p in points) == 7.5
    assert [p.verdict for p in points].count("down") == 1
    assert max(p.seconds or 0 for p in points) == 0.01


@given(
    st.lists(
        st.tuples(st.integers(-100, 1600), st.none() | st.floats(0, 60), st.sampled_from(["healthy", "down", "degraded"])),
        max_size=200,
    ),
    st.integers(1, 50),
)
def test_points_are_in_order_in_bounds_and_of_what_there_was(rows: list[tuple[int, float | None, str]], most: int) -> None:
    checks = [check(*row) for row in rows]
    within = [c for c in checks if SINCE.timestamp() <= c.at < UNTIL.timestamp()]

    points = thin_responses(checks, SINCE, UNTIL, most=most)

    assert len(points) <= most and bool(points) is bool(within)
    assert [p.at for p in points] == sorted(p.at for p in points)
    assert all(SINCE <= p.at < UNTIL for p in points)
    assert {p.verdict for p in points} <= {c.verdict for c in within}
    assert any(p.verdict != "healthy" for p in points) is any(c.verdict != "healthy" for c in within)
    assert {p.slowest for p in points} <= {None, *(max(c.latencies.values()) for c in within if c.latencies)}


@pytest.mark.parametrize(
    ("latencies", "failed", "expected"),
    [
        ({"tcp": 0.1, "identity": 0.2, "database": 0.3, "media": 9.0}, "", 0.3),
        ({"tcp": 0.1, "identity": 0.2}, "", 0.2),
        ({"tcp": 0.1, "identity": 0.2}, "database", None),
        ({}, "", None),
    ],
)
def test_response_is_the_deepest_level_of_every_check(latencies: dict[str, float], failed: str, expected: float | None) -> None:
    assert response_s(Response(at=0, verdict="healthy", failed=failed, latencies=latencies)) == expected
