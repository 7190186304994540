"""Which rungs are tried, how many rows there should be, and what is too much to lose."""

import pytest

from plexguard.db_export.check.findings import Kind, damage, note, warning
from plexguard.db_export.repair.decide import (
    Known,
    Loss,
    Rung,
    damaged_tables,
    is_settled,
    measure,
    plan_rungs,
    rows_lost,
    too_much,
)


def test_a_sound_database_needs_no_rung():
    assert plan_rungs(()) == ()
    assert plan_rungs((warning(Kind.ORPHANS, "2 parts"), note(Kind.BLOATED, "much"), warning(Kind.FULL_TEXT, "drift"))) == ()


@pytest.mark.parametrize(
    ("kinds", "first"),
    [
        ((Kind.INDEX,), Rung.REINDEX),
        ((Kind.INDEX, Kind.FULL_TEXT), Rung.FULL_TEXT),
        ((Kind.FULL_TEXT,), Rung.FULL_TEXT),
        ((Kind.TABLE,), Rung.RELOAD),
        ((Kind.TABLE, Kind.INDEX), Rung.RELOAD),
        ((Kind.PAGES,), Rung.RELOAD),
        ((Kind.HEADER,), Rung.RELOAD),
        ((Kind.WAL,), Rung.WITHOUT_WAL),
        ((Kind.WAL, Kind.TABLE), Rung.WITHOUT_WAL),
        # Its rows may still be there, and what it looks like is known from the other database.
        ((Kind.MISSING_TABLE,), Rung.RELOAD),
        ((Kind.MISSING_TABLE, Kind.TABLE), Rung.RELOAD),
    ],
)
def test_the_first_rung_is_the_cheapest_that_can_help(kinds, first):
    rungs = plan_rungs(damage(kind, "") for kind in kinds)
    assert rungs[0] is first
    assert rungs[-1] is Rung.SNAPSHOT
    assert list(rungs) == sorted(rungs, key=list(Rung).index)


@pytest.mark.parametrize(
    ("last", "lost", "settled"),
    [
        (Rung.REINDEX, 1, True),
        (Rung.RELOAD, 1, True),
        (Rung.SALVAGE, 0, True),
        # Somebody else may find it.
        (Rung.SALVAGE, 1, False),
        (Rung.RECOVER, 1, True),
    ],
)
def test_what_a_salvage_has_lost_is_looked_for_before_it_is_taken(last, lost, settled):
    assert is_settled(last, lost) is settled
    rungs = plan_rungs((damage(Kind.TABLE, ""),))
    assert rungs.index(Rung.RECOVER) == rungs.index(Rung.RELOAD) + 1


def test_a_sequence_that_is_behind_is_mended_before_a_number_is_taken_twice():
    assert plan_rungs((warning(Kind.SEQUENCE, "behind"),))[0] is Rung.REINDEX


def test_only_tables_whose_pages_are_in_doubt_are_read_page_by_page():
    findings = (
        damage(Kind.TABLE, "", table="tags"),
        damage(Kind.INDEX, "", table="taggings"),
        warning(Kind.ORPHANS, "", table="media_parts"),
        damage(Kind.PAGES, ""),
    )
    assert damaged_tables(findings) == {"tags"}


@pytest.mark.parametrize(
    ("known", "best"),
    [
        (Known(rows=90), 90),
        (Known(rows=90, entries=100), 100),
        # Deleted since the archive was made: the index knows.
        (Known(rows=90, entries=90, archived=200), 90),
        (Known(rows=90, archived=200), 200),
        (Known(rows=90, entries=10, archived=200), 90),
        # A part of it cannot be found, and nobody knows how much.
        (Known(rows=90, given=500), 500),
        (Known(rows=90, archived=200, given=500), 200),
    ],
)
def test_the_best_estimate_is_an_index_that_is_whole_then_the_last_archive_then_the_numbers_given_out(known, best):
    assert known.best == best


def test_losses_are_counted_by_table_and_what_is_made_again_is_none():
    known = {"tags": Known(rows=10, entries=12), "fts4_content": Known(rows=50, is_derived=True), "accounts": Known(rows=2)}
    losses = measure(known, {"tags": 11, "accounts": 3})
    assert losses == (
        Loss(table="tags", best=12, kept=11),
        Loss(table="fts4_content", best=50, kept=0, is_derived=True),
    )
    assert rows_lost(losses) == 1


def test_a_small_table_that_loses_much_is_too_much_however_large_the_others_are():
    losses = (Loss(table="media_parts", best=100_000, kept=99_950), Loss(table="accounts", best=4, kept=3))
    assert too_much(losses, max_loss=0.001) == (losses[1],)
    assert too_much(losses, max_loss=0.3) == ()


def test_a_table_that_is_gone_is_all_lost():
    assert measure({"tags": Known(rows=0, archived=5)}, {}) == (Loss(table="tags", best=5, kept=0),)
