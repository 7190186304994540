"""How bytes are asked of a storage: by which way, and what is made of the answers."""

from random import Random
from typing import Any

import pytest

from plexguard.rclone_watchdog.asking.rc import Line, RcClosed, RcFailed, RcGone, RcLate, RcStranger
from plexguard.rclone_watchdog.asking.samples import Sample
from plexguard.rclone_watchdog.asking.storage import COUNT_BYTES, StorageReader, judge_rc
from plexguard.rclone_watchdog.observe import Outcome

FILE = Sample(path="Films/a.mkv", size=10 * COUNT_BYTES + 1)


class FakeRc:
    """Answers as it is told, and notes what it was asked."""

    def __init__(self, signs=False, data=b"x" * COUNT_BYTES):
        self.signs = signs
        self.data = data
        self.asked: list[Any] = []

    def call(self, command, values, *, timeout_s, line=None):
        self.asked.append(command)
        raise RcFailed(500, "no such command")

    def read(self, remote, path, *, offset, count, timeout_s, line=None):
        self.asked.append((remote, path, offset, count))
        if isinstance(self.data, Exception):
            raise self.data
        return self.data[:count]


def reader(**values):
    return StorageReader("nas:media", rng=Random(1), now=lambda: 0.0, **values)


def test_a_storage_without_signed_addresses_is_read_by_rclone_at_places_that_change():
    rc, asked = FakeRc(), reader()
    for _ in range(20):
        assert asked.read(rc, FILE, timeout_s=5.0, line=Line()).outcome is Outcome.GOOD

    places = {place for word in rc.asked if isinstance(word, tuple) for place in [word[2]]}
    assert len(places) > 3
    assert all(place % COUNT_BYTES == 0 and place < FILE.size for place in places)
    assert asked.requests == 2


def test_never_is_a_link_made_that_others_could_follow():
    """Of other storages than S3 a public link is really public."""
    rc = FakeRc(signs=False)
    reader().read(rc, FILE, timeout_s=5.0, line=Line())
    assert "operations/publiclink" not in rc.asked


def test_s3_that_signs_nothing_is_read_by_rclone():
    rc = FakeRc(signs=True)
    assert reader().read(rc, FILE, timeout_s=5.0, line=Line()).outcome is Outcome.GOOD


def test_a_small_file_is_read_to_its_end():
    rc = FakeRc(data=b"tiny")
    assert reader().read(rc, Sample(path="a", size=4), timeout_s=5.0, line=Line()).outcome is Outcome.GOOD
    assert rc.asked[-1] == ("nas:media", "a", 0, 4)


def test_fewer_bytes_than_there_should_be_are_no_proof():
    assert reader().read(FakeRc(data=b"tiny"), FILE, timeout_s=5.0, line=Line()).outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (RcLate("no answer within 5 s"), Outcome.LATE),
        (RcGone("nobody listens"), Outcome.FAILED),
        (RcClosed("reset"), Outcome.FAILED),
        (RcStranger("no JSON"), Outcome.FAILED),
        (RcFailed(500, "couldn't list files: 403 Forbidden"), Outcome.REFUSED),
        (RcFailed(404, "object not found"), Outcome.MISSING),
        # Not "not found", whatever its number says: so rclone says that it could not open what it had found.
        (RcFailed(404, ""), Outcome.FAILED),
    ],
)
def test_an_error_of_the_remote_control_is_judged_as_what_it_means_for_the_storage(error, outcome):
    assert judge_rc(error).outcome is outcome
    assert reader().read(FakeRc(data=error), FILE, timeout_s=5.0, line=Line()).outcome is outcome


def test_why_a_file_that_is_there_is_not_given_is_found_out_in_another_way():
    asked = reader(explain=lambda sample, limit_s: "Failed to cat: 403 Forbidden")
    reply = asked.read(FakeRc(data=RcFailed(404, "")), FILE, timeout_s=5.0, line=Line())
    assert (reply.outcome, reply.detail) == (Outcome.REFUSED, "Failed to cat: 403 Forbidden")


def test_without_rclone_nothing_is_known_of_it():
    assert reader().read(None, FILE, timeout_s=5.0, line=Line()).outcome is Outcome.FAILED
