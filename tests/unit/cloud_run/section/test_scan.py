"""Libraries are scanned one after the other, and whatever goes away meanwhile, nothing is lost."""

import itertools

import pytest

from plexguard.cloud_run.section.labour import LabourFailed
from plexguard.cloud_run.section.order import UnknownSection
from plexguard.cloud_run.section.scan import ScanFailed
from plexguard.cloud_run.section.told import Plan
from plexguard.core.plex import Library
from tests.unit.cloud_run.section.world import Shelf, World


def shelf(key: str, title: str, *, there: int, items: int, kind: str = "movie") -> Shelf:
    return Shelf(
        library=Library(key=key, title=title, type=kind, folders=(f"/Media/{title}",), scanning=False), there=there, items=items
    )


def world(*shelves: Shelf, **given: object) -> World:
    made = shelves or (shelf("1", "Films", there=1_100, items=1_000),)
    return World(shelves={one.library.key: one for one in made}, **given)  # type: ignore[arg-type]


def verbs(made: World, verb: str) -> list[str]:
    return [title for done, title in made.done if done == verb]


def test_each_library_is_scanned_to_its_end_before_the_next() -> None:
    made = world(
        shelf("1", "Films", there=1_100, items=1_000),
        shelf("7", "Music", there=50_000, items=49_000, kind="artist"),
        shelf("4", "Photos", there=28_000, items=0, kind="photo"),
    )
    scan = made.make()
    scan.run()

    assert verbs(made, "scanned") == ["Films", "Music"]
    assert {one.after.title: (one.before.items, one.after.items) for one in scan.told.libraries.values()} == {
        "Films": (1_000, 1_100),
        "Music": (49_000, 50_000),
    }
    assert all(one.seconds >= made.takes_s for one in scan.told.libraries.values())
    assert made.kept == {} and verbs(made, "put back") == []
    assert made.saved[-1] == scan.told


def test_what_is_done_is_not_done_again() -> None:
    made = world(shelf("1", "Films", there=10, items=10), shelf("2", "Series", there=30, items=30, kind="show"))
    first = made.make()
    first.run()
    made.done.clear()
    again = made.make(told=first.told)
    again.run()
    assert made.done == []
    # One that was cut off in its midst is begun anew, with what was kept before it first began.
    second = made.make(told=next(told for told in made.saved if list(told.libraries) == ["1"]))
    second.run()
    assert verbs(made, "scanned") == ["Series"]


def test_two_libraries_of_one_title_are_two() -> None:
    made = world(shelf("1", "Films", there=12, items=10), shelf("2", "Films", there=33, items=30))
    scan = made.make()
    scan.run()
    assert [one.after.items for one in scan.told.libraries.values()] == [12, 33]


def test_what_was_there_before_is_that_before_the_first_attempt() -> None:
    """A worker that was killed had put nothing back yet: what is left is no measure of what was there."""
    made = world(shelf("1", "Films", there=1_000, items=1_000))
    first = made.make()
    first.begin(made.shelves["1"].library)
    made.keep(made.shelves["1"].library)
    made.shelves["1"].items, made.shelves["1"].trashed, made.shelves["1"].there = 600, 400, 600
    with pytest.raises(ScanFailed, match=r"400 of 1,000 items are gone"):
        made.make(told=first.told).run()
    assert (made.shelves["1"].items, verbs(made, "emptied")) == (1_000, [])


def test_a_library_that_nobody_knows_is_told_before_anything_is_scanned() -> None:
    made = world()
    with pytest.raises(UnknownSection, match="there are: Films"):
        made.make(Plan(data="/data", export=("x",), sections=("films",))).run()
    assert made.done == []


def test_a_few_that_are_gone_are_forgotten_after_a_scan_that_was_right() -> None:
    made = world(shelf("1", "Films", there=980, items=1_000))
    scan = made.make()
    scan.run()
    assert verbs(made, "emptied") == ["Films"]
    assert (made.shelves["1"].items, made.shelves["1"].trashed) == (980, 0)


# In the midst of a scan, for a while; from the beginning; again and again.
AWAY = [[(100.0, 400.0)], [(0.0, 60.0)], [(100.0, 200.0), (600.0, 700.0), (1_100.0, 1_200.0)]]


@pytest.mark.parametrize("spans", AWAY, ids=["in its midst", "at the beginning", "again and again"])
@pytest.mark.parametrize("can_cancel", [True, False], ids=["cancelled", "goes on"])
def test_media_that_go_away_cost_nothing(spans: list[tuple[float, float]], can_cancel: bool) -> None:
    made = world(takes_s=450.0, faults={"gone": spans}, can_cancel=can_cancel)
    scan = made.make()
    scan.run()
    assert (made.shelves["1"].items, made.shelves["1"].trashed) == (1_100, 0)
    assert verbs(made, "emptied") == []
    begun = len(verbs(made, "scanned"))
    assert begun == 1 + sum(begin > 0 for begin, _ in spans)
    assert len([note for note in scan.told.notes if "broken off" in note.text]) == begun - 1


def test_media_that_were_away_between_two_looks_are_no_scan_that_errs() -> None:
    made = world(takes_s=10.0, faults={"gone": [(2.0, 4.0)]})
    scan = made.make()
    scan.run()
    assert (made.shelves["1"].items, made.shelves["1"].trashed) == (1_100, 0)
    assert len(verbs(made, "scanned")) == 2


def test_media_that_stay_away_end_it() -> None:
    made = world(faults={"gone": [(100.0, 1e9)]})
    with pytest.raises(LabourFailed, match="its media are away for 2h"):
        made.make().run()
    assert made.shelves["1"].items + made.shelves["1"].trashed >= 1_000
    assert verbs(made, "emptied") == []


def test_a_storage_that_lies_is_braked_and_all_is_as_before() -> None:
    made = world(takes_s=600.0, faults={"lying": [(60.0, 1e9)]})
    with pytest.raises(ScanFailed, match=r"Films: .* of 1,000 items are gone \(.* %\).*the scan was undone"):
        made.make().run()
    assert verbs(made, "put back") == ["Films"] and verbs(made, "emptied") == []
    assert (made.shelves["1"].items, made.shelves["1"].trashed) == (1_000, 0)


SIGNALS = ("api", "database", "cpu")


@pytest.mark.parametrize(
    "failing", [some for n in range(1, 4) for some in itertools.combinations(SIGNALS, n)], ids=lambda some: " and ".join(some)
)
def test_signals_that_fail_for_a_while_end_no_scan_early(failing: tuple[str, ...]) -> None:
    made = world(takes_s=1_800.0, faults={name: [(60.0, 600.0)] for name in failing})
    scan = made.make()
    scan.run()
    assert made.shelves["1"].items == 1_100
    assert scan.told.libraries["1"].seconds >= 1_800.0


@pytest.mark.parametrize(
    "failing", [some for n in range(1, 4) for some in itertools.combinations(SIGNALS, n)], ids=lambda some: " and ".join(some)
)
def test_signals_that_fail_for_good_never_make_it_done(failing: tuple[str, ...]) -> None:
    made = world(faults={name: [(60.0, 1e9)] for name in failing})
    scan = made.make()
    with pytest.raises(ScanFailed):
        scan.run()
    assert scan.told.libraries == {} and verbs(made, "emptied") == []


@pytest.mark.parametrize("down", [(60.0, 70.0), (60.0, 400.0), (3.0, 4.0)], ids=["for a moment", "for minutes", "at the beginning"])
def test_plex_that_crashes_in_the_midst_scans_again_and_nothing_is_lost(down: tuple[float, float]) -> None:
    made = world(takes_s=300.0, faults={"down": [down]})
    scan = made.make()
    scan.run()
    assert (made.shelves["1"].items, made.shelves["1"].trashed) == (1_100, 0)
    assert len(verbs(made, "scanned")) == 2
    assert any("Plex was started anew in its midst" in note.text for note in scan.told.notes)


def test_plex_that_was_killed_is_started_and_scans_again() -> None:
    made = world(takes_s=300.0, faults={"killed": [(60.0, 1e9)]})
    scan = made.make()
    scan.run()
    assert (made.shelves["1"].items, made.shelves["1"].trashed) == (1_100, 0)
    assert len(verbs(made, "scanned")) == 2 and len(verbs(made, "started")) == 1


def test_plex_that_stays_away_ends_it_in_minutes_and_not_in_hours() -> None:
    made = world(takes_s=300.0, faults={"down": [(60.0, 1e9)]})
    with pytest.raises(LabourFailed, match="Plex is gone for 15min"):
        made.make().run()
    assert made.clock.monotonic_s() - made.origin_s < 1_100.0
    assert verbs(made, "emptied") == []


def test_scan_that_plex_gives_up_without_a_word_is_begun_again() -> None:
    made = world(takes_s=300.0)
    begin, begun = made.scan, 0

    def scan(library: Library, *, timeout_s: float, is_forced: bool = False) -> None:
        nonlocal begun
        begun += 1
        begin(library, timeout_s=timeout_s, is_forced=is_forced)
        if begun == 1:
            made.running = ""

    made.scan = scan  # type: ignore[method-assign]
    labour = made.make()
    labour.run()
    assert begun == 2 and (made.shelves["1"].items, made.shelves["1"].trashed) == (1_100, 0)
    assert any("Plex tells of no end" in note.text for note in labour.told.notes)
