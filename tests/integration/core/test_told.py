"""Events read back from journal files, in which any user of the machine may have written too."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plexguard.core.told import JournalEvents
from plexguard.speed_test.events import FAILED
from tests.integration.status.journals import REMOTE, tell_entry, write_journal

pytestmark = pytest.mark.skipif(not REMOTE.exists(), reason="systemd-journal-remote is not installed")

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def tell(number: int, *more: str) -> str:
    """Return an event with a number, with more fields or other ones than it would have."""
    entry = tell_entry("media", BEGIN + timedelta(seconds=number), FAILED, reason="a sample", attempt=number, limit=1, day="today")
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
