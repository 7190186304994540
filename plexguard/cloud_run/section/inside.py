"""What runs in the container of the run's Plex, by the machine's process table: another Plex may run beside it."""

from dataclasses import dataclass
from pathlib import Path

from plexguard.core.errors import Unavailable
from plexguard.core.processes import Process, find_in_container, is_scanner, look_inside, read_cgroup

_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Inside:
    """container: its full id."""

    container: str

    def scanners(self) -> tuple[Process, ...]:
        """Return every Plex Media Scanner in it, with its arguments."""
        return tuple(process for process in find_in_container(self.container) if is_scanner(process))

    def started_s(self) -> float | None:
        """Return when its Plex was started, in seconds of CLOCK_BOOTTIME, None while it does not run."""
        return look_inside(self.container).plex_started_s

    def cpu_s(self) -> float:
        """Return the processor time that all of it has taken, in seconds. Raises Unavailable when that cannot be told."""
        for process in find_in_container(self.container):
            path = read_cgroup(process.pid).strip().rpartition("::")[2]
            try:
                text = (_CGROUPS / path.lstrip("/") / "cpu.stat").read_text(encoding="ascii")
                return int(dict(line.split() for line in text.splitlines())["usage_usec"]) / 1e6
            except (OSError, ValueError, KeyError) as error:
                raise Unavailable(f"the processor time of Plex's container cannot be told: {error}") from error
        raise Unavailable("nothing runs in Plex's container")
