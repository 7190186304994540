"""The dead man's ping against a server."""

import pytest

from plexguard.core.secret import Secret
from plexguard.notify.channels import open_ping
from plexguard.notify.config import Channel
from plexguard.notify.heartbeat import Ping, Signal
from plexguard.notify.message import Away, Busy, Refused
from tests.fakes import receiver as moods
from tests.fakes.ports import FakeClock


def sender_for(receiver, path: str = "/uuid"):
    return open_ping("dead-man", Channel(kind="ping"), {"url": Secret(receiver.url + path)}, clock=FakeClock())


def test_signals_arrive_where_healthchecks_wants_them(receiver):
    sender = sender_for(receiver)
    for ping in (
        Ping(signal=Signal.START, reason="begin"),
        Ping(signal=Signal.SUCCESS),
        Ping(signal=Signal.FAIL, reason="Plex hangs"),
    ):
        sender.ping(ping)
    seen = [(request.method, request.path, request.body) for request in receiver.requests]
    assert seen == [("POST", "/uuid/start", b"begin"), ("GET", "/uuid", b""), ("POST", "/uuid/fail", b"Plex hangs")]


def test_reason_is_short_and_masked(receiver):
    sender_for(receiver).ping(Ping(signal=Signal.FAIL, reason="X-Plex-Token=abcdefgh12345 " + "x" * 100_000))
    body = receiver.requests[0].body
    assert b"abcdefgh12345" not in body and len(body) <= 1000


@pytest.mark.parametrize(
    "mood, kind",
    [
        (moods.says(200, "OK (not found)"), Refused),
        (moods.says(200, "OK (rate limited)"), Busy),
        (moods.says(404), Refused),
        (moods.says(500), Away),
        (moods.resets, Away),
    ],
    ids=["not found", "rate limited", "404", "500", "reset"],
)
def test_answer_means(receiver, mood, kind):
    receiver.moods = [mood]
    with pytest.raises(kind):
        sender_for(receiver).ping(Ping(signal=Signal.SUCCESS))


def test_plain_address_is_only_called_while_all_is_well(receiver):
    receiver.moods = [moods.says(404), moods.says(405)]
    sender = sender_for(receiver)
    sender.ping(Ping(signal=Signal.START))
    sender.ping(Ping(signal=Signal.FAIL, reason="Plex hangs"))
    assert [request.path for request in receiver.requests] == ["/uuid/start", "/uuid/fail"]
