"""Healthy is said only of what is known to be."""

from dataclasses import replace

import pytest

from plexguard.status.overview import Breaker, PlexView, State, Thing
from plexguard.status.server.health import cannot_tell, judge_all, judge_plex
from tests.unit.status.server.samples import FULL, NOW, PLEX, WELL


def test_all_is_well() -> None:
    health = judge_all(WELL)
    assert (health.status, health.reasons) == (200, ())
    assert health.as_json() == {
        "healthy": True,
        "reasons": [],
        "breaker": None,
        "consecutive_failures": 0,
        "response_times": {"identity": 0.002, "database": 0.01},
        "checked": NOW.isoformat(),
    }


def test_what_is_wrong_and_what_is_unknown_are_reasons() -> None:
    network = Thing(name="network", title="Network", state=State.UNKNOWN, summary="not checked for an hour")
    health = judge_all(replace(FULL, things=(*FULL.things, network)))
    assert (health.status, health.reasons) == (503, ("Mount films gives no bytes", "Network: not checked for an hour"))
    assert judge_all(replace(WELL, healthy=False)).reasons


@pytest.mark.parametrize(
    ("state", "verdict", "status"),
    [
        (State.WELL, "healthy", 200),
        (State.WARNING, "degraded", 200),
        (State.PROBLEM, "hung", 503),
        (State.WARNING, "maintenance", 503),
        (State.WARNING, "stopped", 503),
        # Stale: the last verdict was a good one, and is worth nothing.
        (State.UNKNOWN, "healthy", 503),
        (State.UNKNOWN, "unknown", 503),
        (State.WELL, "unknown", 503),
        (State.OFF, "healthy", 503),
    ],
)
def test_plex_is_well_while_it_is_known_to_serve(state: State, verdict: str, status: int) -> None:
    seen = replace(WELL, things=(replace(PLEX, state=state, summary="why"),), plex=PlexView(verdict=verdict))
    health = judge_plex(seen)
    assert health.status == status
    assert health.reasons == (() if (state, status) == (State.WELL, 200) else ("why",))


def test_other_troubles_are_no_trouble_of_plex() -> None:
    assert judge_plex(FULL).status == 200
    assert judge_all(FULL).status == 503


def test_nothing_known_is_not_healthy() -> None:
    assert judge_plex(replace(WELL, things=())).status == 503
    assert cannot_tell("it took too long").as_json()["reasons"] == ["it took too long"]
    assert cannot_tell("x").status == 503


def test_breaker_and_failures_are_passed_on() -> None:
    plex = replace(WELL.plex, breaker=Breaker(state="open"), consecutive_failures=4)
    health = judge_plex(replace(WELL, plex=plex)).as_json()
    assert (health["breaker"]["state"], health["consecutive_failures"]) == ("open", 4)


def test_a_door_that_is_not_as_it_should_be_is_told_beside_a_plex_that_is() -> None:
    shut = Thing(name="proxy", title="Front door", state=State.PROBLEM, summary="no request has passed for 5 min")
    told = judge_plex(replace(WELL, things=(*WELL.things, shut)))
    assert (told.healthy, told.reasons) == (True, ("Front door: no request has passed for 5 min",))
    right = replace(shut, state=State.WELL, summary="requests pass to Plex")
    assert judge_plex(replace(WELL, things=(*WELL.things, right))).reasons == ()
