"""Addresses of pings, and answers that say 200 and mean no."""

import pytest

from plexguard.notify.channels.ping import is_plain, judge_answer, make_url
from plexguard.notify.heartbeat import Signal
from plexguard.notify.message import Busy, Refused
from plexguard.notify.web import Answer


@pytest.mark.parametrize(
    "url, signal, expected",
    [
        ("https://hc-ping.com/uuid", Signal.SUCCESS, "https://hc-ping.com/uuid"),
        ("https://hc-ping.com/uuid", Signal.START, "https://hc-ping.com/uuid/start"),
        ("https://hc-ping.com/uuid/", Signal.FAIL, "https://hc-ping.com/uuid/fail"),
        ("https://hc-ping.com/key/slug?create=1", Signal.FAIL, "https://hc-ping.com/key/slug/fail?create=1"),
        ("https://plain.example.org/", Signal.SUCCESS, "https://plain.example.org/"),
    ],
)
def test_signal_is_appended_to_the_path(url, signal, expected):
    assert make_url(url, signal) == expected


def test_200_that_means_no_is_no_success():
    assert isinstance(judge_answer(Answer(status=200, body=b"OK (not found)"), "x"), Refused)
    limited = judge_answer(Answer(status=200, body=b"OK (rate limited)"), "x")
    assert isinstance(limited, Busy) and limited.retry_after_s == 60.0
    assert judge_answer(Answer(status=200, body=b"OK"), "x") is None


def test_plain_address_needs_no_name_for_failure():
    assert is_plain(Signal.FAIL, Answer(status=404)) and is_plain(Signal.START, Answer(status=405))
    assert not is_plain(Signal.SUCCESS, Answer(status=404))
    assert not is_plain(Signal.FAIL, Answer(status=401))
