"""Pieces of unit files: what is written is what systemd reads."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.core.units import calendar_drop_in, interval_drop_in, quote_path


def unquote(text: str) -> str:
    """Read a quoted word as systemd 252 does for lists of paths (extract_first_word with EXTRACT_UNQUOTE), then its specifiers.

    A backslash makes the next character plain; there are no other escapes.
    """
    assert text[0] == text[-1] == '"'
    word, rest = "", iter(text[1:-1])
    for character in rest:
        assert character != '"', "the quotes end too early"
        word += next(rest) if character == "\\" else character
    read, rest = "", iter(word)
    for character in rest:
        if character == "%":
            assert next(rest) == "%", "a specifier"
        read += character
    return read


@pytest.mark.parametrize(
    ("path", "quoted"),
    [
        ("/srv/media", '"/srv/media"'),
        ("/srv/TV Shows", '"/srv/TV Shows"'),
        ("/srv/100%", '"/srv/100%%"'),
        ('/srv/"x"', '"/srv/\\"x\\""'),
        ("/srv/a\\b", '"/srv/a\\\\b"'),
        ("/srv/Amélie 日本", '"/srv/Amélie 日本"'),
        ("/srv/it's", '"/srv/it\'s"'),
    ],
)
def test_path_is_quoted(path: str, quoted: str) -> None:
    assert quote_path(path) == quoted


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r\n"), max_size=60))
def test_quoted_path_is_read_as_the_same_path(path: str) -> None:
    assert unquote(quote_path(path)) == path


@given(st.text(st.characters(), max_size=60))
def test_quoted_path_never_ends_its_line_or_breaks_its_file(path: str) -> None:
    quoted = quote_path(path)

    assert not set(quoted) & set("\0\r\n")
    assert len(unquote(quoted)) == len(path)
    quoted.encode("utf-8")


def test_interval_drop_in_says_again_what_a_reset_takes_away() -> None:
    assert interval_drop_in("x.timer", timedelta(minutes=90), first="2min") == {
        "x.timer.d/50-interval.conf": "[Timer]\nOnUnitInactiveSec=\nOnBootSec=2min\nOnUnitInactiveSec=1h 30min\n"
    }


def test_calendar_drop_in_replaces_the_calendar() -> None:
    assert calendar_drop_in("x.timer", "*-*-* 04:15") == {
        "x.timer.d/50-calendar.conf": "[Timer]\nOnCalendar=\nOnCalendar=*-*-* 04:15\n"
    }
