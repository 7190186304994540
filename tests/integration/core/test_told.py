"""Events read back from journal files, in which any user of the machine may have written too."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plexguard.core.told import JournalEvents
from plexguard.speed_test.events import FAILED
from tests.integration.status.journals import REMOTE, make_entry, tell_entry, write_journal

pytestmark = pytest.mark.skipif(not REMOTE.exists(), reason="systemd-journal-remote is not installed")

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)


BOOTS = ("a" * 32, "b" * 32)


def tell(number: int, *more: str, s: float | None = None) -> str:
    """Return an event with a number, with more fields or other ones than it would have."""
    entry = tell_entry(
        "media",
        BEGIN + timedelta(seconds=number if s is None else s),
        FAILED,
        reason="a sample",
        attempt=number,
        limit=1,
        day="today",
    )
    changed = {field.partition("=")[0] for field in more}
    return "\n".join([*(row for row in entry.splitlines() if row and row.partition("=")[0] not in changed), *more]) + "\n\n"


@pytest.mark.parametrize(
    "fields",
    [
        ["COREDUMP_TIMESTAMP=" + "9" * 40],
        ["COREDUMP_TIMESTAMP=never", "MESSAGE_ID=none", "PRIORITY=high"],
        ["MESSAGE_ID=" + "f" * 32],
        ["PLEXGUARD_ATTEMPT=" + "9" * 5000],
    ],
)
@pytest.mark.parametrize("by", [["_UID=1000", "_SYSTEMD_UNIT=user@1000.service"], []])
def test_fields_of_anybody_keep_nobody_from_reading_on(tmp_path: Path, fields: list[str], by: list[str]) -> None:
    write_journal(tmp_path, "media", tell(1), tell(2, *fields, *by), tell(3))

    numbers = [told.values["attempt"] for told in JournalEvents(tmp_path).read(10)]

    assert [number for number in numbers if number != 2] == [1, 3]
    assert not by or 2 not in numbers


def test_place_is_found_again_behind_any_entry(tmp_path: Path) -> None:
    write_journal(
        tmp_path, "media", tell(1), tell(2), tell(3), tell(4, "COREDUMP_TIMESTAMP=" + "9" * 40, "_UID=1000", "_SYSTEMD_UNIT=x")
    )
    reader = JournalEvents(tmp_path)
    first, _, third = reader.read(10)
    end = reader.seek_end()

    assert (end != third.cursor, reader.read(10)) == (True, ())
    assert (reader.seek(first.cursor), [told.values["attempt"] for told in reader.read(10)]) == (True, [2, 3])


def test_the_journal_begins_with_anybodys_entry(tmp_path: Path) -> None:
    assert JournalEvents(tmp_path).first() is None
    write_journal(tmp_path, "media", make_entry("media", BEGIN, "something else"), tell(1), tell(2))
    reader = JournalEvents(tmp_path)

    assert reader.first() == BEGIN
    assert [told.values["attempt"] for told in reader.read(10)] == [1, 2]


def tell_in(boot: int, number: int, *, s: float) -> str:
    return tell(number, f"_BOOT_ID={BOOTS[boot]}", f"__MONOTONIC_TIMESTAMP={number}000000", s=s)


def numbers(reader: JournalEvents, limit: int = 10) -> list[object]:
    return [told.values["attempt"] for told in reader.read(limit)]


def test_what_is_told_by_a_clock_that_is_behind_after_a_start_is_read_once(tmp_path: Path) -> None:
    write_journal(tmp_path, "first", tell_in(0, 1, s=1000), tell_in(0, 2, s=1010), tell_in(0, 3, s=1020))
    (_, second, _) = JournalEvents(tmp_path, boot=BOOTS[0]).read(10)
    write_journal(tmp_path, "second", tell_in(1, 4, s=-5e8), tell_in(1, 5, s=-4e8))
    write_journal(tmp_path, "third", tell_in(1, 6, s=2000))

    reader = JournalEvents(tmp_path, boot=BOOTS[1])

    assert (reader.seek(second.cursor), numbers(reader)) == (True, [3, 4, 5, 6])
    told = JournalEvents(tmp_path, boot=BOOTS[1])
    assert told.seek(second.cursor)
    cursors = [one.cursor for one in told.read(10)]
    for place, cursor in enumerate(cursors):
        assert (reader.seek(cursor), numbers(reader)) == (True, [3, 4, 5, 6][place + 1 :])


def test_end_is_that_of_the_boot_that_runs(tmp_path: Path) -> None:
    write_journal(tmp_path, "first", tell_in(0, 1, s=1000))
    write_journal(tmp_path, "second", tell_in(1, 2, s=-5e8))
    reader = JournalEvents(tmp_path, boot=BOOTS[1])

    assert f"b={BOOTS[1]}" in reader.seek_end()
    assert numbers(reader) == []
    # Nothing was written in this one yet.
    assert f"b={BOOTS[0]}" in JournalEvents(tmp_path, boot="c" * 32).seek_end()


def test_place_that_is_none_is_gone(tmp_path: Path) -> None:
    write_journal(tmp_path, "media", tell(1), tell(2))
    reader = JournalEvents(tmp_path)
    for cursor in ("", "garbage", "s=zz;i=1", "\x00"):
        assert (reader.seek(cursor), numbers(reader)) == (False, [])
