"""The front door in the overview: whose matter it is that nobody gets through, and told once."""

from dataclasses import replace
from typing import Any

import pytest

from plexguard.core import published
from plexguard.core.clock import Moment
from plexguard.core.found import FoundPlex, Server
from plexguard.core.published import ProxySeen
from plexguard.status.observe import JournalSeen
from plexguard.status.overview import Breaker, State, Thing
from tests.unit.status.test_incidents import fold, tell
from tests.unit.status.world import NOW_S, before, overview, thing, wall, with_unit

FRONT, BREAKER = "plexguard-proxy.service", "plexguard-proxy-breaker.service"
CLOSED = ProxySeen(phase="closed", since=before(4_000), seen=before(15))
SHUT = ProxySeen(
    phase="open",
    since=before(40),
    opened=before(40),
    trigger="checks",
    reason="down",
    text="Plex does not answer",
    failed_checks=3,
    opens=2,
    open_s=100.0,
    seen=before(10),
)
DOWN = published.ProbeSeen(
    verdict="down", detail="nobody listens", checked=before(12), problem=published.PlexProblemSeen(began=before(60))
)


def shut_for(seconds: float, **changes: Any) -> ProxySeen:
    return replace(SHUT, opened=before(seconds), **changes)


def door(**changes: Any) -> Thing:
    return thing("proxy", **changes)


def breaker(**changes: Any) -> Breaker | None:
    return overview(**changes).plex.breaker


def problems(**changes: Any) -> list[str]:
    return [problem.text for problem in overview(**changes).problems]


def test_a_door_through_which_requests_pass_is_well() -> None:
    assert (door().state, door().summary) == (State.WELL, "requests pass to Plex")
    assert (door().since, ("address", "127.0.0.1:32401") in door().details) == (wall(4_000), True)
    assert problems() == []


# -- why it is shut ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trigger", ["checks", "traffic", "verdict"])
@pytest.mark.parametrize("phase", ["open", "half-open"])
def test_an_outage_of_plex_is_told_once(trigger: str, phase: str) -> None:
    shut = shut_for(600, trigger=trigger, phase=phase)

    assert door(probe=DOWN, proxy=shut).state is State.WELL
    assert "as it should: Plex does not answer" in door(probe=DOWN, proxy=shut).summary
    assert [text.partition(":")[0] for text in problems(probe=DOWN, proxy=shut)] == ["Plex"]


def test_an_outage_that_the_probe_is_not_certain_of_yet_is_told_once() -> None:
    doubtful = published.ProbeSeen(verdict="healthy", checked=before(12), silent_since=before(20))

    assert [text.partition(":")[0] for text in problems(probe=doubtful, proxy=SHUT)] == ["Plex"]


@pytest.mark.parametrize(("seconds", "state"), [(30, State.WARNING), (119, State.WARNING), (121, State.PROBLEM)])
def test_a_door_that_is_shut_before_a_plex_that_is_well_is_a_problem_of_its_own(seconds: float, state: State) -> None:
    found = door(proxy=shut_for(seconds))

    assert (found.state, found.since, found.command) == (state, wall(seconds), "plexguard-proxy show")
    assert "no request has passed to Plex for" in found.summary and "Plex does not answer" in found.summary
    assert overview(proxy=shut_for(seconds)).healthy is (state is State.WARNING)
    assert dict(found.details)["opened by"] == "checks that failed in a row"


def test_a_door_that_is_shut_while_nobody_looks_at_plex_is_a_problem() -> None:
    assert door(probe=None, proxy=shut_for(600)).state is State.PROBLEM


def test_a_drill_is_an_administrators_wish() -> None:
    drained = shut_for(5_000, trigger="drain", text="Plex is being worked on")

    assert (door(proxy=drained).state, door(proxy=drained).command) == (State.OFF, "plexguard-proxy ready")
    assert problems(proxy=drained) == [] and overview(proxy=drained).healthy
    # Let go, it ought to open.
    assert door(proxy=replace(drained, phase="half-open")).state is State.PROBLEM


def test_a_machine_without_plex_is_not_told_so_twice() -> None:
    none = FoundPlex(server=Server.NONE, missing="there is no Plex")

    assert door(plex=none, proxy=shut_for(600, phase="half-open")).state is State.OFF
    assert len(problems(plex=none, proxy=shut_for(600, phase="half-open"))) == 1


# -- nothing is known -------------------------------------------------------------------------------------------------


def test_a_breaker_that_does_not_look_is_a_problem_in_words() -> None:
    old = replace(CLOSED, seen=before(300), opens=2, open_s=100.0)

    assert door(proxy=old).state is State.PROBLEM
    assert "has not looked at it for 5 min: whether requests pass to Plex is not known" in door(proxy=old).summary
    assert breaker(proxy=old) == Breaker(state="unknown", opens=2, open_s=100.0, checked=wall(300))


def test_a_breaker_that_has_just_been_started_is_waited_for() -> None:
    units = with_unit(BREAKER, active_state="active", started_s=NOW_S - 20)

    for record in (None, replace(CLOSED, seen=before(9_000))):
        assert door(proxy=record, units=units).state is State.WARNING
        assert breaker(proxy=record, units=units).state == "unknown"  # type: ignore[union-attr]
    assert door(proxy=None).state is State.PROBLEM


def test_a_record_of_another_boot_says_nothing_of_now() -> None:
    other = Moment(wall=before(5).wall.replace(year=2025), boot_id="boot-0", uptime_s=NOW_S)

    assert breaker(proxy=replace(CLOSED, seen=other)).state == "unknown"  # type: ignore[union-attr]
    assert door(proxy=replace(CLOSED, seen=before(-3_000))).state is State.UNKNOWN


def test_a_record_that_cannot_be_read_is_not_known() -> None:
    assert door(proxy=published.Reading(record=None, why="state.json: torn")).state is State.UNKNOWN


@pytest.mark.parametrize(
    ("name", "active_state", "state"),
    [
        (FRONT, "failed", State.PROBLEM),
        (FRONT, "inactive", State.WARNING),
        (BREAKER, "failed", State.PROBLEM),
        (BREAKER, "inactive", State.PROBLEM),
        (BREAKER, "activating", State.WARNING),
    ],
)
def test_a_unit_that_does_not_run_is_named(name: str, active_state: str, state: State) -> None:
    found = door(units=with_unit(name, active_state=active_state))

    assert found.state is state
    assert f"{name} does not run" in found.summary


# -- switched off -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [FRONT, BREAKER])
@pytest.mark.parametrize("file_state", ["disabled", "masked"])
def test_what_is_switched_off_is_no_fault(name: str, file_state: str) -> None:
    units = with_unit(name, active_state="inactive", file_state=file_state)

    assert door(units=units, proxy=replace(SHUT, seen=before(9_000))).state is State.OFF
    assert breaker(units=units) is None
    assert [text for text in problems(units=units, proxy=None) if "door" in text.lower()] == []


def test_a_machine_that_never_had_a_door_has_no_breaker() -> None:
    units = {name: unit for name, unit in with_unit(FRONT).items() if "proxy" not in name}

    assert (door(units=units, proxy=None).state, breaker(units=units, proxy=None)) == (State.OFF, None)


def test_without_the_service_manager_the_record_is_believed() -> None:
    assert door(manager_why="no D-Bus", units={}, proxy=shut_for(600)).state is State.PROBLEM
    assert door(manager_why="no D-Bus", units={}, proxy=None).state is State.OFF


# -- the breaker for programs -----------------------------------------------------------------------------------------


def test_all_of_the_breaker_is_passed_on() -> None:
    assert breaker(proxy=SHUT) == Breaker(
        state="open",
        since=wall(40),
        opened=wall(40),
        trigger="checks",
        reason="down",
        text="Plex does not answer",
        failed_checks=3,
        opens=2,
        # And what has passed when it was written down.
        open_s=130.0,
        checked=wall(10),
    )


def test_the_time_that_it_was_open_never_shrinks() -> None:
    told = [SHUT, replace(SHUT, seen=before(200), opened=before(230)), replace(CLOSED, opens=2, open_s=140.0)]

    assert [found.open_s for one in told if (found := breaker(proxy=one)) is not None] == [130.0, 130.0, 140.0]


def test_the_breaker_is_shown_also_where_nothing_is_known_of_plex() -> None:
    found = breaker(probe=None, proxy=replace(SHUT, phase="half-open"))

    assert found is not None and found.state == "half-open"


def test_what_was_told_of_the_proxy_is_not_told_again_as_an_event() -> None:
    told = JournalSeen(incidents=fold([tell("proxy.unreachable", -600)]), since=wall(7 * 86_400))

    assert problems(told=told) == []
    assert [text.partition(":")[0] for text in problems(told=told, proxy=replace(CLOSED, seen=before(600)))] == ["Front door"]
