"""Which units must be restarted for a changed configuration to hold. Pure."""

from collections.abc import Iterable, Mapping

from plexguard.core.suite import Program


def find_changed_units(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """Return the units whose drop-ins appeared, went or changed."""
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return tuple(sorted({name.partition(".d/")[0] for name in changed}))


def choose_restarts(changed: Iterable[str], programs: Iterable[Program]) -> tuple[str, ...]:
    """Return the units to restart if they run: timers whose times changed, and daemons, which read their file only once.

    A service behind a timer is left out: it reads everything at its next run, and an audit at work is not broken off.
    """
    timers = [unit for unit in changed if unit.endswith(".timer")]
    return (*timers, *(f"{program.command}.service" for program in programs if program.daemon))
