"""What a machine costs, in euros without tax. Pure; prices are handed in."""

import math
from dataclasses import dataclass
from datetime import timedelta

_HOUR = timedelta(hours=1)
_GB = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """In an hour, in euros: of the machine, of a gigabyte (10^9 bytes) of its disk, of its address."""

    machine: float
    disk_gb: float
    address: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a machine costs in a time. hours: that are billed."""

    hours: int
    machine: float
    disk: float
    address: float

    @property
    def total(self) -> float:
        return self.machine + self.disk + self.address

    @property
    def hourly(self) -> float:
        """Of all of it."""
        return self.total / self.hours


def estimate_cost(prices: Prices, *, disk_bytes: int, time: timedelta) -> Estimate:
    """Return what a time costs: each hour that is begun, and one at the least, is billed whole.

    Source: Scaleway bills a resource for at least 60 minutes and machines by the hour; disk and address are taken for the same.
    """
    hours = max(1, math.ceil(time / _HOUR))
    return Estimate(
        hours=hours,
        machine=hours * prices.machine,
        disk=hours * prices.disk_gb * disk_bytes / _GB,
        address=hours * prices.address,
    )
