"""The journal outside of journald: one line an event, with a priority that any manager understands."""

import io
import os
from pathlib import Path

import pytest

from plexguard.core.events import Event, FilePath, Priority
from plexguard.core.journal import StderrJournal, SystemdJournal, open_journal

TOLD = Event(
    name="sample.told",
    message_id="2" * 32,
    priority=Priority.WARNING,
    message="{path}: {what}",
    subject="x",
    meaning="x",
    decided="x",
    did="x",
    action="x",
    fields={"path": FilePath, "what": str},
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(what: str, *, stream: io.StringIO | None = None) -> str:
    stream = stream or io.StringIO()
    StderrJournal(stream).send(TOLD, path=FilePath("/srv/a"), what=what)
    return stream.getvalue()


def test_event_is_a_line_with_its_priority() -> None:
    assert told("is gone") == "<4>/srv/a: is gone\n"


def test_event_at_a_terminal_has_its_level_as_a_word() -> None:
    assert told("is gone", stream=Terminal()) == "warning: /srv/a: is gone\n"


def test_every_line_of_a_long_message_has_the_priority() -> None:
    assert told("one\ntwo") == "<4>/srv/a: one\n<4>two\n"


def test_secret_in_a_value_is_masked() -> None:
    assert told("asked /?X-Plex-Token=abcdefgh12345&x=1") == "<4>/srv/a: asked /?X-Plex-Token=***&x=1\n"


@pytest.mark.parametrize(
    ("what", "shown"),
    [
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("bad \udcff byte", "bad \\xff byte"),
        ("half \ud800 pair", "half \\ud800 pair"),
        ("a\u2028b\x0bc\x85d", "a\\u2028b\\x0bc\\x85d"),
        ("tab\there", "tab\there"),
    ],
    ids=["terminal", "byte", "surrogate", "line ends", "tab"],
)
def test_what_a_terminal_would_obey_is_shown_as_an_escape(what: str, shown: str) -> None:
    assert told(what) == f"<4>/srv/a: {shown}\n"


def test_values_that_the_event_does_not_declare_are_refused() -> None:
    stream = io.StringIO()

    with pytest.raises(TypeError):
        StderrJournal(stream).send(TOLD, path=FilePath("/srv/a"))

    assert stream.getvalue() == ""


@pytest.mark.parametrize("value", ["", "1:2", "x:y", "8", ":", "²:1", "1:2:3"])
def test_journal_is_stderr_where_the_variable_does_not_name_it(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", value)

    assert isinstance(open_journal("plexguard-x"), StderrJournal)


def test_journal_is_journald_where_stderr_is_connected_to_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "stderr").open("w") as file:
        status = os.fstat(file.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        saved = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            journal = open_journal("plexguard-x")
        finally:
            os.dup2(saved, 2)
            os.close(saved)

    assert isinstance(journal, SystemdJournal)
