"""What a machine costs."""

from datetime import timedelta

import pytest

from plexguard.cloud_run.choosing.estimate import Prices, estimate_cost

GP1_S = Prices(machine=0.19074, disk_gb=0.000044, address=0.004)


def test_estimate_is_that_of_the_table_for_three_days():
    found = estimate_cost(GP1_S, disk_bytes=100 * 10**9, time=timedelta(hours=72))

    assert found.machine == pytest.approx(13.73, abs=0.005)
    assert found.disk == pytest.approx(0.32, abs=0.005)
    assert found.address == pytest.approx(0.288)
    assert found.total == pytest.approx(14.34, abs=0.01)


@pytest.mark.parametrize(
    ("time", "hours"),
    [
        (timedelta(0), 1),
        (timedelta(minutes=5), 1),
        (timedelta(hours=1), 1),
        (timedelta(hours=1, seconds=1), 2),
        (timedelta(hours=95, minutes=59), 96),
        # A clock that went back.
        (timedelta(hours=-3), 1),
    ],
)
def test_every_hour_that_is_begun_is_billed_and_one_at_the_least(time, hours):
    assert estimate_cost(GP1_S, disk_bytes=0, time=time).hours == hours
