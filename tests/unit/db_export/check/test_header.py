"""What the first 100 bytes say, against the length of the file."""

import pytest

from plexguard.db_export.check.findings import Kind
from plexguard.db_export.check.header import MAGIC, Header, judge_header

PAGES, PAGE_BYTES = 7, 1024


def head(**changes: int | bytes) -> bytes:
    """Return a sound header but for some fields, by where they stand."""
    raw = bytearray(100)
    raw[:24] = MAGIC + PAGE_BYTES.to_bytes(2, "big") + b"\2\2\0\x40\x20\x20"
    for at, value in ((24, 5), (28, PAGES), (40, 9), (44, 4), (56, 1), (92, 5)):
        raw[at : at + 4] = value.to_bytes(4, "big")
    for place, value in changes.items():
        at = int(place.removeprefix("at_"))
        new = value if isinstance(value, bytes) else value.to_bytes(4, "big")
        raw[at : at + len(new)] = new
    return bytes(raw)


def kinds(raw: bytes, size_bytes: int = PAGES * PAGE_BYTES) -> list[Kind]:
    return [finding.kind for finding in judge_header(raw, size_bytes)]


def test_sound_header_has_no_findings() -> None:
    assert kinds(head()) == []


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (head(at_0=b"X"), Kind.HEADER),
        (head(at_16=b"\x03\x00"), Kind.HEADER),
        (head(at_18=b"\x07"), Kind.HEADER),
        (head(at_21=b"\x41"), Kind.HEADER),
        (head(at_44=9), Kind.HEADER),
        (head(at_56=0), Kind.HEADER),
        (head(at_56=2), Kind.HEADER),
        (head(at_32=99), Kind.HEADER),
        (head(at_28=PAGES + 1), Kind.LENGTH),
        (head(at_28=PAGES - 1), Kind.LENGTH),
        (head()[:60], Kind.LENGTH),
    ],
)
def test_each_wrong_field_is_found(raw: bytes, kind: Kind) -> None:
    assert kinds(raw) == [kind]


@pytest.mark.parametrize(("size_bytes", "number"), [(0, 1), (PAGES * PAGE_BYTES - 1, 2), (PAGES * PAGE_BYTES + 5, 1)])
def test_wrong_length_is_found(size_bytes: int, number: int) -> None:
    assert kinds(head(), size_bytes) == [Kind.LENGTH] * number


def test_pages_that_were_counted_for_another_change_may_be_fewer() -> None:
    # As a version of SQLite before 3.7 leaves it.
    assert kinds(head(at_28=PAGES - 1, at_92=4)) == []


def test_largest_page_does_not_fit_its_field() -> None:
    assert Header.from_bytes(head(at_16=b"\x00\x01")).page_bytes == 65536
