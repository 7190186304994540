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

    house.systemctl("start", EXPORT, timeout_s=240)

    (brought,) = events(house, "cloud.exported")
    assert brought["PLEXGUARD_CHANGES"] == f"Films 0 → {FILMS} (+{FILMS}), 0 % analysed"
    archive = brought["PLEXGUARD_PATH"]
    folder = archive.rpartition("/")[0]
    assert house.run(["plexguard-db-export", "verify", "--deep", archive]).returncode == 0
    (films,) = json.loads(house.run(["plexguard-db-export", "count", "--format=json", archive]).stdout)["libraries"]
    assert (films["title"], films["items"], films["trashed"]) == ("Films", FILMS, 0)
    logs = house.run(["tar", "--zstd", "-xOf", f"{folder}/logs.tar.zst"]).stdout
    assert "Mount media is proven" in logs and TOKEN not in logs
    assert house.run(["stat", "-c", "%a %U", folder]).stdout == "700 plexguard-cloud\n"
    # Plex there was set as it was, and stopped.
    assert guest.run(["docker", "inspect", "-f", "{{.State.Running}}", "plex"]).stdout == "false\n"
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
