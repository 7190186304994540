"""Scenes of a mount: it is proven, its rclone dies, its storage goes away while Plex scans. Each returns the one thing to remember."""

import time

from tests.demo.show import Show
from tests.machine import Machine
from tests.system.conftest import await_event
from tests.system.mounting import CONFIGURATION, MOUNT_UNIT, POINT, WATCHDOG_UNIT, Stand, install_storage

_TIMEOUT_S = 60


def prove_mount(machine: Machine, show: Show) -> str:
    install_storage(machine)
    machine.systemctl("start", "storage-proxy.service", "storage-server.service")
    machine.write("/etc/plexguard/plexguard.toml.d/80-mount.toml", CONFIGURATION)
    show.say("an S3 storage with 24 films and 24 episodes, and all that has to be said of it:")
    show.command("cat", "/etc/plexguard/plexguard.toml.d/80-mount.toml")
    show.command("plexguard-status", "apply")
    show.say("its watchdog is started when bytes were read through the mount, and not before:")
    show.command("systemctl", "start", WATCHDOG_UNIT)
    show.command("systemctl", "status", "-n", "0", MOUNT_UNIT, WATCHDOG_UNIT, check=False)
    show.journal("-u", WATCHDOG_UNIT)
    show.command("ls", POINT)
    stand = Stand(machine)
    stand.add_libraries()
    return f"{stand.items().known} films and episodes in Plex; {stand.status()}"


def lose_rclone(machine: Machine, show: Show) -> str:
    stand = Stand(machine)
    since = machine.cursor()
    show.say("rclone is killed, as the kernel does for want of memory")
    show.command("systemctl", "kill", "--kill-who=main", "-s", "KILL", MOUNT_UNIT)
    proven = await_event(machine, "mount.proven", timeout_s=_TIMEOUT_S, since_cursor=since)
    await_event(machine, "plex.released", timeout_s=_TIMEOUT_S, since_cursor=since)
    show.journal("-u", WATCHDOG_UNIT, since_cursor=since)
    show.command("systemctl", "show", "-P", "StatusText", WATCHDOG_UNIT)
    if stand.remounts(since) != 1:
        raise AssertionError(f"it was mounted {stand.remounts(since)} times")
    return f"bytes are read again after {float(proven['PLEXGUARD_DOWNTIME_S']):.0f} s"


def lose_storage(machine: Machine, show: Show) -> str:
    stand = Stand(machine)
    before, settings = stand.items(), stand.settings()
    stand.scan_takes(20)
    since = machine.cursor()
    show.say("the storage refuses every request from now on, and Plex begins to scan; what it cannot open it would delete")
    stand.faults.set("all", "answer", status=403)
    stand.scan()
    told = await_event(machine, "mount.refusing", timeout_s=_TIMEOUT_S, since_cursor=since)
    await_event(machine, "plex.held", timeout_s=_TIMEOUT_S, since_cursor=since)
    stand.scan_takes(0.2)
    show.command("systemctl", "show", "-P", "StatusText", WATCHDOG_UNIT)
    show.command("plexguard-status", check=False, lines=60)
    show.journal("-x", "PLEXGUARD_EVENT=mount.refusing", since_cursor=since)
    show.journal("-x", "PLEXGUARD_EVENT=plex.held", since_cursor=since)
    stand.await_scans()
    kept = stand.items()
    show.say(f"Plex's scan is over: {kept.known} of {before.known} items are still known to it; the storage is back")
    stand.mend()
    began = time.monotonic()
    await_event(machine, "plex.released", timeout_s=_TIMEOUT_S * 2, since_cursor=since)
    show.journal("-u", WATCHDOG_UNIT, since_cursor=since)
    if stand.remounts(since):
        raise AssertionError("it was mounted anew, which helps nobody while the storage refuses")
    if kept.known != before.known or stand.items() != before:
        raise AssertionError(f"Plex had {before}, and has {stand.items()}")
    if stand.settings() != settings:
        raise AssertionError("Plex's settings are not as before")
    return f"0 of {before.known} items lost; released {time.monotonic() - began:.0f} s after its end: {told['MESSAGE']}"
