"""What the demonstration plays, scene by scene. Each returns the one thing to remember of it."""

import time
from pathlib import Path

from tests.demo.show import Show
from tests.demo.timeline import mark_fault
from tests.machine import Machine
from tests.system.conftest import await_event, await_found, events, mode_of
from tests.system.fake_package import build_package
from tests.system.native_plex import FILMS, UNIT, install_plex, list_films, play_film, set_plex

DEB = Path()
_FILM = f"{FILMS}/Film 1 (2001)/Film 1.mkv"
_NEW_FILM = f"{FILMS}/Film 9 (2009)/Film 9.mkv"
_NEW_VERSION = "1.44.0.11000-0123456789"
# A tick of the timer, three looks, the restart, and the next tick.
_RECOVERY_TIMEOUT_S = 150
_URL = "http://127.0.0.1:32480"
_HEALTH = f"curl -s -w ' %{{http_code}}\\n' {_URL}/api/v1/health/plex"
_ASK_DOOR = "curl -si -H 'Accept: application/json' http://127.0.0.1:32401/library/sections"
_METRICS = f"curl -s {_URL}/metrics | grep -E '^plexguard_(healthy|plex_)'"


def install(machine: Machine, show: Show) -> str:
    machine.push(DEB, f"/root/{DEB.name}")
    show.command("apt", "install", "-y", "--no-install-recommends", f"/root/{DEB.name}", lines=6)
    show.command("systemctl", "list-timers", "plexguard*")
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


def repair_live(machine: Machine, show: Show) -> str:
    machine.wait_for(lambda: _is_watched(machine), timeout_s=30, what="the guard watches the library, and has had it audited")
    show.command("systemctl", "show", "-p", "StatusText", "plexguard-perms-guard.service")
    show.say("a download arrives with mode 0600; nobody starts anything")
    began = time.monotonic()
    machine.write(_NEW_FILM, "film", mode=0o600)
    machine.wait_for(lambda: mode_of(machine, _NEW_FILM) == 0o644, timeout_s=10, what="the live guard repairs it")
    took_s = time.monotonic() - began
    show.journal("-u", "plexguard-perms-guard", "-n", "1")
    show.journal("-u", "plexguard-perms-guard", "-x", "PLEXGUARD_EVENT=perms.repaired")
    if await_event(machine, "perms.repaired", timeout_s=5)["_SYSTEMD_UNIT"] != "plexguard-perms-guard.service":
        raise AssertionError("it was not the guard that repaired it")
    return f"readable {took_s:.1f} s after it arrived"


def repair_by_log(machine: Machine, show: Show) -> str:
    show.say("without the guard and the half-hourly audit, to see what the log alone does:")
    others = ("plexguard-perms-guard.service", "plexguard-perms-audit.timer")
    show.command("systemctl", "stop", *others, "plexguard-perms-audit.service")
    since = machine.cursor()
    show.command("chmod", "000", _FILM)
    before = play_film(machine, _FILM)
    show.say(f"a player asks for the film: {before}; Plex writes that into its log")
    began = time.monotonic()
    machine.wait_for(lambda: play_film(machine, _FILM) == 200, timeout_s=20, what="what Plex's log names is repaired")
    took_s = time.monotonic() - began
    repaired = await_event(machine, "perms.repaired", timeout_s=10, since_cursor=since)
    show.journal("-t", "plexguard-log-watch", "-t", "plexguard-perms-audit", since_cursor=since)
    show.command("systemctl", "start", *others)
    if before != 404:
        raise AssertionError(f"the film answered {before} before")
    if repaired["_SYSTEMD_UNIT"] != "plexguard-perms-request.service":
        raise AssertionError("it was not Plex's log that led to the repair")
    return f"{before} became 200 within {took_s:.1f} s of the complaint"


def take_back(machine: Machine, show: Show) -> str:
    runs = show.command("plexguard-perms-audit", "list")
    run = runs.split()[0]
    show.command("plexguard-perms-audit", "undo", run)
    show.command("plexguard-perms-audit", "explain", _NEW_FILM, check=False)
    show.command("systemctl", "start", "plexguard-perms-audit.service")
    show.say("for an hour that is respected; a person who says so is obeyed at once")
    show.command("plexguard-perms-audit", FILMS)
    show.say("that nothing is left is told by the audit of every night, or now")
    since = machine.cursor()
    show.command("systemctl", "start", "plexguard-perms-audit-full.service")
    await_event(machine, "perms.settled", timeout_s=30, since_cursor=since)
    show.journal("-u", "plexguard-perms-audit-full", "PLEXGUARD_EVENT=perms.settled", since_cursor=since)
    if mode_of(machine, _NEW_FILM) != 0o644:
        raise AssertionError("it was not repaired by hand")
    return f"run {run} was undone, and repaired again by hand"


def recover_plex(machine: Machine, show: Show) -> str:
    # A Plex that was started a minute ago may still be starting: it is given that time.
    show.say("waiting until Plex has been up for a minute, as start_grace asks")
    machine.wait_for(lambda: _uptime_s(machine) > 60, timeout_s=90, what="Plex has been up for a minute")
    show.say("how it stands, and why; anybody may ask, and nothing is kept, told or done")
    show.command("plexguard-plex-probe", "--explain")
    since = machine.cursor()
    set_plex(machine, mode="hung")
    mark_fault(machine, "Plex hangs from now on")
    show.say("Plex hangs now: it takes connections and answers none")
    began = time.monotonic()
    show.command("plexguard-plex-probe", "--explain", check=False)
    await_event(machine, "proxy.opened", timeout_s=30, since_cursor=since)
    show.say("who asks through the front door does not wait for that:")
    show.command("plexguard-proxy", "show", check=False)
    show.script(_ASK_DOOR)
    recovered = await_event(machine, "plex.recovered", timeout_s=_RECOVERY_TIMEOUT_S)
    took_s = time.monotonic() - began
    show.journal("-u", "plexguard-plex-probe", "-u", "plexguard-plex-restart")
    show.journal("-x", "PLEXGUARD_EVENT=plex.hung")
    if play_film(machine, _FILM) != 200:
        raise AssertionError("Plex answers, but plays no film")
    return f"{took_s:.0f} s from the fault to the recovery told; downtime told: {recovered['PLEXGUARD_DOWNTIME_S']} s"


def leave_update(machine: Machine, show: Show) -> str:
    package = build_package(machine, _NEW_VERSION, work_s=15)
    since = machine.cursor()
    show.say(f"dpkg -i {package}: its scripts stop Plex, work for 15 s, and start it")
    update = machine.spawn(["dpkg", "-i", package])
    machine.wait_for(lambda: machine.unit(UNIT)["ActiveState"] == "inactive", timeout_s=30, what="the update stops Plex")
    show.command("plexguard-plex-probe", "--explain", check=False)
    show.command("systemctl", "start", "plexguard-plex-probe.service")
    update.communicate(timeout=120)
    machine.wait_for(lambda: list_films(machine), timeout_s=60, what="the new Plex names its films")
    show.command("systemctl", "start", "plexguard-plex-probe.service")
    updated = await_event(machine, "plex.updated", timeout_s=30, since_cursor=since)
    show.journal("-u", "plexguard-plex-probe", since_cursor=since)
    if events(machine, "plex.restart-asked", since_cursor=since):
        raise AssertionError("a restart was asked for in the middle of an update")
    return f"{updated['PLEXGUARD_BEFORE']} became {updated['PLEXGUARD_AFTER']}, and nothing interfered"


def respect_stop(machine: Machine, show: Show) -> str:
    since = machine.cursor()
    show.command("systemctl", "stop", UNIT)
    show.say("the timer looks every 30 s; here the probe is asked to at once")
    show.command("systemctl", "start", "plexguard-plex-probe.service")
    await_event(machine, "plex.stopped", timeout_s=90, since_cursor=since)
    show.command("systemctl", "start", UNIT)
    machine.wait_for(lambda: list_films(machine), timeout_s=60, what="Plex names its films")
    show.command("systemctl", "start", "plexguard-plex-probe.service")
    await_event(machine, "plex.recovered", timeout_s=90, since_cursor=since)
    show.journal("-u", "plexguard-plex-probe", since_cursor=since)
    if events(machine, "plex.restart-asked", since_cursor=since):
        raise AssertionError("a restart was asked for, of a Plex that somebody had stopped")
    return "nothing restarted it"


def show_status(machine: Machine, show: Show) -> str:
    machine.wait_for(lambda: _uptime_s(machine) > 60, timeout_s=90, what="Plex has been up for a minute")
    machine.systemctl("start", "plexguard-net-recover.service", check=False)
    show.say("one screen for all that is guarded; anybody may look")
    before = show.command("plexguard-status", check=False, lines=60)
    show.say("the same over HTTP, for programs: who asks first starts the service, and the page is at the same address")
    show.script(_HEALTH)
    since = machine.cursor()
    set_plex(machine, mode="hung")
    show.say("Plex hangs; as soon as that is certain:")
    await_event(machine, "plex.hung", timeout_s=_RECOVERY_TIMEOUT_S, since_cursor=since)
    during = show.command("plexguard-status", check=False, lines=60)
    # What is served is a look of some seconds ago at most.
    machine.wait_for(lambda: _health(machine) == 503, timeout_s=20, what="health over HTTP is not well")
    refused = show.script(_HEALTH)
    show.script(_METRICS)
    await_event(machine, "plex.recovered", timeout_s=_RECOVERY_TIMEOUT_S, since_cursor=since)
    after = machine.run(["plexguard-status"], check=False).stdout
    show.say("and when it is over:")
    machine.wait_for(lambda: _health(machine) == 200, timeout_s=20, what="health over HTTP is well again")
    show.script(_HEALTH)
    if ": healthy" not in before or "hung" not in during or " Plex           well" not in after:
        raise AssertionError("the screen does not show what is")
    if not refused.endswith(" 503\n"):
        raise AssertionError("health over HTTP does not say what is")
    return "the fault was on the screen with its command, and gone when it was over"


def look_around(machine: Machine, show: Show) -> str:
    show.command("systemctl", "status", "plexguard-plex-probe.service", check=False)
    show.command("systemctl", "list-timers", "plexguard*")
    show.command("plexguard-status", "check-config")
    show.command("systemctl", "--failed", "--no-legend")
    if machine.failed_units():
        raise AssertionError(f"failed units: {' '.join(machine.failed_units())}")
    return "no failed unit"


def _is_watched(machine: Machine) -> bool:
    status = machine.run(["systemctl", "show", "-p", "StatusText", "plexguard-perms-guard.service"]).stdout
    audited = bool(events(machine, "perms.guard-behind"))
    runs = machine.unit("plexguard-perms-audit.service")["ActiveState"] == "activating"
    return "Watching 1 of 1" in status and audited and not runs


def _health(machine: Machine) -> int:
    return int(machine.run(["sh", "-c", _HEALTH]).stdout.rpartition(" ")[2])


def _uptime_s(machine: Machine) -> float:
    started = float(machine.unit(UNIT)["ActiveEnterTimestampMonotonic"]) / 1e6
    return time.clock_gettime(time.CLOCK_MONOTONIC) - started
