"""From what was told to what is kept, and from that to what is sent."""

import json
from datetime import UTC, datetime

import pytest

from plexguard.core.events import Event, FilePath, Priority
from plexguard.core.records import encode
from plexguard.core.told import Told, stable_id
from plexguard.notify import events
from plexguard.notify.line import Line, line_from_json, line_from_told, message_from_line

CURSOR = (
    "s=c1d4a0a1e9d14b3c8a7d6a0c8a3f2b10;i=1f3a2;b=7f1c7c5b2b0a4a9c8a5d6e0f1a2b3c4d;m=1a2b3c4d5e;t=63f1a2b3c4d5e;x=1a2b3c4d5e6f7a8b"
)
SAMPLE = Event(
    name="sample.bad",
    message_id="1" * 32,
    priority=Priority.ERR,
    message="{path} for {lasted_s:.0f} s",
    subject="{path} is bad",
    meaning="Bad.",
    decided="Seen.",
    did="Nothing.",
    action="""
        Look:
          ls {path_quoted} | grep {word}
        """,
    fields={"path": FilePath, "lasted_s": float, "word": str},
    about=("path",),
)


def told_of(event: Event, **values: object) -> Line:
    told = Told(
        id=stable_id(CURSOR),
        cursor=CURSOR,
        at=datetime(2026, 3, 1, tzinfo=UTC),
        event=event,
        message=event.render(values),
        values=values,
        unit="plexguard-notify.service",
        host="media",
    )
    return line_from_told(told, 1)


def test_message_has_what_people_and_programs_need() -> None:
    line = told_of(SAMPLE, path=FilePath("/srv/a b\udcff\n"), lasted_s=12.345, word="x")
    again = line_from_json(json.loads(json.dumps(encode(line))))
    message = message_from_line(again, SAMPLE)
    assert again == line
    assert (message.name, message.area, message.severity, message.unit) == (
        "sample.bad",
        "sample",
        "error",
        "plexguard-notify.service",
    )
    assert message.title == r"/srv/a b\xff\n is bad"
    assert message.details == {"path": r"/srv/a b\xff\n", "lasted_s": "12.3", "word": "x"}
    assert len(message.action) == 1 and message.action[0].startswith("ls $'") is False and "'/srv/a b" in message.action[0]


def test_event_of_another_version_is_still_told() -> None:
    line = told_of(SAMPLE, path=FilePath("/srv"), lasted_s=1.0, word="{")
    assert (message_from_line(line, None).title, message_from_line(line, None).message) == ("sample.bad", "/srv for 1 s")
    # The same name with other fields.
    assert message_from_line(line, events.CHANNEL_FAILED).title == "A channel takes no messages"


def test_text_without_end_is_cut() -> None:
    line = told_of(SAMPLE, path=FilePath("/" + "x" * 100_000), lasted_s=1.0, word="y" * 1_000_000)
    assert len(json.dumps(encode(line))) < 20_000


@pytest.mark.parametrize("change", [{"n": "1"}, {"at": "now"}, {"at": "2026-03-01"}, {"priority": 9}, {"ends": 3}, {"name": 3}])
def test_what_is_no_event_is_refused(change: dict[str, object]) -> None:
    data = encode(told_of(SAMPLE, path=FilePath("/srv"), lasted_s=1.0, word="x"))
    line_from_json(data)
    with pytest.raises(ValueError):
        line_from_json(data | change)
