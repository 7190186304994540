"""Airtable's sender against a server with Airtable's limits and errors."""

from datetime import timedelta

import pytest

from plexguard.core.secret import Secret
from plexguard.notify.channels import open_sender
from plexguard.notify.config import Channel
from plexguard.notify.message import Away, Busy, Refused, Rejected
from tests.fakes import airtable as api
from tests.fakes import receiver as moods
from tests.fakes.airtable import Airtable
from tests.fakes.ports import FakeClock
from tests.fakes.receiver import running
from tests.unit.notify.messages import HUNG, changed


def sender_for(server: Airtable, *, token: str = api.TOKEN, clock: FakeClock | None = None, timeout_s: float = 30.0, **options):
    values = {
        "kind": "airtable",
        "url": server.url,
        "base": api.BASE,
        "table": "Log",
        "timeout": timedelta(seconds=timeout_s),
        **options,
    }
    return open_sender("log", Channel(**values), {"token": Secret(token)}, clock=clock or FakeClock())


def batch(begin: int, count: int = 10):
    return [changed(id=f"{number:032x}", title=f"event {number}") for number in range(begin, begin + count)]


def test_ten_messages_are_one_call(airtable):
    sender = sender_for(airtable)
    assert sender.limits.batch == api.MAX_RECORDS
    sender.send(batch(0))
    assert [record["Name"] for record in airtable.records] == [f"event {number}" for number in range(10)]
    assert len(airtable.requests) == 1


def test_limit_that_is_stated_is_one_that_airtable_bears():
    clock = FakeClock()
    with running(Airtable(now_s=clock.monotonic_s)) as server:
        sender = sender_for(server, clock=clock)
        for number in range(50):
            sender.send(batch(number * 10))
            clock.pass_time(1 / sender.limits.per_second)
        assert len(server.records) == 500


def test_more_than_the_limit_is_busy_and_the_wait_it_names_is_enough():
    clock = FakeClock()
    with running(Airtable(now_s=clock.monotonic_s)) as server:
        sender = sender_for(server, clock=clock)
        with pytest.raises(Busy) as caught:
            for number in range(100):
                sender.send(batch(number * 10))
        taken = len(server.records)
        assert taken == 10 * api.CALLS_PER_SECOND
        clock.pass_time(caught.value.retry_after_s - 1)
        with pytest.raises(Busy) as caught:
            sender.send(batch(taken))
        clock.pass_time(caught.value.retry_after_s)
        sender.send(batch(taken))
        assert len(server.records) == taken + 10


def test_table_s_name_may_hold_anything(airtable):
    airtable.table = "Plex / événements?"
    sender_for(airtable, table=airtable.table).send([HUNG])
    assert len(airtable.records) == 1


def test_id_field_lets_airtable_drop_what_it_has(airtable):
    sender = sender_for(airtable, id_field="Id")
    sender.send(batch(0))
    sender.send(batch(5))
    assert [record["Id"] for record in airtable.records] == [f"{number:032x}" for number in range(15)]


def test_half_an_answer_is_away_and_the_records_may_be_there(airtable):
    airtable.moods = [moods.cuts(b'{"records": [{"id"', 400), moods.resets_in_body, moods.says(200, b'{"records": [{"id"')]
    sender = sender_for(airtable)
    for _ in range(3):
        with pytest.raises(Away):
            sender.send([HUNG])
    sender.send([HUNG])


@pytest.mark.parametrize(
    "options, said",
    [
        ({"token": "patWRONG"}, "UNAUTHORIZED"),
        ({"base": "appOTHER"}, "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND"),
        ({"table": "Other"}, "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND"),
        ({"message_field": "Other"}, 'Unknown field name: "Other"'),
    ],
    ids=["token", "base", "table", "field"],
)
def test_wrong_configuration_is_refused_and_says_what(airtable, options, said):
    with pytest.raises(Refused, match=said):
        sender_for(airtable, **options).send([HUNG])
    assert airtable.records == []


@pytest.mark.parametrize(
    "mood, kind",
    [
        (api.NOT_FOUND, Refused),
        (api.error(422, "INVALID_VALUE_FOR_COLUMN"), Rejected),
        (api.error(422, "INVALID_RECORDS"), Rejected),
        (api.TOO_MUCH, Busy),
        (api.USED_UP, Busy),
        (moods.says(500), Away),
        (moods.says(502, "<html>Bad Gateway</html>"), Away),
        (moods.says(503), Away),
        (moods.says(200, "<html>Welcome</html>", Content_Type="text/html"), Away),
        (moods.redirects("https://airtable.com/login"), Refused),
        (moods.resets, Away),
    ],
    ids=["404", "value", "records", "429", "month", "500", "502", "503", "login page", "redirect", "reset"],
)
def test_answer_means(airtable, mood, kind):
    airtable.moods = [mood]
    sender = sender_for(airtable)
    with pytest.raises(kind):
        sender.send([HUNG])
    sender.send([HUNG])
    assert len(airtable.records) == 1


@pytest.mark.parametrize("mood", [moods.hangs, moods.drips_headers, moods.drips_body], ids=lambda mood: mood.__name__)
def test_call_is_over_at_its_deadline(airtable, mood):
    airtable.moods = [mood]
    with pytest.raises(Away, match="in time"):
        sender_for(airtable, timeout_s=0.3).send([HUNG])


def test_token_is_in_no_error(airtable):
    airtable.moods = [api.error(403, "INVALID_PERMISSIONS", f"token {api.TOKEN} may not")]
    with pytest.raises(Refused) as caught:
        sender_for(airtable).send([HUNG])
    assert api.TOKEN not in str(caught.value)
