"""The scan of a library on the run's machine, which is a real one: its mount dies in the midst of it, and nothing is lost."""

import json

import pytest

from tests.machine import Machine
from tests.system.conftest import await_event, events
from tests.system.native_plex import TOKEN, URL, ask_plex, curl
from tests.system.test_cloud_mount import Pair, kill_mount, pair, start_plex, told

__all__ = ["pair"]
pytestmark = [pytest.mark.machine, pytest.mark.xdist_group("cloud-mount")]

SCAN, EXPORT = "plexguard-cloud-scan@delta.service", "plexguard-cloud-export@delta.service"
FILMS = 24


def test_mount_that_dies_in_the_midst_of_a_scan_costs_no_film(pair: Pair) -> None:
    house, guest = pair.house, pair.guest
    start_plex(pair)
    curl(guest, f"{URL}/library/sections/1/refresh")
    guest.wait_for(lambda: count(guest) == FILMS, timeout_s=60, what="Plex has scanned its films")

    set_plex(guest, file_s=0.5, cancel="works")
    house.systemctl("start", "--no-block", SCAN)
    guest.wait_for(lambda: is_scanning(guest), timeout_s=120, what="Plex scans for the run")
    kill_mount(guest)
    trouble = await_event(house, "cloud.library-trouble", timeout_s=120)
    set_plex(guest, file_s=0.0)
    done = await_event(house, "cloud.library-scanned", timeout_s=420)

    assert "nothing is lost" in trouble["PLEXGUARD_DETAIL"]
    assert done["PLEXGUARD_LIBRARY"] == "Films" and f"{FILMS} items, +0" in done["PLEXGUARD_DETAIL"], told(pair)
    house.wait_for(lambda: scanned(house), timeout_s=60, what="the phase is over")
    assert scanned(house) == ["libraries scanned: 1, +0 items"]
    assert count(guest) == FILMS
    # The work was the guest's own, and nothing of it is left to be done.
    assert guest.run(["systemctl", "list-units", "--plain", "--no-legend", "plexguard-job-*"]).stdout == ""
    assert not events(house, "cloud.run-failed")

    # Each phase needs the one before.
    house.systemctl("start", EXPORT, timeout_s=400)

    (analysed,) = events(house, "cloud.library-analysed")
    assert f"{FILMS} of {FILMS} analysed, +{FILMS}" in analysed["PLEXGUARD_DETAIL"]

    (brought,) = events(house, "cloud.exported")
    assert brought["PLEXGUARD_CHANGES"] == f"Films 0 → {FILMS} (+{FILMS}), 100 % analysed"
    archive = brought["PLEXGUARD_PATH"]
    folder = archive.rpartition("/")[0]
    assert house.run(["plexguard-db-export", "verify", "--deep", archive]).returncode == 0
    (films,) = json.loads(house.run(["plexguard-db-export", "count", "--format=json", archive]).stdout)["libraries"]
    assert (films["title"], films["items"], films["trashed"]) == ("Films", FILMS, 0)
    logs = house.run(["tar", "--zstd", "-xOf", f"{folder}/logs.tar.zst"]).stdout
    assert "Mount media is proven" in logs and TOKEN not in logs
    assert house.run(["stat", "-c", "%a %U", folder]).stdout == "700 plexguard-cloud\n"
    # What was brought home meanwhile is in it.
    assert house.run(["ls", folder]).stdout.split() == ["logs.tar.zst", archive.rpartition("/")[2]]
    # Plex there was set as it was, and stopped.
    assert guest.run(["docker", "inspect", "-f", "{{.State.Running}}", "plex"]).stdout == "false\n"
    pair.end()


LOCK = """
import sqlite3, sys, time
with sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None) as connection:
    connection.execute("BEGIN EXCLUSIVE")
    time.sleep(5)
    connection.execute("ROLLBACK")
"""


def test_line_that_is_lost_plex_that_crashes_and_a_database_that_is_locked_cost_nothing(pair: Pair) -> None:
    house, guest = pair.house, pair.guest
    start_plex(pair)
    set_plex(guest, file_s=1.0)
    house.systemctl("start", "--no-block", SCAN)
    guest.wait_for(lambda: is_scanning(guest), timeout_s=120, what="Plex scans for the run")

    # The line is away for a minute, Plex crashes meanwhile, and somebody holds its database for as long as Plex can wait.
    guest.run(["systemd-run", "--quiet", "--on-active=60", "ip", "link", "set", "host0", "up"])
    guest.run(["ip", "link", "set", "host0", "down"])
    guest.run(["kill", "-KILL", guest.run(["docker", "inspect", "-f", "{{.State.Pid}}", "plex"]).stdout.strip()])
    guest.wait_for(lambda: count(guest) >= 0, timeout_s=60, what="the engine has started Plex again")
    (database,) = guest.run(
        ["sh", "-c", "ls /var/lib/plexguard-run/*/config/Library/*/*/*/Databases/com.plexapp.plugins.library.db"]
    ).stdout.splitlines()
    guest.run(["systemd-run", "--quiet", "/usr/bin/python3", "-c", LOCK, database])
    done = await_event(house, "cloud.library-scanned", timeout_s=500)

    troubles = [found["PLEXGUARD_DETAIL"] for found in events(house, "cloud.library-trouble")]
    assert any("Plex was started anew in its midst" in text for text in troubles), told(pair)
    assert done["PLEXGUARD_LIBRARY"] == "Films" and f"{FILMS} items, +{FILMS}" in done["PLEXGUARD_DETAIL"], told(pair)
    assert count(guest) == FILMS and not events(house, "cloud.run-failed")
    pair.end()


def scanned(house: Machine) -> list[str]:
    return [found["PLEXGUARD_LINE"] for found in events(house, "cloud.phase-done") if found["PLEXGUARD_PHASE"] == "scan"]


def count(guest: Machine) -> int:
    found = ask_plex(guest, "/library/sections/1/all?type=1&X-Plex-Container-Start=0&X-Plex-Container-Size=0")
    return int(str(found["totalSize"])) if found else -1


def is_scanning(guest: Machine) -> bool:
    found = ask_plex(guest, "/library/sections") or {}
    listed = found.get("Directory", [])
    return isinstance(listed, list) and any(entry["refreshing"] for entry in listed)


def set_plex(guest: Machine, **switches: object) -> None:
    """Switch the simulator in the container."""
    (path,) = guest.run(["sh", "-c", "ls /var/lib/plexguard-run/*/config/simulator.json"]).stdout.split()
    guest.write(path, json.dumps({**json.loads(guest.read(path)), **switches}), mode=0o666)
