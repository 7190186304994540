"""Events read back: whose they are, and what tells one from another."""

from datetime import UTC, datetime
from typing import Any

import pytest

from plexguard.core import core_events
from plexguard.core.clock import Moment
from plexguard.core.told import read_entry, stable_id

EVENT = core_events.PROGRAM_FAILED
VALUES = {"program": "plexguard-sample", "reason": "no disk", "hint": "df", "exit_code": 74}
BY_ID = {EVENT.message_id: EVENT}
OURS = frozenset({0, 990})


def entry(**changes: Any) -> dict[str, Any]:
    fields = {
        "MESSAGE_ID": EVENT.message_id,
        "MESSAGE": EVENT.render(VALUES),
        "_UID": 990,
        "_SYSTEMD_UNIT": "plexguard-sample.service",
        "_HOSTNAME": "media",
        "__CURSOR": "s=1;i=2;b=3;m=4;t=5;x=6",
        "__REALTIME_TIMESTAMP": datetime(2026, 3, 1, tzinfo=UTC),
        **EVENT.journal_fields(VALUES),
    }
    return {name: value for name, value in (fields | changes).items() if value is not None}


def test_event_comes_back_typed() -> None:
    told = read_entry(entry(), BY_ID, OURS)

    assert told is not None
    assert (told.event, told.values, told.unit, told.host) == (EVENT, VALUES, "plexguard-sample.service", "media")
    assert told.message == EVENT.render(VALUES)


def test_event_knows_its_boot_and_when_in_it() -> None:
    cursor = "s=6ab;i=1f;b=0f3cdbb9d0a24a3fb5f52a8f2d1c8a2b;m=1e8480;t=64;x=6"

    told = read_entry(entry(__CURSOR=cursor), BY_ID, OURS)

    assert told is not None
    assert told.moment == Moment(wall=told.at, boot_id="0f3cdbb9-d0a2-4a3f-b5f5-2a8f2d1c8a2b", uptime_s=2.0)


@pytest.mark.parametrize(
    ("changes", "is_ours"),
    [
        ({}, True),
        # journald found the process gone before it could look up its unit.
        ({"_SYSTEMD_UNIT": None}, True),
        ({"_UID": 0, "_SYSTEMD_UNIT": "session-1.scope"}, True),
        ({"_UID": 112}, True),
        ({"_UID": 1000, "_SYSTEMD_UNIT": "user@1000.service"}, False),
        ({"_UID": 1000, "_SYSTEMD_UNIT": None}, False),
        ({"_UID": 1000, "_SYSTEMD_UNIT": "plexguard-sample.scope"}, False),
        ({"_UID": None, "_SYSTEMD_UNIT": None}, False),
        ({"_UID": 990, "_SYSTEMD_UNIT": "plexguard-mail@3-1234-990.service"}, True),
        ({"_UID": 1000, "_SYSTEMD_UNIT": "plexguard-mail@3-1234-990.service"}, False),
        ({"MESSAGE_ID": "f" * 32}, False),
        ({"MESSAGE_ID": None}, False),
        ({"PLEXGUARD_EXIT_CODE": "many"}, False),
        ({"PLEXGUARD_REASON": None}, False),
    ],
)
def test_event_is_taken_from_who_may_tell_it(changes: dict[str, Any], is_ours: bool) -> None:
    assert (read_entry(entry(**changes), BY_ID, OURS) is not None) is is_ours


def test_id_is_that_of_the_entry_wherever_it_lies() -> None:
    runtime = stable_id("s=aa;i=10;b=bb;m=1;t=2;x=3")

    assert stable_id("s=cc;i=99;b=bb;m=1;t=2;x=3") == runtime
    assert len({runtime, stable_id("s=aa;i=10;b=bb;m=1;t=2;x=4"), stable_id("s=aa;i=10;b=bb;m=2;t=2;x=3")}) == 3
