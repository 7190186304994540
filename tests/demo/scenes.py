"""What the demonstration plays, scene by scene. Each returns the one thing to remember of it."""

import time
from pathlib import Path

from tests.demo.show import Show
from tests.machine import Machine
from tests.system.conftest import await_event, await_found
from tests.system.native_plex import FILMS, UNIT, install_plex, play_film, set_plex

DEB = Path()
_FILM = f"{FILMS}/Film 1 (2001)/Film 1.mkv"
# A tick of the timer, three looks, the restart, and the next tick.
_RECOVERY_TIMEOUT_S = 150


def install(machine: Machine, show: Show) -> str:
    machine.push(DEB, f"/root/{DEB.name}")
    show.command("apt", "install", "-y", "--no-install-recommends", f"/root/{DEB.name}", lines=6)
    show.command("systemctl", "list-timers", "--no-pager", "plexguard*")
    version = show.command("dpkg-query", "-W", "-f", "${Version}", "plexguard")
    return f"version {version}, nothing configured"


def find_plex(machine: Machine, show: Show) -> str:
    machine.run(["mkdir", "-p", FILMS])
    install_plex(machine)
    show.say("Plex was found when it was installed; its library is found within five minutes, or now:")
    show.command("systemctl", "start", "plexguard-discover.service")
    await_found(machine)
    show.journal("-u", "plexguard-discover")
    return FILMS


def repair_film(machine: Machine, show: Show) -> str:
    show.command("chmod", "000", _FILM)
    before = play_film(machine, _FILM)
    show.say(f"a player asks for the film: {before}")
    show.command("systemctl", "start", "plexguard-perms-audit.service")
    after = play_film(machine, _FILM)
    show.say(f"a player asks for the film again: {after}")
    show.journal("-u", "plexguard-perms-audit", "-x", "PLEXGUARD_EVENT=perms.repaired")
    show.journal("-u", "plexguard-perms-audit", "-n", "5")
    if (before, after) != (404, 200):
        raise AssertionError(f"the film answered {before} before and {after} after")
    return f"{before} became {after}"


def recover_plex(machine: Machine, show: Show) -> str:
    # A Plex that was started a minute ago may still be starting: it is given that time.
    show.say("waiting until Plex has been up for a minute, as start_grace asks")
    machine.wait_for(lambda: _uptime_s(machine) > 60, timeout_s=90, what="Plex has been up for a minute")
    set_plex(machine, mode="hung")
    show.say("Plex hangs now: it takes connections and answers none")
    began = time.monotonic()
    recovered = await_event(machine, "plex.recovered", timeout_s=_RECOVERY_TIMEOUT_S)
    took_s = time.monotonic() - began
    show.journal("-u", "plexguard-plex-probe", "-u", "plexguard-plex-restart")
    show.journal("-x", "PLEXGUARD_EVENT=plex.hung")
    if play_film(machine, _FILM) != 200:
        raise AssertionError("Plex answers, but plays no film")
    return f"{took_s:.0f} s from the fault to the recovery told; downtime told: {recovered['PLEXGUARD_DOWNTIME_S']} s"


def respect_stop(machine: Machine, show: Show) -> str:
    show.command("systemctl", "stop", UNIT)
    await_event(machine, "plex.stopped", timeout_s=90)
    show.journal("-u", "plexguard-plex-probe", "-n", "1")
    show.command("systemctl", "start", UNIT)
    await_event(machine, "plex.recovered", timeout_s=90, since_cursor=machine.cursor())
    return "nothing restarted it"


def look_around(machine: Machine, show: Show) -> str:
    show.command("systemctl", "status", "--no-pager", "plexguard-plex-probe.service", check=False)
    show.command("systemctl", "list-timers", "--no-pager", "plexguard*")
    show.command("plexguard-status", "check-config")
    show.command("systemctl", "--failed", "--no-legend", "--no-pager")
    if machine.failed_units():
        raise AssertionError(f"failed units: {' '.join(machine.failed_units())}")
    return "no failed unit"


def _uptime_s(machine: Machine) -> float:
    started = float(machine.unit(UNIT)["ActiveEnterTimestampMonotonic"]) / 1e6
    return time.clock_gettime(time.CLOCK_MONOTONIC) - started
