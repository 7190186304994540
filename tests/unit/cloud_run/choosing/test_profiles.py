"""The tables of machines and of patience."""

from datetime import timedelta

import pytest

from plexguard.cloud_run.choosing.profiles import MONITORING, PROFILES, Limits, fit_limits

GIB = 1 << 30


def test_instances_are_those_of_the_table():
    assert {name: (one.type, one.disk_bytes // 10**9) for name, one in PROFILES.items()} == {
        "lite": ("DEV1-S", 20),
        "standard": ("DEV1-M", 40),
        "power": ("GP1-S", 100),
        "superpower": ("GP1-M", 100),
    }
    assert {
        name: (p.limits.memory_bytes // GIB, p.limits.memory_swap_bytes // GIB, p.limits.cpus) for name, p in PROFILES.items()
    } == {
        "lite": (4, 6, 2),
        "standard": (8, 10, 4),
        "power": (24, 26, 8),
        "superpower": (48, 50, 16),
    }


def test_monitoring_is_that_of_the_table():
    found = {name: (one.interval, one.stall, one.idle_percent, one.limit) for name, one in MONITORING.items()}
    s, m, h = (lambda n: timedelta(seconds=n)), (lambda n: timedelta(minutes=n)), (lambda n: timedelta(hours=n))
    assert found == {
        "local_quick": (s(30), s(150), 5, h(1)),
        "local_delta": (s(60), m(10), 10, h(2)),
        "cloud_standard": (s(60), m(15), 10, h(8)),
        "cloud_intensive": (s(120), h(1), 5, h(72)),
        "metadata_refresh": (s(120), h(2), 20, h(4)),
    }


@pytest.mark.parametrize(("name", "memory_mib", "cpus"), [("lite", 1536, 2), ("standard", 3584, 3), ("power", 24576, 8)])
def test_limits_are_lowered_to_the_machine_and_leave_room_for_the_system(name, memory_mib, cpus):
    one = PROFILES[name]
    found = fit_limits(one.limits, cpus=one.cpus, ram_bytes=one.ram_bytes)

    assert (found.memory_bytes >> 20, found.cpus) == (memory_mib, cpus)
    # As much swap beside it as before.
    assert found.swap_bytes == one.limits.swap_bytes


def test_limits_that_fit_stay_as_they_are():
    wanted = Limits(memory_bytes=GIB, memory_swap_bytes=2 * GIB, cpus=1)

    assert fit_limits(wanted, cpus=64, ram_bytes=128 * GIB) == wanted


def test_machine_without_room_gives_half_of_what_it_has():
    wanted = Limits(memory_bytes=GIB, memory_swap_bytes=GIB, cpus=1)

    assert fit_limits(wanted, cpus=1, ram_bytes=512 << 20).memory_bytes == 256 << 20
