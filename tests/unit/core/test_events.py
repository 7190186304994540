"""Events: typed fields, the line for people, and the entry of the catalog."""

import os
import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.core.events import Event, FilePath, Mode, Priority, quote_for_shell, show_path, template_fields

REPAIRED = Event(
    name="sample.repaired",
    message_id="0" * 31 + "1",
    priority=Priority.NOTICE,
    message="{path}: {old} became {new} after {waited_s:.0f} s",
    subject="{path} was repaired",
    fields={"path": FilePath, "old": Mode, "new": Mode, "waited_s": float},
    meaning="""
        The file {path} had the mode {old}, which Plex cannot read, and {{this}} is a paragraph that is long enough to be
        wrapped when the catalog is made of it.

        A second paragraph.
        """,
    decided="""
        Plex could not read it for {waited_s} s.
        """,
    did="""
        The mode was set as by:
          chmod {new} {path}
        """,
    action="""
        See who did it:
          ls -l {path}
        """,
    page="plexguard-perms-audit(8)",
)
VALUES: dict[str, object] = {"path": FilePath("/srv/a.mkv"), "old": Mode(0), "new": Mode(0o644), "waited_s": 41.26}


def test_render_fills_the_line_for_people() -> None:
    assert REPAIRED.render(VALUES) == "/srv/a.mkv: 0000 became 0644 after 41 s"


def test_journal_fields_are_prefixed_typed_texts() -> None:
    assert REPAIRED.journal_fields(VALUES) == {
        "PLEXGUARD": "1",
        "PLEXGUARD_EVENT": "sample.repaired",
        "PLEXGUARD_PATH": b"/srv/a.mkv",
        "PLEXGUARD_PATH_QUOTED": "/srv/a.mkv",
        "PLEXGUARD_OLD": "0000",
        "PLEXGUARD_NEW": "0644",
        "PLEXGUARD_WAITED_S": "41.3",
    }


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"waited_s": None}, "waited_s"),
        ({"waited_s": 41}, "waited_s"),
        ({"path": "/srv/a.mkv"}, "path"),
        ({"old": 0}, "old"),
        ({"more": "x"}, "more"),
    ],
    ids=["none", "int for float", "str for path", "int for mode", "unknown"],
)
def test_event_refuses_values_that_it_does_not_declare(changes: dict[str, object], named: str) -> None:
    for use in (REPAIRED.render, REPAIRED.journal_fields):
        with pytest.raises(TypeError, match=f"sample.repaired: .*{named}"):
            use(VALUES | changes)


@pytest.mark.parametrize("missing", sorted(VALUES))
def test_event_refuses_to_be_sent_without_a_field(missing: str) -> None:
    with pytest.raises(TypeError, match=missing):
        REPAIRED.render({name: value for name, value in VALUES.items() if name != missing})


def test_value_with_braces_is_shown_as_it_is() -> None:
    line = REPAIRED.render(VALUES | {"path": FilePath("/srv/{old} {0} {}.mkv")})

    assert line.startswith("/srv/{old} {0} {}.mkv: 0000")


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (b"/srv/plain name.mkv", "/srv/plain name.mkv"),
        ("/srv/Amélie 日本.mkv".encode(), "/srv/Amélie 日本.mkv"),
        (b"/srv/two\nlines", "/srv/two\\nlines"),
        (b"/srv/latin-\xe9.mkv", "/srv/latin-\\xe9.mkv"),
        (b"/srv/\x1b[31mred", "/srv/\\x1b[31mred"),
        (b"/srv/\x7f\x00", "/srv/\\x7f\\x00"),
        ("/srv/\u2028\u202e".encode(), "/srv/\\u2028\\u202e"),
        (b"/srv/cut-\xe6\x97", "/srv/cut-\\xe6\\x97"),
    ],
    ids=["plain", "unicode", "newline", "latin-1", "escape", "control", "separators", "cut character"],
)
def test_path_is_one_printable_line_in_a_message_and_exact_in_its_field(path: bytes, shown: str) -> None:
    values = VALUES | {"path": FilePath(os.fsdecode(path))}

    assert REPAIRED.render(values).startswith(shown + ": ")
    assert REPAIRED.journal_fields(values)["PLEXGUARD_PATH"] == path


@given(st.binary(max_size=40))
def test_any_path_is_shown_printable_and_kept_exactly(path: bytes) -> None:
    given_path = FilePath(os.fsdecode(path))

    assert show_path(given_path).isprintable()
    assert f"{given_path}" == show_path(given_path)
    assert bytes(given_path) == path


@given(st.text(st.characters(), max_size=40))
def test_any_text_at_all_is_shown_printable(text: str) -> None:
    assert show_path(text).isprintable()


@pytest.mark.parametrize(("bits", "shown"), [(0, "0000"), (0o4, "0004"), (0o644, "0644"), (0o1777, "1777"), (0o4755, "4755")])
def test_mode_is_shown_as_four_octal_digits(bits: int, shown: str) -> None:
    assert (str(Mode(bits)), f"{Mode(bits)}", f"{Mode(bits):>6}") == (shown, shown, "  " + shown)


def test_catalog_entry_has_the_form_that_journalctl_reads() -> None:
    entry = REPAIRED.catalog_entry()

    assert entry == (
        "-- 00000000000000000000000000000001\n"
        "Subject: @PLEXGUARD_PATH@ was repaired\n"
        "Defined-By: plexguard\n"
        "Documentation: man:plexguard-perms-audit(8)\n"
        "\n"
        "The file @PLEXGUARD_PATH@ had the mode @PLEXGUARD_OLD@, which Plex cannot read, and {this}\n"
        "is a paragraph that is long enough to be wrapped when the catalog is\n"
        "made of it.\n"
        "\n"
        "A second paragraph.\n"
        "\n"
        "How it was decided: Plex could not read it for @PLEXGUARD_WAITED_S@ s.\n"
        "\n"
        "What was done: The mode was set as by:\n"
        "  chmod @PLEXGUARD_NEW@ @PLEXGUARD_PATH@\n"
        "\n"
        "If it comes again: See who did it:\n"
        "  ls -l @PLEXGUARD_PATH@\n"
    )


def test_template_fields_are_the_names_that_a_template_uses() -> None:
    assert template_fields("{path}: {old} {{no}} {waited_s:.0f} {path}") == {"path", "old", "waited_s"}


@pytest.mark.parametrize(
    "path",
    [
        "/srv/plain.mkv",
        "/srv/two words.mkv",
        "/srv/Ocean's Eleven.mkv",
        "/srv/O'; touch HACK; '.mkv",
        "/srv/$(id)`id`.mkv",
        "/srv/a\nb\t'c.mkv",
        "/srv/\udcff\x1b[31m.mkv",
        "/srv/Amélie\u2028.mkv",
        "/srv/back\\slash\n.mkv",
    ],
    ids=[
        "plain",
        "space",
        "apostrophe",
        "a command",
        "substitutions",
        "newline and tab",
        "bytes that are no text",
        "line separator",
        "backslash",
    ],
)
def test_a_quoted_path_is_one_word_on_one_line_and_a_shell_reads_it_back(path: str) -> None:
    word = quote_for_shell(path)

    assert word.isprintable()
    assert _unquote(word) == os.fsencode(path)


def _unquote(word: str) -> bytes:
    """Read one word as bash(1) does: plain and quoted by shlex, $'…' by its escapes."""
    if not word.startswith("$'"):
        (text,) = shlex.split(word)
        return os.fsencode(text)
    body = word[2:-1].encode()
    return re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), body)
