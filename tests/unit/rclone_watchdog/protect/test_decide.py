"""What is held and put back, from every state that an end of ours can leave."""

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.core.plex import Activity, Library
from plexguard.rclone_watchdog.protect.decide import (
    EMPTY_TRASH,
    HELD,
    ON,
    SETTINGS,
    UNKNOWN,
    Hold,
    Next,
    find_scans,
    judge_library,
    take_in,
    to_hold,
    to_restore,
)
from tests.fakes.ports import FakeClock

NOW = FakeClock().moment()
FILMS = Library(key="1", title="Films", type="movie", folders=("/srv/films",), scanning=False, scanned_at=100)
SHOWS = Library(key="2", title="Shows", type="show", folders=("/srv/shows",), scanning=False)
VALUES = st.fixed_dictionaries({}, optional={name: st.sampled_from(["true", "false"]) for name in SETTINGS})


def hold_all(hold: Hold, plex: dict[str, str]) -> Hold:
    """Do a whole pass of holding, as act.py does."""
    hold = take_in(hold, plex)
    for name in to_hold(hold, plex):
        plex[name] = HELD
    return take_in(hold, plex)


def restore_all(hold: Hold, plex: dict[str, str]) -> Hold:
    hold = hold.begin_end()
    for name in to_restore(hold, plex):
        plex[name] = hold.before[name]
    return hold.end()


@given(VALUES)
def test_all_that_plex_has_is_held_and_comes_back_as_it_was(values: dict[str, str]) -> None:
    plex = {**values, "FriendlyName": "true"}
    hold = hold_all(Hold().add_holder("films", NOW), plex)
    assert {plex[name] for name in values} <= {HELD}
    assert hold.is_set is bool(values)
    restore_all(hold, plex)
    assert plex == {**values, "FriendlyName": "true"}


@given(VALUES.filter(bool), st.integers(0, 12), st.integers(0, 12), st.integers(0, 6))
def test_whatever_step_is_the_last_one_the_next_passes_end_as_if_there_had_been_no_end(
    values: dict[str, str], first: int, second: int, third: int
) -> None:
    """Each step is a write of the record or a change in Plex; the process is killed after so many of them, thrice."""
    plex, disk = dict(values), Hold().add_holder("films", NOW)

    def holding() -> object:
        nonlocal disk
        disk = take_in(disk, plex)
        yield
        for name in to_hold(disk, plex):
            plex[name] = HELD
            yield
        disk = take_in(disk, plex)

    def ending() -> object:
        nonlocal disk
        disk = disk.begin_end()
        yield
        for name in to_restore(disk, plex):
            plex[name] = disk.before[name]
            yield

    for steps, number in ((holding(), first), (ending(), second), (holding(), third)):
        list(itertools.islice(steps, number))  # type: ignore[call-overload]
    disk = hold_all(disk, plex)
    assert {plex[name] for name in values} == {HELD}
    assert not disk.theirs
    restore_all(disk, plex)
    assert plex == values


def test_a_person_who_changes_a_setting_that_is_held_wins_now_and_when_it_ends() -> None:
    plex = dict.fromkeys(SETTINGS, "true")
    hold = hold_all(Hold(), plex)
    plex[EMPTY_TRASH] = ON
    hold = hold_all(hold, plex)
    assert hold.theirs == (EMPTY_TRASH,)
    assert plex[EMPTY_TRASH] == ON
    assert hold.is_set
    plex[EMPTY_TRASH] = HELD
    restore_all(hold, plex)
    assert plex[EMPTY_TRASH] == HELD
    assert plex[SETTINGS[1]] == ON


def test_a_person_who_switches_on_what_was_off_before_wins_too() -> None:
    plex = {EMPTY_TRASH: "true", SETTINGS[1]: "false"}
    hold = hold_all(Hold(), plex)
    plex[SETTINGS[1]] = ON
    hold = hold_all(hold, plex)
    assert plex[SETTINGS[1]] == ON
    restore_all(hold, plex)
    assert plex == {EMPTY_TRASH: ON, SETTINGS[1]: ON}


def test_nothing_is_taken_for_held_of_a_plex_that_tells_none_of_the_settings() -> None:
    assert not take_in(Hold(), {}).is_set
    assert not take_in(Hold(), {"FriendlyName": "x"}).is_set


def test_the_trash_is_held_before_all_else() -> None:
    plex = dict.fromkeys(reversed(SETTINGS), "true")
    assert to_hold(take_in(Hold(), plex), plex)[0] == EMPTY_TRASH


def test_the_trash_is_given_back_after_all_else() -> None:
    plex = dict.fromkeys(SETTINGS, "true")
    hold = hold_all(Hold().add_holder("films", NOW), plex)
    assert to_restore(hold, plex)[-1] == EMPTY_TRASH


def test_values_of_an_answer_in_xml_are_the_same() -> None:
    plex = {EMPTY_TRASH: "1", SETTINGS[1]: "0"}
    hold = take_in(Hold(), plex)
    assert to_hold(hold, plex) == (EMPTY_TRASH,)
    assert hold.before == {EMPTY_TRASH: ON, SETTINGS[1]: HELD}


# -- scans ------------------------------------------------------------------------------------------------------------

SCAN = Activity(type="library.update.section", title="Scanning Films", library="1", uuid="a")


@pytest.mark.parametrize(
    ("activities", "affected", "libraries", "cancelled", "is_nameless"),
    [
        ((), (FILMS,), (), (), False),
        ((SCAN,), (FILMS,), ("1",), ("a",), False),
        ((SCAN,), (SHOWS,), (), (), False),
        ((SCAN,), None, ("1",), ("a",), False),
        ((), (dataclasses.replace(FILMS, scanning=True),), ("1",), (), False),
        ((dataclasses.replace(SCAN, library=""),), (FILMS,), (), (), True),
        ((dataclasses.replace(SCAN, type="media.generate.intros"),), (FILMS,), (), (), False),
    ],
    ids=["none", "mine", "another's", "unknown", "not listed", "nameless", "no scan"],
)
def test_scans_are_found_by_activities_and_by_libraries(
    activities: tuple[Activity, ...],
    affected: tuple[Library, ...] | None,
    libraries: tuple[str, ...],
    cancelled: tuple[str, ...],
    is_nameless: bool,
) -> None:
    scans = find_scans(activities, affected)
    assert tuple(library.key for library in scans.libraries) == libraries
    assert tuple(activity.uuid for activity in scans.activities) == cancelled
    assert scans.is_nameless is is_nameless


# -- the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "missing", "was_scanned", "asked", "verdict"),
    [
        (0, 0, False, None, Next.DONE),
        (3, 3, False, None, Next.DONE),
        (3, 4, False, None, Next.SCAN),
        (3, 3, True, None, Next.SCAN),
        (0, 0, True, None, Next.DONE),
        (UNKNOWN, 0, False, None, Next.DONE),
        (UNKNOWN, 1, False, None, Next.SCAN),
        (0, 5, False, 100, Next.WAIT),
        (0, 5, False, 99, Next.MISSING),
        (0, 0, False, 99, Next.DONE),
        (3, 3, True, 99, Next.DONE),
        (UNKNOWN, 1, False, 99, Next.MISSING),
    ],
)
def test_a_library_is_done_when_plex_misses_no_more_than_before(
    base: int, missing: int, was_scanned: bool, asked: int | None, verdict: Next
) -> None:
    hold = Hold(
        before={EMPTY_TRASH: ON},
        missing={} if base == UNKNOWN else {"1": base},
        scanned=("1",) if was_scanned else (),
        asked={} if asked is None else {"1": asked},
    )
    assert judge_library(hold, FILMS, missing) is verdict


def test_where_plex_does_not_empty_its_trash_by_itself_nothing_is_waited_for_after_the_scan() -> None:
    hold = Hold(before={EMPTY_TRASH: HELD}, missing={"1": 0}, asked={"1": 99})
    assert judge_library(hold, FILMS, 5) is Next.DONE


def test_a_mount_that_is_not_proven_again_makes_an_earlier_scan_worthless() -> None:
    assert Hold(holders={"films": NOW}, asked={"1": 99}).add_holder("films", NOW).asked == {}


def test_who_was_let_go_by_hand_is_remembered_beyond_the_end_and_forgiven_by_a_proof() -> None:
    hold = Hold(holders={"films": NOW}).free("films", NOW).end()
    assert hold.freed == {"films": NOW}
    assert hold.forgive("films") == Hold()
