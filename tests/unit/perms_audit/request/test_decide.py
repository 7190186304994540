"""Which requests are looked into: none twice in a row, and not too many at once."""

from datetime import timedelta

import pytest

from plexguard.core.perms_request import Answer, Verdict
from plexguard.perms_audit.request.decide import MOST, Limiter
from tests.fakes.ports import FakeClock

HOUR = timedelta(hours=1)


class Asked:
    """A limiter, asked at the time of a clock."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.limiter = Limiter(HOUR)

    def ask(self, path: str, verdict: Verdict = Verdict.UNREADABLE) -> Answer | None:
        refusal = self.limiter.refuse(path, self.clock.monotonic_s())
        if refusal is None:
            self.limiter.note(path, verdict, self.clock.monotonic_s())
        return refusal


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.mark.parametrize("verdict", [Verdict.UNREADABLE, Verdict.UNKNOWN, Verdict.MISSING])
def test_what_stays_bad_is_left_alone_for_the_configured_time(asked: Asked, verdict: Verdict) -> None:
    assert asked.ask("/srv/media/a.mkv", verdict) is None
    asked.clock.pass_time(3599.0)

    assert asked.ask("/srv/media/a.mkv") == Answer(verdict=Verdict.LATER, detail="it was tried a while ago", retry_s=1.0)
    assert asked.ask("/srv/media/b.mkv") is None

    asked.clock.pass_time(1.0)
    assert asked.ask("/srv/media/a.mkv") is None


@pytest.mark.parametrize("verdict", [Verdict.READABLE, Verdict.REPAIRED])
def test_what_came_out_well_may_be_asked_again_soon(asked: Asked, verdict: Verdict) -> None:
    asked.ask("/srv/media/a.mkv", verdict)
    asked.clock.pass_time(29.0)
    assert asked.ask("/srv/media/a.mkv") is not None

    asked.clock.pass_time(1.0)
    assert asked.ask("/srv/media/a.mkv") is None


def test_so_many_in_a_minute_and_no_more_whatever_they_name(asked: Asked) -> None:
    for number in range(MOST):
        assert asked.ask(f"/srv/media/{number}") is None
        asked.clock.pass_time(1.0)

    refusal = asked.ask("/srv/media/more")
    assert refusal is not None
    assert refusal.verdict is Verdict.LATER
    assert refusal.retry_s == pytest.approx(60.0 - MOST)

    asked.clock.pass_time(refusal.retry_s)
    assert asked.ask("/srv/media/more") is None
    assert asked.ask("/srv/media/still more") is not None


def test_what_is_refused_counts_for_nothing(asked: Asked) -> None:
    for _ in range(1000):
        asked.ask("/srv/media/a.mkv")

    assert asked.ask("/srv/media/b.mkv") is None


def test_a_flood_of_paths_takes_no_memory(asked: Asked) -> None:
    for number in range(10_000):
        asked.limiter.note(f"/srv/media/{number}", Verdict.UNREADABLE, asked.clock.monotonic_s())

    assert asked.ask("/srv/media/9999") is not None
    assert asked.ask("/srv/media/0") is None
