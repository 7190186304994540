"""Whether a -wal belongs to the database beside it."""

import struct

import pytest

from plexguard.db_export.check.findings import Severity
from plexguard.db_export.check.wal import Wal, _sum, judge_wal
from tests.unit.db_export.check.test_header import head

PAGE_BYTES = 1024
SALTS = b"saltsalt"


def page_1(counter: int, cookie: int = 9) -> bytes:
    return head(at_24=counter, at_40=cookie, at_92=counter).ljust(PAGE_BYTES, b"\0")


def make_wal(*frames: tuple[int, bytes, int], order: str = ">", salts: bytes = SALTS) -> bytes:
    """Return a -wal. frames: page, content, and how many pages there are after it where it ends a transaction."""
    magic = 0x377F0683 if order == ">" else 0x377F0682
    raw = struct.pack(">4I", magic, 3007000, PAGE_BYTES, 0) + salts
    running = _sum(raw, order, (0, 0))
    raw += struct.pack(">2I", *running)
    for page, content, pages_after in frames:
        front = struct.pack(">2I", page, pages_after)
        running = _sum(content, order, _sum(front, order, running))
        raw += front + salts + struct.pack(">2I", *running) + content
    return raw


def severities(wal: bytes, database: bytes, *, is_older: bool = False, copied: int = 1) -> list[Severity]:
    return [f.severity for f in judge_wal(Wal.from_bytes(wal), database[:100], is_older=is_older, copied=copied)]


LEAF = bytes(PAGE_BYTES)
WAL = make_wal((1, page_1(6), 0), (3, LEAF, 8), (1, page_1(7), 8), (4, LEAF, 8))


@pytest.mark.parametrize("order", ["<", ">"])
def test_frames_up_to_the_last_whole_transaction_count(order: str) -> None:
    wal = Wal.from_bytes(make_wal((1, page_1(6), 0), (3, LEAF, 8), (4, LEAF, 0), order=order))
    assert (wal.is_valid, wal.frames, len(wal.heads), wal.lost) == (True, 2, 1, 0)
    assert set(wal.places) == {1, 3}


@pytest.mark.parametrize("counter", [5, 6])
def test_wal_that_follows_the_database_is_right(counter: int) -> None:
    assert severities(WAL, page_1(counter)) == []


def test_wal_that_was_taken_over_is_right() -> None:
    assert severities(WAL, page_1(7)) == []


@pytest.mark.parametrize(
    "database",
    [page_1(4), page_1(8), page_1(5, cookie=10), head(at_24=7, at_28=6, at_92=7)],
    ids=["older", "newer", "newer-schema", "other-at-the-same-change"],
)
def test_wal_of_another_database_is_damage(database: bytes) -> None:
    assert severities(WAL, database) == [Severity.DAMAGE]


def test_wal_of_other_pages_is_damage() -> None:
    assert severities(WAL, head(at_16=b"\x10\x00")) == [Severity.DAMAGE]


def test_wal_without_page_1_is_suspect_when_the_database_is_newer_and_has_nothing_of_it() -> None:
    wal = make_wal((3, LEAF, 8))
    assert severities(wal, page_1(70)) == []
    assert severities(wal, page_1(70), is_older=True, copied=1) == []
    assert severities(wal, page_1(70), is_older=True, copied=0) == [Severity.WARNING]


def test_transactions_behind_a_broken_frame_are_told() -> None:
    raw = bytearray(WAL)
    raw[32 + 24 + 300] ^= 1
    wal = Wal.from_bytes(bytes(raw))
    assert (wal.frames, wal.lost) == (0, 4)
    assert severities(bytes(raw), page_1(5)) == [Severity.WARNING]


def test_a_torn_end_without_a_transaction_behind_it_is_no_fault() -> None:
    raw = bytearray(WAL)
    raw[-1] ^= 1
    assert severities(bytes(raw), page_1(5)) == []


def test_frames_of_an_earlier_round_are_no_fault() -> None:
    older = make_wal((1, page_1(3), 8), (2, LEAF, 8), (3, LEAF, 8), salts=b"oldsalts")
    newer = make_wal((1, page_1(6), 8))
    assert severities(newer + older[len(newer) :], page_1(5)) == []


def test_broken_header_is_told() -> None:
    assert severities(b"\0" + WAL[1:], page_1(5)) == [Severity.WARNING]
