"""Intervals that no clock correction, and no reboot, can make negative."""

from datetime import UTC, datetime, timedelta

import pytest

from plexguard.core.clock import Moment, SystemClock

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def moment(*, boot: str = "one", uptime_s: float = 0.0, wall_s: float = 0.0) -> Moment:
    return Moment(wall=NOON + timedelta(seconds=wall_s), boot_id=boot, uptime_s=uptime_s)


@pytest.mark.parametrize("jump_s", [0.0, 86400.0, -86400.0], ids=["steady", "forward", "backward"])
def test_interval_within_a_boot_is_exact_however_the_wall_clock_jumps(jump_s: float) -> None:
    assert moment(uptime_s=130.5, wall_s=30.0 + jump_s).seconds_since(moment(uptime_s=100.0)) == 30.5


def test_interval_within_a_boot_is_never_negative() -> None:
    assert moment(uptime_s=1.0).seconds_since(moment(uptime_s=2.0)) == 0.0


def test_interval_across_boots_is_that_of_the_wall_clock() -> None:
    assert moment(boot="two", uptime_s=5.0, wall_s=90.0).seconds_since(moment(uptime_s=1000.0)) == 90.0


def test_moments_of_one_boot_that_go_by_two_ids_are_told_by_their_clocks() -> None:
    # As in a container, where a service sees another id than a command by hand.
    assert moment(boot="two", uptime_s=130.0, wall_s=31.5).seconds_since(moment(uptime_s=100.0)) == 30.0
    assert not moment(boot="two", uptime_s=130.0, wall_s=90.0).is_of_boot_of(moment(uptime_s=100.0))


@pytest.mark.parametrize("jump_s", [-3600.0, -86_400.0 * 365 * 40], ids=["an hour", "forty years"])
def test_wall_clock_that_went_backwards_over_a_reboot_leaves_the_time_since_the_boot(jump_s: float) -> None:
    assert moment(boot="two", uptime_s=5.0, wall_s=jump_s).seconds_since(moment(uptime_s=1.0)) == 5.0


def test_system_clock_gives_aware_utc_and_a_moment_of_this_boot() -> None:
    clock = SystemClock()

    first, second = clock.moment(), clock.moment()

    assert clock.now().utcoffset() == timedelta(0)
    assert first.wall.utcoffset() == timedelta(0)
    assert len(first.boot_id) == 36
    assert second.boot_id == first.boot_id
    assert second.uptime_s >= first.uptime_s > 0
    assert clock.monotonic_s() <= clock.monotonic_s()


def test_sleeping_for_less_than_nothing_returns() -> None:
    SystemClock().sleep(-1.0)
