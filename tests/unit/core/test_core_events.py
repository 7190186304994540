"""The events of the frame: every template uses only fields that the event declares."""

import pytest

from plexguard.core import core_events
from plexguard.core.events import Event, FilePath, template_fields

EVENTS = [value for value in vars(core_events).values() if isinstance(value, Event)]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_templates_use_only_declared_fields(event: Event) -> None:
    used = set().union(*(template_fields(t) for t in (event.message, event.subject, event.meaning, event.action)))

    assert used <= set(event.fields) | {f"{name}_quoted" for name, kind in event.fields.items() if kind is FilePath}


def test_there_is_an_event_for_each_way_to_fail() -> None:
    assert {event.name for event in EVENTS} == {
        "program.failed",
        "program.bug",
        "config.invalid",
        "config.not-applied",
        "config.valid",
        "state.set-aside",
    }
