"""The scan of libraries on the run's machine, which is a real one: what happens in the midst of it costs nothing, and what it has found
comes home. Every fault there is: see tests/soak/scans.py."""

import json

import pytest

from plexguard.cloud_run.server.container import NAME
from tests.system import scan_faults
from tests.system.conftest import events
from tests.system.native_plex import TOKEN
from tests.system.scan_faults import ALL_AT_ONCE, FILMS, FULL, MOUNT_KILLED, meet, meet_full_disk
from tests.system.test_cloud_mount import Pair, pair

__all__ = ["pair"]
pytestmark = [pytest.mark.machine, pytest.mark.xdist_group("cloud-mount")]

SCAN, EXPORT = "plexguard-cloud-scan@delta.service", "plexguard-cloud-export@delta.service"


def test_what_happens_in_the_midst_of_a_scan_costs_nothing_and_all_comes_home(pair: Pair) -> None:
    house, guest = pair.house, pair.guest
    names = ("Films", FULL, "More films")
    scan_faults.begin(pair, *names)

    meet(pair, "Films", MOUNT_KILLED)
    meet_full_disk(pair)
    meet(pair, "More films", ALL_AT_ONCE)

    house.wait_for(lambda: scanned(pair), timeout_s=60, what="the phase is over")
    assert scanned(pair) == ["libraries scanned: 3, +0 items"]
    # The work was the guest's own, and nothing of it is left to be done.
    assert guest.run(["systemctl", "list-units", "--plain", "--no-legend", "plexguard-job-*"]).stdout == ""
    assert not events(house, "cloud.run-failed")

    # Each phase needs the one before. What arrives first is not all of the archive.
    scan_faults.cut_off_archive(guest)
    house.systemctl("start", EXPORT, timeout_s=400)

    analysed = {found["PLEXGUARD_LIBRARY"]: found["PLEXGUARD_DETAIL"] for found in events(house, "cloud.library-analysed")}
    assert set(analysed) == set(names) and all(f"{FILMS} of {FILMS} analysed, +{FILMS}" in text for text in analysed.values())

    (brought,) = events(house, "cloud.exported")
    (anew,) = scan_faults.troubles(house, "all libraries")
    assert "has arrived as another than was packed: it is fetched anew" in anew
    assert all(f"{name} 0 → {FILMS} (+{FILMS}), 100 % analysed" in brought["PLEXGUARD_CHANGES"] for name in names)
    archive = brought["PLEXGUARD_PATH"]
    folder = archive.rpartition("/")[0]
    assert house.run(["plexguard-db-export", "verify", "--deep", archive]).returncode == 0
    found = json.loads(house.run(["plexguard-db-export", "count", "--format=json", archive]).stdout)["libraries"]
    assert {(one["title"], one["items"], one["trashed"]) for one in found} == {(name, FILMS, 0) for name in names}
    logs = house.run(["tar", "--zstd", "-xOf", f"{folder}/logs.tar.zst"]).stdout
    assert "Mount media is proven" in logs and TOKEN not in logs
    assert house.run(["stat", "-c", "%a %U", folder]).stdout == "700 plexguard-cloud\n"
    # What was brought home meanwhile is in it.
    assert house.run(["ls", folder]).stdout.split() == ["logs.tar.zst", archive.rpartition("/")[2]]
    # Plex there was set as it was, and stopped.
    assert guest.run(["docker", "inspect", "-f", "{{.State.Running}}", NAME]).stdout == "false\n"
    pair.end()


def scanned(pair: Pair) -> list[str]:
    return [found["PLEXGUARD_LINE"] for found in events(pair.house, "cloud.phase-done") if found["PLEXGUARD_PHASE"] == "scan"]
