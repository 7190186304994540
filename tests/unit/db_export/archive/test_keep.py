from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.db_export.archive.keep import Kept, Rules, choose_removed
from plexguard.db_export.archive.manifest import DatabaseFacts, Manifest, Member, member_of
from plexguard.db_export.database.files import LIBRARY

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HERE = "machine"


def kept(made: datetime, *, damage: str = "", machine: str = HERE) -> Kept:
    facts = DatabaseFacts(schema_version="1", page_size=1024, rows={}, damage=damage)
    member = Member(name=member_of(LIBRARY), size=1, sha256="0" * 64)
    manifest = Manifest(
        made=made, plexguard="1", plex="", machine_identifier=machine, members=(member,), databases={LIBRARY: facts}
    )
    return Kept(path=Path(f"/x/{made.isoformat()}{damage}{machine}"), size=1, manifest=manifest)


def days(*ago: int) -> list[Kept]:
    return [kept(NOON - timedelta(days=n)) for n in ago]


def ago_of(archives: tuple[Kept, ...]) -> list[int]:
    return [(NOON - one.manifest.made).days for one in archives]


def test_last_of_each_day_week_and_month_stays():
    # 22 November 2026 is a Sunday: the weeks end at 0, 7, 14 days ago; the months at 22 (31 October) and 53 days ago.
    removed = choose_removed(days(*range(60)), Rules(daily=3, weekly=3, monthly=3), machine_identifier=HERE)
    assert set(range(60)) - set(ago_of(removed)) == {0, 1, 2, 7, 14, 22, 53}


def test_days_without_an_archive_do_not_count():
    removed = choose_removed(days(0, 10, 20, 30), Rules(daily=3, weekly=0, monthly=0), machine_identifier=HERE)
    assert ago_of(removed) == [30]


def test_one_of_several_of_a_day_stays():
    archives = [kept(NOON - timedelta(hours=n)) for n in range(3)]
    assert choose_removed(archives, Rules(daily=7, weekly=4, monthly=6), machine_identifier=HERE) == (archives[2], archives[1])


def test_last_good_one_stays_whatever_the_rules_say():
    assert ago_of(choose_removed(days(5, 6), Rules(daily=0, weekly=0, monthly=0), machine_identifier=HERE)) == [6]


def test_damaged_one_does_not_push_a_good_one_out():
    archives = [
        kept(NOON, damage="x"),
        *days(1),
        kept(NOON - timedelta(days=2), damage="x"),
        kept(NOON - timedelta(days=3), damage="x"),
    ]
    removed = choose_removed(archives, Rules(daily=1, weekly=0, monthly=0), machine_identifier=HERE)
    assert removed == (archives[3],)


def test_archives_of_another_server_and_unknown_ones_stay():
    strange = Kept(path=Path("/x/strange"), size=1, manifest=None, fault="cut short")
    archives = [*days(0), kept(NOON - timedelta(days=99), machine="other"), strange]
    assert choose_removed(archives, Rules(daily=1, weekly=0, monthly=0), machine_identifier=HERE) == ()


@given(
    st.lists(st.tuples(st.integers(0, 1_000_000), st.booleans()), max_size=40),
    st.integers(0, 10),
    st.integers(0, 10),
    st.integers(0, 10),
)
def test_newest_good_one_always_stays(ages, daily, weekly, monthly):
    archives = [kept(NOON - timedelta(minutes=minutes), damage="" if good else "x") for minutes, good in ages]
    rules = Rules(daily=daily, weekly=weekly, monthly=monthly)
    left = {one.path for one in archives} - {one.path for one in choose_removed(archives, rules, machine_identifier=HERE)}
    good = [one for one in archives if one.is_good]
    if good:
        assert max(good, key=lambda one: one.manifest.made).path in left


@pytest.mark.parametrize("again", range(2))
def test_what_stays_stays_when_it_is_decided_again(again):
    rules = Rules(daily=3, weekly=3, monthly=3)
    archives = days(*range(60))
    for _ in range(again + 1):
        gone = choose_removed(archives, rules, machine_identifier=HERE)
        archives = [one for one in archives if one not in gone]
    assert choose_removed(archives, rules, machine_identifier=HERE) == ()
