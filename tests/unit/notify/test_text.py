"""Messages as text."""

from plexguard.notify.text import describe, make_title
from tests.unit.notify.messages import HUNG, RECOVERED, changed


def test_title_says_how_often():
    assert make_title(HUNG) == "Plex hangs"
    assert make_title(changed(count=12)) == "Plex hangs (12 times)"


def test_title_is_one_line_and_never_empty():
    assert make_title(changed(title="a\nb\tc")) == "a b c"
    assert make_title(changed(title="")) == HUNG.message


def test_text_ends_with_what_to_do():
    assert describe(HUNG).splitlines() == [HUNG.message, "", *HUNG.action]


def test_recovery_says_how_long_it_lasted():
    assert describe(RECOVERED) == "Plex answers again\nIt lasted 3min 5s."


def test_folded_message_says_how_often():
    assert "It happened 12 times." in describe(changed(count=12))
