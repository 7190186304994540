"""Records: what is written is read back, and what does not fit is refused by the name of its place."""

import enum
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.core.errors import DataError
from plexguard.core.records import decode, encode


class Verdict(enum.Enum):
    WELL = "well"
    HUNG = "hung"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    name: str
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    text: str
    number: int = 0
    real: float = 0.0
    flag: bool = False
    time: datetime | None = None
    verdict: Verdict = Verdict.WELL
    names: tuple[str, ...] = ()
    inners: tuple[Inner, ...] = ()
    by_name: dict[str, Inner] = field(default_factory=dict)
    maybe: str | None = None


FULL = Outer(
    text="ü \udcff \n",
    number=-3,
    real=1.5,
    flag=True,
    time=datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC),
    verdict=Verdict.HUNG,
    names=("a", ""),
    inners=(Inner(name="x", size=1), Inner(name="y")),
    by_name={"k": Inner(name="z")},
    maybe="yes",
)


def through_json(record: object) -> Any:
    return json.loads(json.dumps(encode(record)))


def test_full_record_comes_back_the_same() -> None:
    assert decode(Outer, through_json(FULL)) == FULL


# They are given their zone by hypothesis.
_FIRST, _LAST = datetime(1900, 1, 1), datetime(9000, 1, 1)  # noqa: DTZ001
_INTEGERS = st.integers(-(2**63) + 1, 2**63 - 1)
_INNERS = st.builds(Inner, name=st.text(), size=_INTEGERS)


@given(
    st.builds(
        Outer,
        text=st.text(),
        number=_INTEGERS,
        real=st.floats(allow_nan=False, allow_infinity=False),
        flag=st.booleans(),
        time=st.none() | st.datetimes(_FIRST, _LAST, timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])),
        verdict=st.sampled_from(Verdict),
        names=st.lists(st.text()).map(tuple),
        inners=st.lists(_INNERS, max_size=3).map(tuple),
        by_name=st.dictionaries(st.text(), _INNERS, max_size=3),
        maybe=st.none() | st.text(),
    )
)
def test_any_record_comes_back_the_same(record: Outer) -> None:
    assert decode(Outer, through_json(record)) == record


def test_missing_key_takes_its_default_and_unknown_key_is_left_out() -> None:
    assert decode(Outer, {"text": "x", "from the future": 1}) == Outer(text="x")


def test_whole_number_is_good_for_a_real_one() -> None:
    real = decode(Outer, {"text": "x", "real": 3}).real

    assert (real, type(real)) == (3.0, float)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ([], "Outer"),
        (None, "Outer"),
        ("text", "Outer"),
        ({}, "text"),
        ({"text": None}, "Outer.text"),
        ({"text": 1}, "Outer.text"),
        ({"text": "x", "number": "1"}, "Outer.number"),
        ({"text": "x", "number": 1.0}, "Outer.number"),
        ({"text": "x", "number": True}, "Outer.number"),
        ({"text": "x", "real": "1"}, "Outer.real"),
        ({"text": "x", "real": True}, "Outer.real"),
        ({"text": "x", "real": float("nan")}, "Outer.real"),
        ({"text": "x", "real": float("inf")}, "Outer.real"),
        ({"text": "x", "real": 10**400}, "Outer.real"),
        ({"text": "x", "flag": 1}, "Outer.flag"),
        ({"text": "x", "flag": "true"}, "Outer.flag"),
        ({"text": "x", "time": 5}, "Outer.time"),
        ({"text": "x", "time": "yesterday"}, "Outer.time"),
        ({"text": "x", "time": "2026-03-01T12:00:00"}, "Outer.time"),
        ({"text": "x", "verdict": "dead"}, "Outer.verdict"),
        ({"text": "x", "verdict": {}}, "Outer.verdict"),
        ({"text": "x", "verdict": None}, "Outer.verdict"),
        ({"text": "x", "names": "ab"}, "Outer.names"),
        ({"text": "x", "names": ["a", 2]}, r"Outer.names\[1\]"),
        ({"text": "x", "inners": [{"name": "a"}, {"name": "b", "size": "big"}]}, r"Outer.inners\[1\].size"),
        ({"text": "x", "inners": [{}]}, r"Outer.inners\[0\]: .*name"),
        ({"text": "x", "by_name": []}, "Outer.by_name"),
        ({"text": "x", "by_name": {"k": 1}}, "Outer.by_name.k"),
        ({"text": "x", "maybe": 1}, "Outer.maybe"),
        # Nobody could reckon with them.
        ({"text": "x", "number": 10**400}, "Outer.number"),
        ({"text": "x", "number": -(10**19)}, "Outer.number"),
        ({"text": "x", "time": "0001-01-01T00:00:00+14:00"}, "Outer.time"),
        ({"text": "x", "time": "9999-12-31T23:59:59-12:00"}, "Outer.time"),
    ],
    ids=lambda v: str(v)[:40],
)
def test_data_that_does_not_fit_is_refused_by_the_name_of_its_place(data: object, place: str) -> None:
    with pytest.raises(DataError, match=place):
        decode(Outer, data)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    _JSON
    | st.fixed_dictionaries({"text": st.just("x")}, optional={name: _JSON for name in Outer.__dataclass_fields__ if name != "text"})
)
def test_any_data_is_a_record_or_a_data_error(data: object) -> None:
    try:
        assert isinstance(decode(Outer, data), Outer)
    except DataError:
        return
