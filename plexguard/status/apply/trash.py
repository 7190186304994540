"""Have a changed configuration hold for Plex's trash: the timer that empties it, and Plex's own emptying."""

from collections.abc import Iterator, Mapping

from plexguard.core.manager import Manager

# The generator has the target want the timer where the configuration has it: there is nothing to enable.
_WANTED = "plexguard.target.d/50-trash.conf"
_TIMER, _SERVICE = "plexguard-trash.timer", "plexguard-trash.service"


def apply_trash(before: Mapping[str, str], after: Mapping[str, str], manager: Manager) -> tuple[str, ...]:
    """Do it, and return a line for each thing done. before, after: the drop-ins. A timer that was stopped by hand stays so."""
    return tuple(_apply(_WANTED in before, _WANTED in after, manager))


def _apply(was: bool, is_wanted: bool, manager: Manager) -> Iterator[str]:
    if is_wanted and not was:
        if manager.unit(_TIMER).load_state == "masked":
            yield f"{_TIMER}: is masked, and stays off"
            return
        manager.start(_TIMER)
        yield f"{_TIMER}: started"
    if was and not is_wanted:
        manager.stop(_TIMER)
        yield f"{_TIMER}: stopped"
        manager.start(_SERVICE)
        yield f"{_SERVICE}: started, so that Plex empties its trash as it did before"
