"""SQLite's records, as they lie in a page: decoded strictly, so that what is damaged is told from what is not.

Source: https://www.sqlite.org/fileformat2.html#record_format
"""

import struct
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class RawText:
    """A text whose bytes are not of the database's encoding: kept as it is."""

    data: bytes


Value = None | int | float | str | bytes | RawText
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8)
_ENCODINGS = {1: "utf-8", 2: "utf-16-le", 3: "utf-16-be"}


class Affinity(Enum):
    """What a column makes of a value. Source: https://www.sqlite.org/datatype3.html#determination_of_column_affinity"""

    INTEGER = "integer"
    TEXT = "text"
    BLOB = "blob"
    REAL = "real"
    NUMERIC = "numeric"


def affinity_of(declared: str) -> Affinity:
    """Return the affinity of a declared type."""
    upper = declared.upper()
    if "INT" in upper:
        return Affinity.INTEGER
    if any(part in upper for part in ("CHAR", "CLOB", "TEXT")):
        return Affinity.TEXT
    if "BLOB" in upper or not upper:
        return Affinity.BLOB
    return Affinity.REAL if any(part in upper for part in ("REAL", "FLOA", "DOUB")) else Affinity.NUMERIC


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column as it was declared. is_rowid: it is another name of the row's number, and is stored as NULL."""

    name: str
    affinity: Affinity
    not_null: bool = False
    is_rowid: bool = False


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a varint and where it ends. Raises IndexError beyond the end."""
    value = data[at]
    if value < 0x80:
        return value, at + 1
    value = 0
    for _ in range(8):
        byte = data[at]
        at += 1
        if byte < 0x80:
            return value << 7 | byte, at
        value = value << 7 | byte & 0x7F
    value = value << 8 | data[at]
    return (value - (1 << 64) if value >= 1 << 63 else value), at + 1


def decode_record(payload: bytes, encoding: int) -> tuple[Value, ...] | None:
    """Return the values of a record, or None when it is none: its parts do not fill its length to the byte.

    encoding: of the database's header, 1 to 3.
    """
    types = _read_types(payload)
    if types is None:
        return None
    kinds, at = types
    codec = _ENCODINGS.get(encoding, "utf-8")
    values: list[Value] = []
    for kind in kinds:
        size = _size_of(kind)
        values.append(_decode(kind, payload[at : at + size], codec))
        at += size
    return tuple(values)


def _read_types(payload: bytes) -> tuple[list[int], int] | None:
    try:
        header_end, at = read_varint(payload, 0)
        kinds = []
        while at < header_end:
            kind = payload[at]
            at += 1
            if kind > 0x7F:
                kind, at = read_varint(payload, at - 1)
            kinds.append(kind)
    except IndexError:
        return None
    if at != header_end or not kinds or any(kind in (10, 11) or kind < 0 for kind in kinds):
        return None
    return (kinds, at) if at + sum(map(_size_of, kinds)) == len(payload) else None


def _size_of(kind: int) -> int:
    if kind >= 12:
        return (kind - 12) // 2
    return _INTEGER_BYTES[kind] if kind < 7 else 8 if kind == 7 else 0


def _decode(kind: int, data: bytes, codec: str) -> Value:
    if kind == 0:
        return None
    if kind < 7:
        return int.from_bytes(data, "big", signed=True)
    if kind == 7:
        return float(struct.unpack(">d", data)[0])
    if kind < 10:
        return kind - 8
    if kind % 2 == 0:
        return data
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return RawText(data)


def fits(values: tuple[Value, ...], columns: tuple[Column, ...]) -> bool:
    """Tell whether a record can be a row of a table with these columns.

    It may have fewer values: columns that were added later have their default then.
    """
    return len(values) <= len(columns) and all(_fits(value, column) for value, column in zip(values, columns, strict=False))


def _fits(value: Value, column: Column) -> bool:
    if column.is_rowid:
        return value is None
    if value is None:
        return not column.not_null
    match column.affinity:
        case Affinity.TEXT:
            return not isinstance(value, int | float)
        case Affinity.INTEGER | Affinity.REAL | Affinity.NUMERIC:
            # A number that comes as text is turned into one when it is stored.
            return not isinstance(value, str) or (not _is_number(value) and (value[:1].isdigit() or _is_flag(value, column)))
    return True


def _is_number(text: str) -> bool:
    return text.isascii() and text.strip().lstrip("+-").isdigit()


def _is_flag(text: str, column: Column) -> bool:
    """Tell whether a text can be in a column for numbers: 't' and 'f' are, and what has a type that is no number's at all. Dates of
    older versions begin with their year."""
    return column.affinity is Affinity.NUMERIC or len(text) <= 1
