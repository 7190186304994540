from datetime import UTC, datetime

from plexguard.db_export.archive.progress import Pace


class Clock:
    """Moves when told."""

    def __init__(self):
        self.now_s = 100.0

    def monotonic_s(self):
        return self.now_s

    def now(self):
        return datetime(2026, 11, 22, tzinfo=UTC)


def test_what_is_left_follows_from_the_pace_so_far():
    clock = Clock()
    pace = Pace(clock)
    assert pace.begin("packing", 1000).show() == "packing: 0 %"
    clock.now_s += 0.5
    assert pace.advance(100) is None
    clock.now_s += 9.5
    assert pace.advance(150).show() == "packing: 25 %, 30 s left"
    clock.now_s += 600
    assert pace.advance(0).show() == "packing: 25 %, 30 min left"


def test_more_than_was_expected_is_all():
    clock = Clock()
    pace = Pace(clock)
    pace.begin("packing", 10)
    clock.now_s += 2
    assert pace.advance(50).show() == "packing: 100 %, 0 s left"


def test_nothing_to_do_is_done():
    clock = Clock()
    pace = Pace(clock)
    pace.begin("packing", 0)
    clock.now_s += 2
    assert pace.advance(0).percent == 100


def test_it_does_not_reckon_before_there_is_a_pace():
    clock = Clock()
    pace = Pace(clock)
    pace.begin("packing", 10)
    clock.now_s += 2
    assert pace.advance(0).show() == "packing: 0 %"
