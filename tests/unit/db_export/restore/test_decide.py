"""Two users' states of one item become one."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.db_export.restore.decide import Setting, format_time, map_accounts, merge_setting, newest, parse_time

OURS = Setting(account_id=1, guid="plex://movie/1", view_count=2, view_offset=100, last_viewed_at=1000, updated_at=1000, rating=4.0)
times = st.one_of(st.none(), st.integers(0, 50))
settings = st.builds(
    Setting,
    account_id=st.just(1),
    guid=st.just("plex://movie/1"),
    rating=st.one_of(st.none(), st.floats(0, 10)),
    view_offset=times,
    view_count=st.one_of(st.none(), st.integers(0, 5)),
    last_viewed_at=times,
    created_at=times,
    updated_at=times,
    skip_count=times,
    last_skipped_at=times,
    changed_at=times,
    extra_data=st.one_of(st.none(), st.text(max_size=3)),
    last_rated_at=times,
)


def test_views_that_only_they_have_are_added_to_our_count():
    theirs = dataclasses.replace(OURS, view_count=3, last_viewed_at=2000, updated_at=2000)

    # We have counted one since, and so have they.
    merged = merge_setting(dataclasses.replace(OURS, view_count=3), theirs, gained=1, own=1)

    assert merged.view_count == 4
    assert merged.last_viewed_at == 2000


def test_item_that_was_marked_as_unwatched_since_stays_unwatched():
    theirs = dataclasses.replace(OURS, view_count=0, last_viewed_at=None, updated_at=2000)

    merged = merge_setting(OURS, theirs, gained=3)

    assert (merged.view_count, merged.last_viewed_at) == (0, None)


def test_resume_point_is_that_of_whoever_watched_last():
    later = dataclasses.replace(OURS, view_offset=777, updated_at=2000)

    assert merge_setting(OURS, later, gained=0).view_offset == 777
    assert merge_setting(later, OURS, gained=0).view_offset == 777


def test_rating_is_the_later_one_whoever_watched_later():
    theirs = dataclasses.replace(OURS, rating=9.0, last_rated_at=500, updated_at=500, last_viewed_at=500)
    ours = dataclasses.replace(OURS, rating=2.0, last_rated_at=400)

    merged = merge_setting(ours, theirs, gained=0)

    assert (merged.rating, merged.view_offset) == (9.0, 100)


def test_state_that_only_they_have_is_theirs():
    assert merge_setting(None, OURS, gained=7) == OURS


# What the snapshot has of an item that was watched twice, rated and begun again, and what becomes of it when that happened at
# home since: nothing has happened to the snapshot, so it is what home has.
SNAPSHOT = Setting(
    account_id=1,
    guid="plex://movie/1",
    rating=4.0,
    view_offset=100,
    view_count=2,
    last_viewed_at=1000,
    created_at=500,
    updated_at=1000,
    last_rated_at=900,
)
SINCE = {
    "watched again": ({"view_count": 3, "view_offset": None, "last_viewed_at": 2000}, 1),
    "watched twice more": ({"view_count": 4, "last_viewed_at": 2000}, 2),
    "marked as watched again, which is no view": ({"view_count": 3, "last_viewed_at": 2000}, 0),
    "marked as unwatched": ({"view_count": 0, "view_offset": None, "last_viewed_at": None}, 0),
    "marked as unwatched, with no count at all": ({"view_count": None, "view_offset": None, "last_viewed_at": None}, 0),
    "marked as unwatched and watched again": ({"view_count": 1, "last_viewed_at": 2000}, 1),
    "watched again and then marked as unwatched": ({"view_count": 0, "last_viewed_at": None}, 1),
    "unwatched, and watched as often as before": ({"view_count": 2, "last_viewed_at": 2000}, 2),
    "resume point moved": ({"view_offset": 777, "last_viewed_at": 2000}, 0),
    "resume point moved back": ({"view_offset": 5, "last_viewed_at": 2000}, 0),
    "resume point cleared": ({"view_offset": None}, 0),
    "resume point cleared to 0": ({"view_offset": 0}, 0),
    "rated anew": ({"rating": 9.0, "last_rated_at": 2000}, 0),
    "rating removed, at a time": ({"rating": None, "last_rated_at": 2000}, 0),
    "rating removed, with its time": ({"rating": None, "last_rated_at": None}, 0),
    "deleted, and added again with the same guid": (
        {
            "rating": None,
            "last_rated_at": None,
            "view_count": None,
            "view_offset": None,
            "last_viewed_at": None,
            "created_at": 1900,
        },
        0,
    ),
    "nothing": ({"updated_at": 1000}, 0),
}


@pytest.mark.parametrize(("change", "gained"), SINCE.values(), ids=SINCE)
def test_a_snapshot_becomes_what_was_done_since(change, gained):
    home = dataclasses.replace(SNAPSHOT, **{"updated_at": 2000, **change})

    merged = merge_setting(SNAPSHOT, home, gained=gained)

    assert merged == dataclasses.replace(home, created_at=500)


# What became of the same item in the database that comes, and at home, since they were one; and what is kept of both.
APART = {
    "both watched it": ({"view_count": 3, "updated_at": 1500}, 1, {"view_count": 4, "updated_at": 2000}, 2, {"view_count": 5}),
    "watched there, unwatched here later": (
        {"view_count": 3, "updated_at": 1500, "last_viewed_at": 1500},
        1,
        {"view_count": 0, "updated_at": 2000, "last_viewed_at": None},
        0,
        {"view_count": 0, "last_viewed_at": None},
    ),
    "unwatched here, watched there later": (
        {"view_count": 3, "updated_at": 2000, "last_viewed_at": 2000},
        1,
        {"view_count": 0, "updated_at": 1500, "last_viewed_at": None},
        0,
        {"view_count": 3, "last_viewed_at": 2000},
    ),
    "unwatched there later than watched here": (
        {"view_count": 0, "updated_at": 2000, "last_viewed_at": None},
        0,
        {"view_count": 3, "updated_at": 1500, "last_viewed_at": 1500},
        1,
        {"view_count": 0, "last_viewed_at": None},
    ),
    "watched there, and begun here later": (
        {"view_count": 3, "updated_at": 1500, "last_viewed_at": 1500, "view_offset": None},
        1,
        {"updated_at": 2000, "view_offset": 50},
        0,
        {"view_count": 3, "last_viewed_at": 1500, "view_offset": 50},
    ),
    "rated there later than here": (
        {"rating": 8.0, "last_rated_at": 2500, "updated_at": 1500},
        0,
        {"rating": 2.0, "last_rated_at": 1800, "updated_at": 2000},
        0,
        {"rating": 8.0, "last_rated_at": 2500},
    ),
}


@pytest.mark.parametrize(("there", "own", "here", "gained", "kept"), APART.values(), ids=APART)
def test_of_two_that_both_went_on_the_newer_state_and_all_views_are_kept(there, own, here, gained, kept):
    ours, theirs = dataclasses.replace(SNAPSHOT, **there), dataclasses.replace(SNAPSHOT, **here)

    merged = merge_setting(ours, theirs, gained=gained, own=own)

    assert {name: getattr(merged, name) for name in kept} == kept


@given(settings, settings, st.integers(0, 4), st.integers(0, 4))
def test_merging_twice_is_merging_once(ours, theirs, gained, own):
    once = merge_setting(ours, theirs, gained=gained, own=own)

    # What only we have is still ours alone.
    assert merge_setting(once, theirs, gained=0, own=own) == once


@given(settings, settings, st.integers(0, 4))
def test_every_value_comes_from_one_of_the_two_and_a_count_from_both(ours, theirs, gained):
    merged = merge_setting(ours, theirs, gained=gained)

    for field in dataclasses.fields(Setting):
        if field.name != "view_count":
            assert getattr(merged, field.name) in (getattr(ours, field.name), getattr(theirs, field.name))
    newer = theirs if theirs.stamp > ours.stamp else ours
    most = max(theirs.view_count or 0, (ours.view_count or 0) + gained)
    assert (merged.view_count or 0) in (newer.view_count or 0, most)


@given(settings, settings, st.integers(0, 4))
def test_only_who_is_newer_can_make_an_item_unwatched(ours, theirs, gained):
    merged = merge_setting(ours, theirs, gained=gained)

    if not merged.view_count and max(ours.view_count or 0, theirs.view_count or 0):
        newer = theirs if theirs.stamp > ours.stamp else ours
        assert not newer.view_count


@given(st.lists(settings, min_size=1, max_size=5))
def test_of_several_rows_of_one_item_the_newest_counts(rows):
    (found,) = newest(rows).values()

    assert found.stamp == max(row.stamp for row in rows)


def test_accounts_are_found_by_id_then_by_name_and_told_when_unknown():
    ours = {1: "owner", 7: "ana", 8: "", 20: "bob", 30: "twin", 31: "twin"}
    theirs = {1: "", 7: "ana", 8: "carl", 9: "bob", 10: "twin", 11: "new"}

    found = map_accounts(ours, theirs, used=(7, 12))

    assert found.ours == {1: 1, 7: 7, 8: 8, 9: 20}
    assert found.unknown == {10: "twin", 11: "new", 12: "account 12"}


def test_account_of_the_same_id_and_another_name_is_another_user():
    found = map_accounts({7: "ana"}, {7: "bob"}, used=())

    assert found.ours == {}
    assert found.unknown == {7: "bob"}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        (1_500_000_000, 1_500_000_000),
        (1_500_000_000.9, 1_500_000_000),
        ("1500000000", 1_500_000_000),
        ("2017-07-14 02:40:00", 1_500_000_000),
        ("2017-07-14 02:40:00.123456", 1_500_000_000),
        ("2017-07-14T02:40:00", 1_500_000_000),
        ("yesterday", None),
        ("", None),
        (b"\x00", None),
    ],
)
def test_times_of_every_schema_are_understood(value, seconds):
    assert parse_time(value) == seconds


@given(st.integers(0, 4_000_000_000))
def test_a_time_that_is_written_as_text_is_read_back(seconds):
    assert parse_time(format_time(seconds, as_text=True)) == seconds
    assert format_time(seconds, as_text=False) == seconds
