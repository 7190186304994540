"""What SQLite says, sorted."""

from plexguard.db_export.check.findings import Kind, Severity
from plexguard.db_export.check.messages import Said, is_about_file, judge, lines_of, shorten, without


def test_ok_is_no_message() -> None:
    assert lines_of(["ok"]) == ()


def test_messages_of_one_answer_are_taken_apart() -> None:
    rows = ["*** in database main ***\nPage 7: btreeInitPage() returns error code 11\nPage 9 is never used", "NULL value in a.b"]
    assert lines_of(rows) == ("Page 7: btreeInitPage() returns error code 11", "Page 9 is never used", "NULL value in a.b")


def test_masked_index_may_have_any_number_of_entries() -> None:
    said = ("wrong # of entries in index a", "wrong # of entries in index b")
    assert without(said, frozenset("a")) == ("wrong # of entries in index b",)


def test_free_pages_are_about_the_file() -> None:
    assert is_about_file("Main freelist: size is 78 but should be 81")
    assert is_about_file("On tree page 18 cell 17: 2nd reference to page 157")
    assert not is_about_file("row 1 missing from index a")


def test_each_index_is_a_finding() -> None:
    said = Said(table="t", messages=("row 1 missing from index a", "row 2 missing from index a", "non-unique entry in index b c"))
    found = list(judge(said))
    assert [(f.kind, f.detail) for f in found] == [
        (Kind.INDEX, "a: row 1 is missing; row 2 is missing"),
        (Kind.INDEX, "b c: an entry is there twice"),
    ]


def test_indexes_of_a_damaged_table_are_not_told_one_by_one() -> None:
    said = Said(table="t", messages=("row 1 missing from index a",), failed="database disk image is malformed")
    (found,) = judge(said)
    assert (found.kind, found.detail) == (Kind.TABLE, "database disk image is malformed; 1 of its indexes are of other rows")


def test_values_of_older_versions_are_a_note() -> None:
    (found,) = judge(Said(table="media_items", messages=("NUMERIC value in media_items.hints", "TEXT value in media_items.width")))
    assert (found.kind, found.severity) == (Kind.OLD_VALUES, Severity.NOTE)


def test_missing_value_is_damage() -> None:
    (found,) = judge(Said(table="t", messages=("NULL value in t.a",)))
    assert found.severity is Severity.DAMAGE


def test_many_messages_become_a_line() -> None:
    assert shorten(["a", "b", "a", "c", "d", "e"]) == "a; b; c and 2 more"
