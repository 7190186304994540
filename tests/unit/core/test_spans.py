"""Time spans as systemd writes them: what is read, what is refused, what is shown."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.core.spans import parse_span, show_bytes, show_span


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15min", 900),
        ("1h 30min", 5400),
        ("1h30min", 5400),
        ("2d", 172800),
        ("1w", 604800),
        ("250ms", 0.25),
        ("10us", 1e-5),
        ("10µs", 1e-5),
        ("1.5h", 5400),
        ("5", 5),
        (" 5 s ", 5),
        ("2 hours 1 minute", 7260),
        (7, 7),
        (0.5, 0.5),
        ("0", 0),
    ],
    ids=str,
)
def test_span_reads_what_systemd_reads(text: object, seconds: float) -> None:
    assert parse_span(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "s",
        "-5s",
        "5x",
        "5 S",
        "1month",
        "1y",
        "1,5h",
        "٣s",
        "5s!",
        "1" * 200,
        "9" * 99,
        True,
        None,
        [5],
        float("nan"),
        float("inf"),
        -1,
    ],
    ids=lambda v: str(v)[:12],
)
def test_span_refuses_what_is_none(text: object) -> None:
    with pytest.raises(ValueError):
        parse_span(text)


@given(st.integers(min_value=0, max_value=36500 * 86400 * 1000))
def test_span_that_is_shown_is_read_as_the_same_span(milliseconds: int) -> None:
    given_span = timedelta(milliseconds=milliseconds)

    assert parse_span(show_span(given_span)) == given_span


@given(st.one_of(st.text(max_size=120), st.integers(), st.floats(), st.none(), st.booleans()))
def test_span_is_a_time_or_a_value_error_whatever_is_given(value: object) -> None:
    try:
        parsed = parse_span(value)
    except ValueError:
        return
    assert timedelta(0) <= parsed <= timedelta(days=36500)


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9_949_999, "9.9 MB"),
        (9_950_000, "10 MB"),
        (253_400_000, "253 MB"),
        (999_500_000, "1.0 GB"),
        (3_100_000_000, "3.1 GB"),
        (10**15, "1.0 PB"),
        (10**21, "1000 EB"),
    ],
)
def test_bytes_are_shown_in_words(size_bytes: int, shown: str) -> None:
    assert show_bytes(size_bytes) == shown
