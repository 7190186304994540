"""Whether what a timer's check has left behind may still be believed. Pure."""

from datetime import timedelta

from plexguard.core.clock import Moment
from plexguard.core.manager import Unit
from plexguard.status.observe import Observation
from plexguard.status.overview import State
from plexguard.status.views.words import ago, show_seconds

# A check may be late by so many of its intervals, and by this: a machine that is busy is no fault of it.
_LATE_INTERVALS = 3
_LATE_S = 120.0
# Between what was read first and the clock, which was read last.
_SLACK_S = 5.0


def lies_ahead(seen: Observation, moment: Moment) -> bool:
    """Tell whether a moment of this boot has not been yet: who wrote it has another clock, or wrote nonsense."""
    return moment.boot_id == seen.now.boot_id and moment.uptime_s > seen.now.uptime_s + _SLACK_S


def is_disabled(unit: Unit | None) -> bool:
    """Tell whether somebody has switched a unit off for good."""
    return unit is not None and not unit.runs and unit.file_state in ("disabled", "masked", "masked-runtime")


def find_timer_fault(seen: Observation, timer: str) -> tuple[str, str]:
    """Return why a timer starts nothing, and the command against it; "" for one that does."""
    if seen.manager_why:
        return "", ""
    unit = seen.units.get(timer)
    if unit is None or not unit.exists:
        return f"{timer} is not installed", "apt-get install --reinstall plexguard"
    if unit.runs:
        return "", ""
    if unit.file_state.startswith("masked"):
        # A timer that is masked while it waits is found failed, too.
        return f"{timer} is masked", f"systemctl unmask {timer} && systemctl enable --now {timer}"
    if unit.active_state == "failed":
        return f"{timer} has failed", f"systemctl status {timer}"
    word = "disabled" if is_disabled(unit) else "stopped"
    return f"{timer} is {word}", f"systemctl enable --now {timer}"


def find_staleness(seen: Observation, stem: str, checked: Moment | None, interval: timedelta) -> tuple[State, str, str]:
    """Return why the result of a check that a timer starts says nothing of now, with the state that follows and the command
    against it; "" when it may be believed."""
    fault, command = find_timer_fault(seen, f"{stem}.timer")
    ago_text = f", the last check was {ago(seen, checked)} ago" if checked is not None else ", and it never was checked"
    if fault:
        return State.PROBLEM, fault + ago_text, command
    limit_s = _LATE_INTERVALS * interval.total_seconds() + _LATE_S
    if checked is not None and lies_ahead(seen, checked):
        return State.UNKNOWN, "what is known of it claims to be from the future", f"journalctl -x -e -u {stem}"
    if checked is not None and seen.now.seconds_since(checked) <= limit_s:
        return State.WELL, "", ""
    more = f"journalctl -x -e -u {stem}"
    if seen.now.uptime_s < limit_s:
        return State.WARNING, "this machine has just been started, and nothing was checked yet", more
    if checked is None:
        return State.UNKNOWN, "it has not been checked yet", more
    return (
        State.PROBLEM,
        f"the last check was {ago(seen, checked)} ago, though every {show_seconds(interval.total_seconds())} one is due",
        more,
    )
