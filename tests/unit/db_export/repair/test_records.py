"""Records as SQLite writes them, and what is none."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.db_export.repair.records import Affinity, Column, RawText, affinity_of, decode_record, fits, read_varint

INTEGERS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
NUMBER = Column(name="n", affinity=Affinity.INTEGER)
TEXT = Column(name="t", affinity=Affinity.TEXT)


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    if value >= 1 << 56:
        return bytes([*((value >> shift & 0x7F) | 0x80 for shift in range(57, 7, -7)), value & 0xFF])
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))


@given(INTEGERS)
def test_a_varint_is_read_to_its_last_byte(value):
    data = varint(value)
    assert read_varint(b"\xff" + data + b"\xff", 1) == (value, 1 + len(data))


def test_a_varint_beyond_the_end_is_none():
    with pytest.raises(IndexError):
        read_varint(b"\x81\x82", 0)


@pytest.mark.parametrize(
    ("payload", "values"),
    [
        (bytes([5, 0, 8, 9, 1, 0xFF]), (None, 0, 1, -1)),
        (bytes([3, 13 + 2 * 3, 12 + 2 * 2]) + b"abc\x01\x02", ("abc", b"\x01\x02")),
        (bytes([2, 7]) + b"\x3f\xf8\x00\x00\x00\x00\x00\x00", (1.5,)),
        (bytes([2, 13 + 2 * 2]) + b"\xff\xfe", (RawText(b"\xff\xfe"),)),
    ],
)
def test_a_record_is_decoded(payload, values):
    assert decode_record(payload, 1) == values


@pytest.mark.parametrize("payload", [b"", b"\x00", bytes(8), bytes([2, 1]), bytes([2, 1, 5, 5]), bytes([2, 10]), bytes([9, 1, 1])])
def test_what_does_not_fill_its_length_is_no_record(payload):
    assert decode_record(payload, 1) is None


@given(st.lists(st.none() | INTEGERS | st.floats(allow_nan=False) | st.binary(max_size=30), min_size=1, max_size=8))
def test_every_record_of_sqlite_is_decoded(values):
    # SQLite itself writes it: the only row of a table without types is in its second page.
    with sqlite3.connect(":memory:", isolation_level=None) as connection:
        connection.execute(f"CREATE TABLE t ({', '.join(f'c{n}' for n in range(len(values)))})")
        connection.execute(f"INSERT INTO t VALUES ({', '.join('?' * len(values))})", values)
        page = connection.serialize()[4096:8192]
    at = int.from_bytes(page[8:10], "big")
    size, at = read_varint(page, at)
    _, at = read_varint(page, at)
    assert decode_record(page[at : at + size], 1) == tuple(values)


@pytest.mark.parametrize(
    ("declared", "affinity"),
    [
        ("dt_integer(8)", Affinity.INTEGER),
        ("varchar(255)", Affinity.TEXT),
        ("float", Affinity.REAL),
        ("boolean", Affinity.NUMERIC),
        ("string", Affinity.NUMERIC),
        ("blob", Affinity.BLOB),
        ("", Affinity.BLOB),
    ],
)
def test_affinities_are_those_of_sqlite(declared, affinity):
    assert affinity_of(declared) is affinity


@pytest.mark.parametrize(
    ("values", "columns", "fit"),
    [
        ((1, "a"), (NUMBER, TEXT), True),
        # The values of columns that were added later are not in older rows.
        ((1,), (NUMBER, TEXT), True),
        ((1, "a", None), (NUMBER, TEXT), False),
        (("t", "a"), (NUMBER, TEXT), True),
        (("17", "a"), (NUMBER, TEXT), False),
        ((1, 2), (NUMBER, TEXT), False),
        ((None,), (Column(name="id", affinity=Affinity.INTEGER, is_rowid=True),), True),
        ((5,), (Column(name="id", affinity=Affinity.INTEGER, is_rowid=True),), False),
        ((None,), (Column(name="x", affinity=Affinity.TEXT, not_null=True),), False),
    ],
)
def test_a_row_fits_a_table_or_not(values, columns, fit):
    assert fits(values, columns) is fit
