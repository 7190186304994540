"""The order of a swap, and what is left to do from wherever it stands."""

import pytest

from plexguard.db_export.swap.plan import Do, Found, Kind, Piece, Seen, Step, Swap, is_begun, is_over, plan_back, plan_forward

LIBRARY = Piece(kind=Kind.DATABASE, place="library", kept="old/library", staged="new/library")
BLOBS = Piece(kind=Kind.DATABASE, place="blobs", kept="old/blobs", staged="new/blobs")
WAL = Piece(kind=Kind.SIDE, place="wal", kept="old/wal")
PREFERENCES = Piece(kind=Kind.FILE, place="preferences", kept="old/preferences", staged="new/preferences")
SWAP = Swap(generation="old", staging="new", reason="repair", pieces=(LIBRARY, BLOBS, WAL, PREFERENCES))
THERE = Seen(place=Found.SOMETHING, is_staged=True)
BOLTED = Seen(place=Found.BOLT, is_kept=True, is_staged=True)
PUT = Seen(place=Found.SOMETHING, is_kept=True)
BEFORE = {"library": THERE, "blobs": THERE, "wal": Seen(place=Found.SOMETHING), "preferences": THERE}
AFTER = {"library": PUT, "blobs": PUT, "wal": Seen(place=Found.NOTHING, is_kept=True), "preferences": PUT}


def test_library_is_bolted_before_anything_else_and_opened_after_everything_else():
    plan = [step for step in plan_forward(SWAP, BEFORE) if step.do is not Do.SYNC]

    assert plan == [
        Step(Do.LINK, "library", "old/library"),
        Step(Do.BOLT, target="library"),
        Step(Do.LINK, "blobs", "old/blobs"),
        Step(Do.BOLT, target="blobs"),
        Step(Do.LOOK),
        Step(Do.MOVE, "wal", "old/wal"),
        Step(Do.LINK, "preferences", "old/preferences"),
        Step(Do.MOVE, "new/preferences", "preferences"),
        Step(Do.MOVE, "new/blobs", "blobs"),
        Step(Do.MOVE, "new/library", "library"),
    ]


def test_what_is_renamed_is_on_the_disk_before_the_library_is_opened_again():
    plan = plan_forward(SWAP, BEFORE)

    assert plan[-3:] == (Step(Do.SYNC), Step(Do.MOVE, "new/library", "library"), Step(Do.SYNC))


def test_what_is_in_place_is_left_there():
    seen = {**AFTER, "library": BOLTED}

    plan = [step for step in plan_forward(SWAP, seen) if step.do is not Do.SYNC]

    assert plan == [Step(Do.MOVE, "new/library", "library")]


def test_wal_of_whoever_opened_the_new_library_meanwhile_stays():
    seen = {**AFTER, "wal": PUT, "preferences": Seen(place=Found.SOMETHING, is_kept=True, is_staged=True)}

    assert all(step.source != "wal" for step in plan_forward(SWAP, seen))


def test_swap_is_over_when_nothing_is_staged_and_nothing_bolted():
    assert is_over(SWAP, AFTER)
    assert plan_forward(SWAP, AFTER) == ()
    assert not is_over(SWAP, {**AFTER, "library": BOLTED})


@pytest.mark.parametrize(
    ("seen", "begun"),
    [
        (BEFORE, False),
        ({**BEFORE, "library": Seen(place=Found.SOMETHING, is_kept=True, is_staged=True)}, False),
        ({**BEFORE, "library": BOLTED}, True),
        ({**AFTER, "library": BOLTED}, True),
    ],
    ids=["written down", "linked", "bolted", "nearly done"],
)
def test_swap_has_begun_when_the_library_is_bolted(seen, begun):
    assert is_begun(SWAP, seen) is begun


def test_all_goes_back_with_the_library_last():
    seen = {**AFTER, "library": BOLTED}

    plan = [step for step in plan_back(SWAP, seen) if step.do is not Do.SYNC]

    assert plan == [
        Step(Do.LINK, "preferences", "new/preferences"),
        Step(Do.MOVE, "blobs", "new/blobs"),
        Step(Do.MOVE, "old/preferences", "preferences"),
        Step(Do.MOVE, "old/wal", "wal"),
        Step(Do.MOVE, "old/blobs", "blobs"),
        Step(Do.MOVE, "old/library", "library"),
    ]


def test_database_that_was_not_there_is_unbolted_by_removing_the_bolt():
    gone = Swap(
        generation="old", staging="new", reason="undo", pieces=(LIBRARY, Piece(kind=Kind.DATABASE, place="b", kept="old/b"))
    )
    seen = {"library": BOLTED, "b": Seen(place=Found.BOLT, is_kept=True)}

    assert Step(Do.REMOVE, target="b") in plan_forward(gone, seen)


def test_folder_that_somebody_made_meanwhile_makes_room_for_the_one_that_comes():
    tree = Piece(kind=Kind.TREE, place="Metadata", kept="old/Metadata", staged="new/Metadata")
    swap = Swap(generation="old", staging="new", reason="restore", pieces=(LIBRARY, tree))
    seen = {"library": BOLTED, "Metadata": Seen(place=Found.SOMETHING, is_kept=True, is_staged=True)}

    assert Step(Do.MOVE, "Metadata", "old/Metadata.since") in plan_forward(swap, seen)
