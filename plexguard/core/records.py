"""Dataclasses to and from JSON, checked: the border between a file and typed values.

Knows what the suite's records are made of: dataclasses, str, int, float, bool, None, datetime, Enum, tuple[X, ...] and
dict[str, X] or Mapping[str, X]. A key that is missing takes the field's default; what does not fit raises DataError.
"""

import dataclasses
import enum
import math
import types
import typing
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from plexguard.core.errors import DataError

T = TypeVar("T")
# What everybody who reads a record can hold.
_MOST = 2**63 - 1


def encode(value: object) -> Any:
    """Return the JSON form of a record."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {str(key): encode(item) for key, item in value.items()}
    return value


def decode(kind: type[T], data: object) -> T:
    """Return a record of that dataclass from parsed JSON. Raises DataError and names the place that does not fit."""
    return typing.cast("T", _decode(kind, data, kind.__name__))


def _decode(kind: Any, data: object, place: str) -> object:
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        return _decode_union(typing.get_args(kind), data, place)
    if origin is tuple:
        item = typing.get_args(kind)[0]
        return tuple(_decode(item, value, f"{place}[{n}]") for n, value in enumerate(_expect(list, data, place)))
    if origin in (dict, Mapping):
        item = typing.get_args(kind)[1]
        return {key: _decode(item, value, f"{place}.{key}") for key, value in _expect(dict, data, place).items()}
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(kind, _expect(dict, data, place), place)
    if kind is datetime:
        return _decode_time(_expect(str, data, place), place)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _decode_enum(kind, data, place)
    if kind is int and isinstance(data, int) and abs(data) > _MOST:
        raise DataError(f"{place}: a number of {data.bit_length()} bits is no number to reckon with")
    if kind is float and isinstance(data, int | float) and not isinstance(data, bool):
        return _decode_float(data, place)
    return _expect(kind, data, place)


def _expect(kind: Any, data: object, place: str) -> Any:
    # bool is an int to Python; in a file it is a mistake.
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
        raise DataError(f"{place}: expected {kind.__name__}, found {type(data).__name__}")
    return data


def _decode_union(kinds: tuple[Any, ...], data: object, place: str) -> object:
    if data is None and type(None) in kinds:
        return None
    (kind,) = [k for k in kinds if k is not type(None)]
    return _decode(kind, data, place)


def _decode_dataclass(kind: Any, data: dict[str, object], place: str) -> object:
    hints = typing.get_type_hints(kind)
    values = {f.name: _decode(hints[f.name], data[f.name], f"{place}.{f.name}") for f in dataclasses.fields(kind) if f.name in data}
    try:
        return kind(**values)
    except TypeError as error:
        raise DataError(f"{place}: {error}") from error


def _decode_time(text: str, place: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise DataError(f"{place}: {error}") from error
    if time.tzinfo is None:
        raise DataError(f"{place}: time {text} has no zone")
    # At either end of the calendar, other zones and times before or after it do not exist.
    if not 1900 <= time.year <= 9000:
        raise DataError(f"{place}: {text} is no time to reckon with")
    return time


def _decode_float(data: float, place: str) -> float:
    # JSON as Python reads it knows NaN and Infinity, and numbers of any length.
    try:
        number = float(data)
    except OverflowError as error:
        raise DataError(f"{place}: {error}") from error
    if not math.isfinite(number):
        raise DataError(f"{place}: {number} is no number to reckon with")
    return number


def _decode_enum(kind: type[enum.Enum], data: object, place: str) -> enum.Enum:
    try:
        return kind(data)
    except ValueError as error:
        raise DataError(f"{place}: {error}") from error
