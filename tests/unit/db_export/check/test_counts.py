"""Rows as numbers, and the groups that indexes are looked up in."""

import pytest

from plexguard.db_export.check.catalog import Entry
from plexguard.db_export.check.counts import judge_rows, judge_size
from plexguard.db_export.check.pages import share_out


def shrunk(now: dict[str, int], before: dict[str, int]) -> list[str]:
    return [finding.table for finding in judge_rows(now, before, 0.05)]


@pytest.mark.parametrize(
    ("now", "before", "told"),
    [(100, 100, False), (95, 100, False), (94, 100, True), (0, 19, False), (0, 20, True), (200, 100, False)],
)
def test_library_that_lost_more_than_its_share_is_told(now: int, before: int, told: bool) -> None:
    assert shrunk({"section 3": now}, {"section 3": before}) == (["section 3"] if told else [])


def test_library_that_is_gone_is_told() -> None:
    assert shrunk({}, {"section 3": 50}) == ["section 3"]


def test_tables_that_plex_empties_itself_are_not_told() -> None:
    assert shrunk({"activities": 0, "media_parts": 10}, {"activities": 500, "media_parts": 500}) == ["media_parts"]


def test_statistics_without_end_and_free_pages_are_told() -> None:
    assert not list(judge_size({"statistics_bandwidth": 1_000_000}, pages=1000, free_pages=900, page_bytes=1024))
    found = list(judge_size({"statistics_bandwidth": 9_000_000}, pages=100_000, free_pages=50_000, page_bytes=4096))
    assert [finding.table for finding in found] == ["statistics_bandwidth", ""]


def index(name: str, table: str, sql: str = "CREATE INDEX i ON t (a)") -> Entry:
    return Entry(type="index", name=name, table=table, root=9, sql=sql)


def test_groups_hold_each_index_of_a_large_table_once() -> None:
    entries = [index(f"i{n}", "large") for n in range(10)] + [index("small", "small"), index("auto", "large", "")]
    groups = share_out(entries, {"large": 50_000, "small": 10})
    assert sorted(name for group in groups for name in group) == sorted(f"i{n}" for n in range(10))
    assert max(map(len, groups)) - min(map(len, groups)) <= 1


@pytest.mark.parametrize("sql", ["CREATE INDEX i ON t (a COLLATE icu_root)", "CREATE INDEX i ON t (a) WHERE a > 1", ""])
def test_index_that_cannot_be_masked_is_in_no_group(sql: str) -> None:
    assert share_out([index("i", "large", sql)], {"large": 50_000}) == ()
