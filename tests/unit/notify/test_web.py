"""What answers mean, and when to ask again."""

import os
from datetime import UTC, datetime

import pytest

from plexguard.notify.message import Away, Busy, Refused, Rejected
from plexguard.notify.web import Answer, WebClient, judge_status, read_retry_after, target_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text, seconds",
    [
        ("30", 30.0),
        (" 0 ", 0.0),
        ("Sun, 01 Mar 2026 12:02:00 GMT", 120.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("1.5", None),
        ("9" * 400, None),
        ("٣٠", None),
        ("Sun, 99 Mar 2026 12:02:00 GMT", None),
        ("Sun, 01 Mar 99999999999999999999 12:02:00 GMT", None),
    ],
    ids=str,
)
def test_retry_after_is_a_number_or_a_date(text, seconds):
    assert read_retry_after(text, NOW) == seconds


@pytest.mark.parametrize(
    "status, kind",
    [
        *((status, None) for status in (200, 201, 202, 204)),
        *((status, Refused) for status in (301, 302, 307, 308, 401, 403, 404, 405, 410, 415)),
        *((status, Rejected) for status in (400, 413, 414, 422, 431)),
        *((status, Away) for status in (408, 409, 425, 500, 502, 503, 504, 520)),
        (429, Busy),
    ],
)
def test_status_means(status, kind):
    failure = judge_status(Answer(status=status), "http://x", NOW)
    assert type(failure) is (kind or type(None))


def test_503_with_a_time_is_busy():
    failure = judge_status(Answer(status=503, headers={"retry-after": "7"}), "http://x", NOW)
    assert isinstance(failure, Busy) and failure.retry_after_s == 7.0


def test_429_without_a_time_leaves_it_open():
    failure = judge_status(Answer(status=429), "http://x", NOW)
    assert isinstance(failure, Busy) and failure.retry_after_s is None


def test_words_of_an_answer_are_one_line_short_and_masked():
    failure = judge_status(Answer(status=500, body=b"X-Plex-Token=abcdefgh12345 \n\x00<b>" + b"y " * 5000), "http://x", NOW)
    assert "abcdefgh12345" not in str(failure) and "\n" not in str(failure) and len(str(failure)) < 300


def test_words_of_the_other_side_are_no_orders_to_a_terminal():
    for failure in (judge_status(Answer(status=500, body=b"\x1b[2J\x9b1m\x07"), "http://x", NOW), Busy("\x1b]0;x", hint="wait")):
        assert str(failure).isprintable() and "\\x1b" in str(failure)


def test_failures_end_with_their_own_codes():
    assert [kind("x").exit_code for kind in (Away, Busy, Refused, Rejected)] == [
        os.EX_UNAVAILABLE,
        os.EX_TEMPFAIL,
        os.EX_CONFIG,
        os.EX_DATAERR,
    ]


@pytest.mark.parametrize(
    "url",
    ["", "example.org", "ftp://x/", "http://", "http://me:x@y/", "http://x:0/", "http://x y/", "http://x/\r\nA: b", "http://[::1/"],
)
def test_address_that_is_none_is_refused_without_being_repeated(url):
    with pytest.raises(Refused) as caught:
        WebClient(url)
    assert len(url) < 8 or url not in str(caught.value)


def test_place_names_no_path():
    assert WebClient("https://example.org/secret").place == "https://example.org:443"
    assert WebClient("http://[::1]:8080/secret").place == "http://[::1]:8080"


@pytest.mark.parametrize("url, target", [("http://x", "/"), ("http://x/a/b?c=d", "/a/b?c=d"), ("http://x?c=d", "/?c=d")])
def test_target_is_path_and_query(url, target):
    assert target_of(url) == target
