"""The kinds of values: what each takes and refuses, and that what is shown is read as the same."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.core.events import Mode
from plexguard.core.options import (
    BOOLEAN,
    CALENDAR,
    CONTAINER,
    FOLDERS,
    OPTIONAL_UNIT,
    TEXT,
    UNIT,
    URL,
    Kind,
    choice,
    count,
    mode,
    span,
)

MODE = mode(0)


@pytest.mark.parametrize(("text", "bits"), [("644", 0o644), ("0644", 0o644), ("000", 0), ("0777", 0o777)])
def test_mode_is_octal(text: str, bits: int) -> None:
    assert MODE.parse(text) == bits


@pytest.mark.parametrize(
    "value", ["999", "4755", "1777", "64", "00644", "", "rw-r--r--", "0o644", "٦٤٤", "644 ", 644, None], ids=str
)
def test_mode_refuses_what_is_none(value: object) -> None:
    with pytest.raises(ValueError):
        MODE.parse(value)


@given(st.integers(min_value=0, max_value=0o777))
def test_mode_that_is_shown_is_read_as_the_same_mode(bits: int) -> None:
    shown = tomllib.loads("x = " + MODE.show(Mode(bits)))["x"]

    assert MODE.parse(shown) == bits


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", ""),
        ("http://127.0.0.1:32400", "http://127.0.0.1:32400"),
        ("https://plex.example.net/", "https://plex.example.net"),
        ("http://[::1]:32400", "http://[::1]:32400"),
        ("http://[fe80::1]", "http://[fe80::1]"),
        ("http://h:65535", "http://h:65535"),
    ],
)
def test_url_takes_scheme_host_and_port(text: str, meant: str) -> None:
    assert URL.parse(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "plex:32400",
        "ftp://plex",
        "http://",
        "http://user:secret@plex:32400",
        "http://plex/web",
        "http://plex?X-Plex-Token=abc",
        "http://plex#a",
        "http://plex:99999",
        "http://plex:0",
        "http://plex:",
        "http://plex:٣٢٤٠٠",
        "http://[::::]:32400",
        "http://[1.2.3.4]",
        "http://::1:32400",
        "http://a\x01b:32400",
        "http://a\x7fb",
        "http://a b",
        "http://plex\n",
        "http://℀.example",
        "HTTP//plex",
    ],
)
def test_url_refuses_what_no_server_answers_at(text: str) -> None:
    with pytest.raises(ValueError):
        URL.parse(text)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (TEXT, "two\nlines"),
        (TEXT, "a\x00b"),
        (TEXT, 5),
        (BOOLEAN, 1),
        (BOOLEAN, "true"),
        (count(1, 3), 0),
        (count(1, 3), 4),
        (count(1, 3), 2.0),
        (count(1, 3), True),
        (count(1, 3), "2"),
        (FOLDERS, "/srv"),
        (FOLDERS, ["srv"]),
        (FOLDERS, [""]),
        (FOLDERS, ["/srv/../etc"]),
        (FOLDERS, ["/srv\n"]),
        (FOLDERS, [5]),
        (FOLDERS, ["/srv", None]),
        (UNIT, "plexmediaserver"),
        (UNIT, ""),
        (OPTIONAL_UNIT, "haproxy"),
        (OPTIONAL_UNIT, 0),
        (UNIT, "plex.timer"),
        (UNIT, "a b.service"),
        (UNIT, "../x.service"),
        (UNIT, "-Hroot.service"),
        (UNIT, "x" * 300 + ".service"),
        (CONTAINER, "-v"),
        (CONTAINER, ""),
        (CONTAINER, "a/b"),
        (CONTAINER, "plëx"),
        (CALENDAR, ""),
        (CALENDAR, "05:30\nExecStart=/bin/sh"),
        (CALENDAR, "%H"),
        (choice("a", "b"), "c"),
        (choice("a", "b"), ["a"]),
        (choice("a", "b"), None),
    ],
    ids=lambda value: value.allowed[:20] if isinstance(value, Kind) else ascii(value)[:30],
)
def test_kind_refuses(kind: Kind[Any], value: object) -> None:
    with pytest.raises(ValueError):
        kind.parse(value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (UNIT, "plexmediaserver.service"),
        (OPTIONAL_UNIT, "haproxy.service"),
        (OPTIONAL_UNIT, ""),
        (UNIT, "plex@home.service"),
        (CONTAINER, "plex"),
        (CALENDAR, "*-*-* 05:30"),
        (CALENDAR, "Mon..Fri 04:15:00 Europe/Berlin"),
        (CALENDAR, "*-*~1 00/2:00"),
        (choice("a", "b"), "b"),
        (TEXT, ""),
    ],
    ids=lambda value: value.allowed[:20] if isinstance(value, Kind) else ascii(value)[:30],
)
def test_kind_takes_and_gives_back(kind: Kind[Any], value: str) -> None:
    assert kind.parse(value) == value
    assert kind.parse(tomllib.loads("x = " + kind.show(value))["x"]) == value


_FOLDER_NAME = st.text(st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="/"), min_size=1, max_size=20).filter(
    lambda name: name not in (".", "..")
)


@given(st.lists(st.lists(_FOLDER_NAME, min_size=1, max_size=4).map(lambda names: "/" + "/".join(names)), max_size=4))
def test_folders_that_are_shown_are_read_as_the_same_folders(folders: list[str]) -> None:
    shown = tomllib.loads("x = " + FOLDERS.show(tuple(folders)))["x"]

    assert FOLDERS.parse(shown) == tuple(folders)


_TOML_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30), st.dates(), st.times()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


@given(_TOML_VALUES)
def test_every_kind_answers_any_value_with_a_value_or_a_value_error(value: object) -> None:
    for kind in (TEXT, BOOLEAN, MODE, FOLDERS, URL, UNIT, CONTAINER, CALENDAR, count(0, 9), span("1s", "1h"), choice("a")):
        try:
            kind.parse(value)
        except ValueError:
            continue
