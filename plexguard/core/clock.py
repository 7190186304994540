"""The port for time. Nothing else in the suite asks what time it is, and nothing else waits."""

import functools
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

# By how much two clocks of one boot may seem to differ, which are not read at once, and are moved gently by NTP.
_SAME_CLOCK_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A point in time that can be kept on disk and still gives true intervals.

    wall: UTC, for people and across boots. boot_id and uptime_s: which boot, and seconds of CLOCK_BOOTTIME in it, which
    no clock correction moves.
    """

    wall: datetime
    boot_id: str
    uptime_s: float

    def seconds_since(self, earlier: "Moment") -> float:
        """Return the seconds between two moments, never negative.

        Within a boot this is exact. Across boots there is the wall clock, which may have been wrong at either end, and the
        uptime, which is the least that has passed: a clock that went backwards makes what happened before count as the last
        thing before this boot, and what a clock in the far future has stamped does not stay "just now" for years.
        """
        if self.is_of_boot_of(earlier):
            return max(0.0, self.uptime_s - earlier.uptime_s)
        return max(0.0, self.uptime_s, (self.wall - earlier.wall).total_seconds())

    def is_of_boot_of(self, earlier: "Moment") -> bool:
        """Return whether nothing has booted between two moments.

        In a container a service may see the id of the kernel's boot, by a /proc of its own (ProtectKernelTunables=), and a
        command by hand that of the container's: seen with systemd-nspawn. It is the same boot where both clocks have moved alike.
        """
        wall_s, uptime_s = (self.wall - earlier.wall).total_seconds(), self.uptime_s - earlier.uptime_s
        return self.boot_id == earlier.boot_id or (uptime_s >= 0 and abs(wall_s - uptime_s) < _SAME_CLOCK_S)


@functools.cache
def read_boot_id() -> str:
    """Return the id of the boot that runs, with dashes, as the kernel writes it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


class Clock(Protocol):
    def now(self) -> datetime:
        """Return the aware UTC time, for showing and storing; not for intervals."""
        ...

    def moment(self) -> Moment: ...

    def monotonic_s(self) -> float:
        """Return CLOCK_MONOTONIC in seconds, as systemd stamps its units."""
        ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The real one."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def moment(self) -> Moment:
        return Moment(wall=self.now(), boot_id=read_boot_id(), uptime_s=time.clock_gettime(time.CLOCK_BOOTTIME))

    def monotonic_s(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))
