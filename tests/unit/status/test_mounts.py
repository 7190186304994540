"""Mounts, a held Plex and the trash, as the overview tells them."""

from dataclasses import replace
from typing import Any

import pytest

from plexguard.core import published
from plexguard.core.events import FilePath
from plexguard.core.manager import Unit
from plexguard.core.published import HoldSeen, MountSeen, Reading, TrashLibrarySeen, TrashSeen
from plexguard.rclone_watchdog.states import Verdict
from plexguard.status.observe import GuardedMount, Limits
from plexguard.status.overview import State, Thing
from plexguard.status.server.metrics import _VERDICTS
from tests.unit.status.world import NOW, NOW_S, before, make_units, overview, thing, wall

X, W, P, U, OFF = State.WELL, State.WARNING, State.PROBLEM, State.UNKNOWN, State.OFF
UNIT = "plexguard-rclone-watchdog@films.service"
RUNS = Unit(name=UNIT, load_state="loaded", active_state="active", file_state="enabled", started_s=NOW_S - 500)
NEVER = Unit(name=UNIT, load_state="loaded", file_state="disabled")
STOPPED = replace(RUNS, active_state="inactive", left_active_s=NOW_S - 60, ended_s=NOW_S - 59)
PROVEN = MountSeen(path=FilePath("/m"), verdict="proven", checked=before(10), proven=before(12))
LIMITS = Limits(mounts={"films": GuardedMount(path="/m")})


def films(record: Any, *, unit: Unit | None = RUNS, limits: Limits = LIMITS, **changes: Any) -> Thing:
    units = make_units() | ({unit.name: unit} if unit is not None else {})
    return thing("mount films", mounts={} if record is None else {"films": record}, units=units, limits=limits, **changes)


@pytest.mark.parametrize(
    ("mount", "expected"),
    [
        (PROVEN, X),
        (replace(PROVEN, verdict="slow"), W),
        *(
            (replace(PROVEN, verdict=verdict), P)
            for verdict in ("stale", "hung", "degraded", "refusing", "empty", "foreign", "absent")
        ),
        # Of a later version.
        (replace(PROVEN, verdict="nobody knows this word"), P),
        (replace(PROVEN, verdict="unknown"), U),
        (replace(PROVEN, checked=before(74)), P),
        (replace(PROVEN, checked=None), P),
        (replace(PROVEN, path=FilePath("/elsewhere")), P),
        (Reading(record=None, why="torn"), U),
        (None, U),
    ],
)
def test_a_mount_is_only_well_as_long_as_it_is_proven(mount: Any, expected: State) -> None:
    assert films(mount).state is expected


@pytest.mark.parametrize("ahead_s", [60, 1e9, 1e300])
def test_a_mount_that_claims_to_be_from_the_future_is_a_problem(ahead_s: float) -> None:
    assert films(replace(PROVEN, checked=replace(NOW, uptime_s=NOW_S + ahead_s))).state is P


def test_every_verdict_is_a_state_of_the_metrics() -> None:
    assert {verdict.value for verdict in Verdict} < set(_VERDICTS)


@pytest.mark.parametrize(
    ("record", "unit", "expected", "said"),
    [
        (None, NEVER, P, "has never run"),
        (None, replace(NEVER, load_state="not-found", file_state=""), P, "is not installed"),
        (PROVEN, STOPPED, OFF, "is stopped"),
        # Its mount is there no more, and the manager remembers nothing of it.
        (PROVEN, NEVER, OFF, "is stopped"),
        (None, replace(NEVER, load_state="masked", file_state="masked"), OFF, "is masked"),
        (PROVEN, replace(RUNS, active_state="failed", result="exit-code", ended_s=NOW_S - 9), P, "has failed (exit-code)"),
        (replace(PROVEN, verdict="hung", detail="no bytes"), replace(RUNS, active_state="activating"), P, "no bytes"),
    ],
    ids=["never run", "not installed", "stopped", "stopped before this boot", "masked", "failed", "comes back"],
)
def test_a_mount_that_nobody_watches_is_never_well_and_never_absent(
    record: MountSeen | None, unit: Unit, expected: State, said: str
) -> None:
    found = films(record, unit=unit)

    assert (found.state, said in found.summary) == (expected, True)


def test_a_configured_mount_is_shown_when_nothing_answers() -> None:
    assert films(None, unit=None, manager_why="no bus").state is U


def test_a_mount_that_is_configured_no_more_is_told_as_long_as_it_is_watched() -> None:
    assert films(PROVEN, limits=Limits()).state is W
    found = overview(mounts={"films": PROVEN}, units=make_units() | {UNIT: STOPPED})
    assert [thing.name for thing in found.things if thing.name.startswith("mount")] == ["mounts"]


def test_what_is_known_of_a_mount_is_told() -> None:
    known = replace(
        PROVEN,
        latency_s=0.31,
        limit_s=3.0,
        cache_bytes=3_100_000_000,
        cache_limit_bytes=50_000_000_000,
        waiting=4,
        remounts=2,
        fault="hung: no bytes",
        fault_at=before(7_300),
        gave_up=True,
    )
    found = films(known)

    assert dict(found.details) == {
        "bytes read": "12 s ago",
        "latency": "0.31 s, late from 3.0 s",
        "cache": "3.1 GB of 50 GB",
        "waiting requests": "4",
        "remounts": "2 in the last day",
        "last fault": "hung: no bytes, 2 h ago",
    }
    assert "left to a person" in found.summary
    (view,) = overview(mounts={"films": known}, units=make_units() | {UNIT: RUNS}, limits=LIMITS).mounts
    assert (view.latency_s, view.cache_bytes, view.waiting, view.proven) == (0.31, 3_100_000_000, 4, wall(12))


# -- Plex, held -------------------------------------------------------------------------------------------------------


def hold(record: Any, **changes: Any) -> list[Thing]:
    return [thing for thing in overview(hold=record, **changes).things if thing.name == "hold"]


def test_where_no_mount_is_guarded_nobody_is_told_of_holding_plex() -> None:
    assert hold(None) == []
    assert overview().hold is None


@pytest.mark.parametrize(
    ("record", "expected", "said"),
    [
        (None, X, "nothing is held"),
        (HoldSeen(), X, "nothing is held"),
        (HoldSeen(holders={"films": before(300)}, before={"autoEmptyTrash": "true"}), W, "held for mount films"),
        (HoldSeen(holders={"films": before(300), "tv": before(20)}), W, "held for mounts films, tv"),
        (
            HoldSeen(holders={"films": before(300)}, failed="connection refused"),
            P,
            "not held for mount films yet: connection refused",
        ),
        (HoldSeen(before={"autoEmptyTrash": "true"}), W, "still to be put back: autoEmptyTrash"),
        (Reading(record=None, why="torn"), U, "torn"),
    ],
)
def test_a_held_plex_is_told(record: Any, expected: State, said: str) -> None:
    (found,) = hold(record, limits=LIMITS, units=make_units() | {UNIT: RUNS}, mounts={"films": PROVEN})

    assert (found.state, said in found.summary) == (expected, True)


def test_it_is_told_since_when_and_for_which_mount() -> None:
    record = HoldSeen(holders={"films": before(300), "tv": before(20)})
    found = overview(hold=record, limits=LIMITS, mounts={"films": PROVEN}, units=make_units() | {UNIT: RUNS})

    assert found.hold is not None and found.hold.since == wall(300)
    assert found.mounts[0].held_since == wall(300)


# -- trash ------------------------------------------------------------------------------------------------------------

TIMER = Unit(name="plexguard-trash.timer", load_state="loaded", active_state="active", file_state="enabled")
FILMS = TrashLibrarySeen(title="Films", missing=0, total=1200, limit=50)
KEPT = replace(FILMS, missing=60, kept="60 items are more than 50", kept_since=before(600))


def trash(record: Any, *, on: bool = True, timer: Unit = TIMER) -> Thing:
    return thing("trash", trash=record, limits=Limits(trash=on), units=make_units() | {timer.name: timer})


@pytest.mark.parametrize(
    ("record", "on", "timer", "expected", "said"),
    [
        (None, False, TIMER, OFF, "does not empty"),
        (TrashSeen(checked=before(60), before="true"), False, TIMER, W, "not switched on again"),
        (None, True, TIMER, W, "has not been looked at yet"),
        (TrashSeen(checked=before(60), libraries={"1": FILMS}), True, TIMER, X, "nothing is kept of 1 library"),
        (TrashSeen(checked=before(60), libraries={"1": FILMS}), True, replace(TIMER, active_state="inactive"), W, "is stopped"),
        (TrashSeen(checked=before(60), libraries={"1": KEPT}), True, TIMER, W, "Films: 60 items are more than 50"),
        (TrashSeen(checked=before(60), fault="connection refused"), True, TIMER, W, "connection refused"),
        (TrashSeen(checked=before(3 * 86_400)), True, TIMER, W, "last looked at 3 d ago"),
        (Reading(record=None, why="torn"), True, TIMER, U, "torn"),
    ],
)
def test_the_trash_is_off_or_emptied_or_kept(record: Any, on: bool, timer: Unit, expected: State, said: str) -> None:
    found = trash(record, on=on, timer=timer)

    assert (found.state, said in found.summary) == (expected, True)


def test_the_trash_of_each_library_is_told() -> None:
    found = overview(
        trash=TrashSeen(checked=before(60), libraries={"1": KEPT, "2": replace(FILMS, title="TV", missing=None, total=None)}),
        limits=Limits(trash=True),
        units=make_units() | {TIMER.name: TIMER},
    )

    assert [(one.title, one.state, one.kept_since) for one in found.trash] == [("Films", W, wall(600)), ("TV", U, None)]
    assert published.TRASH.schema == 1
