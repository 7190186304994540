"""Plex's trash on a booted machine: who empties it, when, and what is told; and how the status shows mounts that it depends on."""

import json
import time
from typing import Any

import pytest

from tests.machine import Machine
from tests.system.conftest import assert_clean_journal, await_event, configure, events, explain
from tests.system.native_plex import FILMS, URL, ask_plex, curl, list_films, set_plex

pytestmark = pytest.mark.machine

TIMER, SERVICE = "plexguard-trash.timer", "plexguard-trash.service"
STATE = "/var/lib/plexguard/trash"
WATCHDOG = "plexguard-rclone-watchdog@films.service"
RECORD = "/var/lib/plexguard/rclone-watchdog/films/state.json"
ON = '[rclone-watchdog]\ntrash = true\ntrash_pause = "5s"\n'
# Somebody else's mount, which is watched: here by the test, which writes what a watchdog would.
WATCHED = 'read_interval = "10s"\n[rclone.films]\nmount_point = "/data/media"\n'
# A watchdog that proves it each second, and writes it down.
PROVE = """
import json, os, sys, time
boot = open("/proc/sys/kernel/random/boot_id").read().strip()
while True:
    uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
    wall = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    now = {"wall": wall, "boot_id": boot, "uptime_s": uptime}
    record = {"schema": 1, "path": "/data/media", "verdict": "proven", "checked": now, "since": now, "proven": now,
              "latency_s": 0.02, "limit_s": 3.0, "remounts_total": 2, "waiting": 0, "probes": {"through": 9}}
    with open(sys.argv[1] + ".new", "w") as file:
        json.dump(record, file)
    os.replace(sys.argv[1] + ".new", sys.argv[1])
    time.sleep(1)
"""


def is_on(machine: Machine) -> bool:
    """Return whether Plex empties its trash by itself."""
    answer: Any = ask_plex(machine, "/:/prefs")
    return bool(next(setting["value"] for setting in answer["Setting"] if setting["id"] == "autoEmptyTrash"))


def missing(machine: Machine) -> int:
    answer: Any = ask_plex(machine, "/library/sections/1/all?type=1&trash=1&X-Plex-Container-Start=0&X-Plex-Container-Size=0")
    return int(answer["totalSize"])


def lose(machine: Machine, number: int) -> None:
    """Take a film away, and have Plex miss it."""
    before = missing(machine)
    machine.run(["rm", "-r", f"{FILMS}/Film {number} (200{number})"])
    curl(machine, f"{URL}/library/sections/1/refresh")
    machine.wait_for(lambda: missing(machine) == before + 1, timeout_s=30, what="Plex misses a film")
    # A scan at work is a reason to keep the trash.
    machine.wait_for(lambda: not (ask_plex(machine, "/activities") or {}).get("Activity"), timeout_s=30, what="the scan ends")


def run(machine: Machine) -> None:
    machine.systemctl("start", SERVICE)


def thing(machine: Machine, name: str) -> dict[str, Any]:
    overview = json.loads(machine.run(["plexguard-status", "--format", "json"], check=False).stdout)
    return dict(next(thing for thing in overview["things"] if thing["name"] == name))


def metrics(machine: Machine) -> list[str]:
    return machine.run(["curl", "-sS", "--max-time", "20", "http://127.0.0.1:32480/metrics"]).stdout.splitlines()


def test_it_is_off_until_it_is_wanted_and_gives_back_what_it_took(plex_machine: Machine) -> None:
    machine = plex_machine
    assert machine.unit(TIMER)["ActiveState"] == "inactive"
    machine.systemctl("start", SERVICE)
    before = (is_on(machine), thing(machine, "trash")["state"])

    configure(machine, ON)
    timer = machine.unit(TIMER)["ActiveState"]
    run(machine)
    taken = (is_on(machine), thing(machine, "trash")["state"])
    machine.reboot()
    booted = machine.unit(TIMER)["ActiveState"]
    configure(machine, "")
    machine.wait_for(lambda: is_on(machine), timeout_s=30, what="Plex empties its trash again")

    assert before == (True, "off")
    assert (timer, taken, booted) == ("active", (False, "well"), "active")
    assert machine.unit(TIMER)["ActiveState"] == "inactive"
    assert len(events(machine, "trash.taken-over")) == len(events(machine, "trash.given-back")) == 1
    assert_clean_journal(machine)


def test_what_is_gone_is_forgotten_with_a_record_and_what_is_not_is_kept(plex_machine: Machine) -> None:
    machine = plex_machine
    configure(machine, ON)
    run(machine)
    lose(machine, 1)
    # Also from folders that are closed to all but Plex.
    machine.run(["chmod", "700", FILMS])
    machine.run(["chown", "plex", FILMS])

    preview = machine.run(["plexguard-rclone-watchdog", "trash", "--dry-run"]).stdout
    run(machine)
    told = await_event(machine, "trash.emptied", timeout_s=10)

    assert "1 of 3 items missing, at most 1 are emptied: would be emptied" in preview and "/Film 1.mkv" in preview
    assert (told["PLEXGUARD_COUNT"], told["PLEXGUARD_LEFT"], len(list_films(machine)), missing(machine)) == ("1", "2", 2, 0)
    listed = json.loads(machine.run(["plexguard-rclone-watchdog", "trash", "--history", "--format", "json"]).stdout)
    assert [item["files"] for one in listed for item in one["items"]] == [[f"{FILMS}/Film 1 (2001)/Film 1.mkv"]]

    lose(machine, 2)
    machine.run(["mkdir", "-p", f"{FILMS}/Film 2 (2002)"])
    machine.write(f"{FILMS}/Film 2 (2002)/Film 2.mkv", "back again")
    run(machine)

    kept = await_event(machine, "trash.kept", timeout_s=10)
    assert "1 of the missing files are there" in kept["PLEXGUARD_REASON"] and missing(machine) == 1
    assert "plexguard-rclone-watchdog trash --dry-run" in explain(machine, "trash.kept")
    assert thing(machine, "trash")["state"] == "warning"
    curl(machine, f"{URL}/library/sections/1/refresh")
    machine.wait_for(lambda: missing(machine) == 0, timeout_s=30, what="Plex finds it again")
    run(machine)
    await_event(machine, "trash.cleared", timeout_s=10)
    assert_clean_journal(machine, allowed=("trash.kept",))


def test_a_mount_has_to_be_proven_and_what_is_known_of_it_is_shown(plex_machine: Machine) -> None:
    machine = plex_machine
    machine.systemctl("mask", WATCHDOG)
    machine.run(["sh", "-ec", "cp -a /data/media /data/aside; mount -t tmpfs films /data/media; cp -a /data/aside/. /data/media"])
    configure(machine, ON + WATCHED)
    run(machine)
    lose(machine, 1)
    never = thing(machine, "mount films")
    run(machine)
    first = await_event(machine, "trash.kept", timeout_s=10)

    machine.run(["mkdir", "-p", RECORD.rpartition("/")[0]])
    machine.write("/opt/prove.py", PROVE)
    prover = machine.spawn(["/usr/bin/python3", "/opt/prove.py", RECORD])
    machine.wait_for(lambda: machine.run(["test", "-e", RECORD], check=False).returncode == 0, timeout_s=10, what="a record")
    machine.systemctl("unmask", WATCHDOG)
    shown = metrics(machine)
    run(machine)
    left = missing(machine)
    prover.kill()
    prover.wait()
    lose(machine, 2)
    machine.write(RECORD, json.dumps(json.loads(machine.read(RECORD)) | {"verdict": "hung", "detail": "no bytes for 40 s"}))
    run(machine)

    assert never["state"] in ("problem", "off") and "masked" in never["summary"]
    assert "/data/media is not proven: its watchdog has never looked at it" in first["PLEXGUARD_REASON"]
    assert 'plexguard_mount_remounts_total{mount="films"} 2.0' in shown
    assert left == 0 and len(events(machine, "trash.emptied")) == 1
    assert "/data/media is not proven: it is hung, no bytes for 40 s" in events(machine, "trash.kept")[-1]["PLEXGUARD_REASON"]
    assert missing(machine) == 1


def test_a_plex_that_is_away_or_held_keeps_its_trash(plex_machine: Machine) -> None:
    machine = plex_machine
    configure(machine, ON)
    run(machine)
    lose(machine, 1)
    machine.run(["mkdir", "-p", "/var/lib/plexguard/plex-hold"])
    now = {"wall": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()), "boot_id": "x", "uptime_s": 1.0}
    machine.write("/var/lib/plexguard/plex-hold/state.json", json.dumps({"schema": 1, "holders": {"films": now}}))
    run(machine)
    held = await_event(machine, "trash.kept", timeout_s=10)
    machine.run(["rm", "/var/lib/plexguard/plex-hold/state.json"])
    set_plex(machine, mode="maintenance")
    run(machine)
    set_plex(machine, mode="healthy")

    assert "Plex is held for mount films" in held["PLEXGUARD_REASON"]
    assert missing(machine) == 1 and events(machine, "trash.emptied") == []
    assert machine.failed_units() == []
