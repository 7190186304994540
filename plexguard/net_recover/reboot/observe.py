"""What is seen at the moment of acting: the network once more, who watches, updates, inhibitors, and the clock's word."""

import json

from plexguard.core.found import FoundContainer
from plexguard.core.host import CommandError, Host
from plexguard.core.updates import find_update
from plexguard.net_recover.config import Config
from plexguard.net_recover.decide import State, is_excused
from plexguard.net_recover.observe import Eyes, observe
from plexguard.net_recover.reboot.decide import RebootObservation
from plexguard.net_recover.states import describe, judge

_ASK_TIMEOUT_S = 10.0
_LIST_INHIBITORS = (
    *("busctl", "--json=short", "call", "org.freedesktop.login1", "/org/freedesktop/login1"),
    *("org.freedesktop.login1.Manager", "ListInhibitors"),
)


def look_again(eyes: Eyes, config: Config, checked: State, container: FoundContainer | None) -> RebootObservation:
    """Look as carefully as the check does: the network may be back since it gave up."""
    seen = observe(eyes, config, known=checked.seen)
    verdict = judge(seen, is_excused=is_excused(checked, eyes.clock.moment()))
    return RebootObservation(
        verdict=verdict,
        detail=describe(seen, verdict),
        watching=eyes.ask_watching(),
        update=find_update(container),
        inhibitors=read_inhibitors(eyes.host),
        others_answer=seen.others_answer,
    )


def read_inhibitors(host: Host) -> tuple[str, ...] | None:
    """Return who forbids a shutdown, as a phrase each, or None when that cannot be told.

    Source: org.freedesktop.login1(5), ListInhibitors(): what, who, why, mode, uid, pid.
    """
    try:
        rows = json.loads(host.run(_LIST_INHIBITORS, timeout_s=_ASK_TIMEOUT_S).stdout)["data"][0]
        return tuple(
            f"{who} (pid {pid}: {why})"
            for what, who, why, mode, _, pid in rows
            if mode == "block" and "shutdown" in what.split(":")
        )
    except (CommandError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None


def is_clock_synchronised(host: Host) -> bool:
    """Tell whether the clock follows a time server. What cannot be told is no."""
    try:
        command = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
        return host.run(command, timeout_s=_ASK_TIMEOUT_S).stdout.strip() == "yes"
    except CommandError:
        return False
