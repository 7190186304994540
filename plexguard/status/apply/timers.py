"""Have a changed configuration hold for the timers that it has the target want: there is nothing to enable."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from plexguard.core.manager import Manager


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A timer that the generator has the target want by a drop-in. stem: of it and of its service. after: why that service is
    started once more when the timer is not wanted any more, "" where it is not."""

    drop_in: str
    stem: str
    after: str = ""

    @property
    def timer(self) -> str:
        return f"{self.stem}.timer"

    @property
    def service(self) -> str:
        return f"{self.stem}.service"


_TIMERS = (
    Wanted(
        drop_in="plexguard.target.d/50-trash.conf",
        stem="plexguard-trash",
        after="so that Plex empties its trash as it did before",
    ),
    Wanted(drop_in="plexguard.target.d/50-cloud.conf", stem="plexguard-cloud-reaper"),
)


def apply_timers(before: Mapping[str, str], after: Mapping[str, str], manager: Manager) -> tuple[str, ...]:
    """Do it, and return a line for each thing done. before, after: the drop-ins. A timer that was stopped by hand stays so."""
    return tuple(line for wanted in _TIMERS for line in _apply(wanted, wanted.drop_in in before, wanted.drop_in in after, manager))


def _apply(wanted: Wanted, was: bool, is_wanted: bool, manager: Manager) -> Iterator[str]:
    if is_wanted and not was:
        if manager.unit(wanted.timer).load_state == "masked":
            yield f"{wanted.timer}: is masked, and stays off"
            return
        manager.start(wanted.timer)
        yield f"{wanted.timer}: started"
    if was and not is_wanted:
        manager.stop(wanted.timer)
        yield f"{wanted.timer}: stopped"
        if wanted.after:
            manager.start(wanted.service)
            yield f"{wanted.service}: started, {wanted.after}"
