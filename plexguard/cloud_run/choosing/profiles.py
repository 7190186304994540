"""Kinds of machines and of patience, by the names that people choose. Pure.

Source: the tables of the system that this one replaces. What a machine really has is asked of its provider; the container's limits
are lowered to fit it, which is why they may be larger than the machine here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType

_GIB = 1 << 30
_GB = 10**9
# What the system below the container needs for itself: kernel, sshd, docker, and rclone with its buffers.
_RESERVED_BYTES = 512 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the container may take. memory_swap_bytes: of memory and swap together, as docker run --memory-swap counts."""

    memory_bytes: int
    memory_swap_bytes: int
    cpus: int

    @property
    def swap_bytes(self) -> int:
        return self.memory_swap_bytes - self.memory_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A machine to rent. type: by its commercial name; others: what may stand in for it, the best first. cpus, ram_bytes: the least
    that whatever stands in must have. disk_bytes: in the provider's gigabytes of 10^9."""

    type: str
    others: tuple[str, ...]
    cpus: int
    ram_bytes: int
    disk_bytes: int
    limits: Limits


def _limits(memory: int, cpus: int) -> Limits:
    return Limits(memory_bytes=memory * _GIB, memory_swap_bytes=(memory + 2) * _GIB, cpus=cpus)


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "lite": Profile(
            type="DEV1-S",
            others=("PLAY2-NANO", "DEV1-M"),
            cpus=2,
            ram_bytes=2 * _GIB,
            disk_bytes=20 * _GB,
            limits=_limits(4, 2),
        ),
        "standard": Profile(
            type="DEV1-M",
            others=("PLAY2-MICRO", "DEV1-L"),
            cpus=3,
            ram_bytes=4 * _GIB,
            disk_bytes=40 * _GB,
            limits=_limits(8, 4),
        ),
        "power": Profile(
            type="GP1-S",
            others=("PRO2-S", "BASIC3-X8C-32G", "POP2-8C-32G"),
            cpus=8,
            ram_bytes=32 * _GIB,
            disk_bytes=100 * _GB,
            limits=_limits(24, 8),
        ),
        "superpower": Profile(
            type="GP1-M",
            others=("PRO2-M", "BASIC3-X16C-64G", "POP2-16C-64G"),
            cpus=16,
            ram_bytes=64 * _GIB,
            disk_bytes=100 * _GB,
            limits=_limits(48, 16),
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How a run is watched. stall_checks: so many in a row without progress are a stall, while the container's processor is less
    busy than idle_percent. limit: the longest that an analysis may take."""

    interval: timedelta
    stall_checks: int
    idle_percent: int
    limit: timedelta

    @property
    def stall(self) -> timedelta:
        return self.interval * self.stall_checks


def _patience(interval_s: int, stall_checks: int, idle_percent: int, limit_h: int) -> Patience:
    return Patience(
        interval=timedelta(seconds=interval_s),
        stall_checks=stall_checks,
        idle_percent=idle_percent,
        limit=timedelta(hours=limit_h),
    )


MONITORING: Mapping[str, Patience] = MappingProxyType(
    {
        "local_quick": _patience(30, 5, 5, 1),
        "local_delta": _patience(60, 10, 10, 2),
        "cloud_standard": _patience(60, 15, 10, 8),
        "cloud_intensive": _patience(120, 30, 5, 72),
        "metadata_refresh": _patience(120, 60, 20, 4),
    }
)


def fit_limits(wanted: Limits, *, cpus: int, ram_bytes: int) -> Limits:
    """Return the limits lowered to what a machine has, less what the system below needs; as they are where they fit."""
    room = max(ram_bytes // 2, ram_bytes - _RESERVED_BYTES)
    memory = min(wanted.memory_bytes, room)
    return replace(wanted, memory_bytes=memory, memory_swap_bytes=memory + wanted.swap_bytes, cpus=min(wanted.cpus, cpus))
