"""The runs that are shipped, from `systemctl start` to a Plex at home that has what they brought: on a machine that is really rented,
with media on a real storage that home and it mount, and with what has changed there since."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.conftest import configure, events
from tests.system.full_house import CONFIGURATION, EPISODES, FILMS, POINT, change_media, count, do_run, full_house
from tests.system.house import House
from tests.system.native_plex import DATA

pytestmark = [pytest.mark.machine, pytest.mark.xdist_group("cloud-whole")]

THERE, HERE = "/etc/plexguard/there.json", "/etc/plexguard/here.json"
APPLY = f'[cloud-apply]\nmappings = "{HERE}"\n'


@pytest.fixture
def home(deb: Path) -> Iterator[House]:
    with full_house(
        deb, full="max_libraries = 1\nanalyze = false\n", delta=f'mappings = "{THERE}"\nmeasure_storage = true\n'
    ) as home:
        home.machine.write(THERE, json.dumps({"mappings": {POINT: "/Media"}}))
        yield home


def test_full_then_delta_then_plex_at_home_has_what_they_brought(home: House) -> None:
    machine = home.machine

    # From scratch: the libraries are those of home, found through the mount.
    told = do_run(home, "full")

    # Of the two one was to be worked on, for a try, and scanned alone.
    assert told["PLEXGUARD_LIBRARIES"] == f"Films 0 → {FILMS} (+{FILMS}), 0 % analysed; Shows 0 → 0 (+0), 0 % analysed"
    assert float(told["PLEXGUARD_COST_EUROS"]) > 0

    expected = change_media(machine)

    told = do_run(home, "delta")

    # All files are small ones here.
    assert "no file of 8.4 MB or more was found" in events(machine, "cloud.storage-measured")[-1]["PLEXGUARD_DETAIL"]
    assert told["PLEXGUARD_LIBRARIES"].startswith(
        f"Films {FILMS} → {expected} (+1), 100 % analysed; Shows {EPISODES} → {EPISODES} (+0)"
    )
    state = json.loads(machine.read("/var/lib/plexguard/cloud-run/delta/state.json"))
    assert state["reference"].startswith("/var/lib/plexguard/db-export/archives/") and state["server"]
    # Plex at home was not touched.
    assert count(machine, "Films") == FILMS

    machine.write(HERE, json.dumps({"mappings": {"/Media": POINT}}))
    configure(machine, CONFIGURATION + APPLY)
    machine.run(["systemctl", "start", "plexguard-cloud-apply@delta"], check=False, timeout_s=240)

    (applied,) = events(machine, "cloud.applied") or [None]
    assert applied is not None, machine.journal_text("-n", "60", "-u", "plexguard-cloud-apply@delta")
    assert applied["PLEXGUARD_CHANGES"] == f"Films {FILMS} → {expected} (+1); Shows {EPISODES} → {EPISODES} (+0)"
    assert (count(machine, "Films"), count(machine, "Shows")) == (expected, EPISODES)
    assert machine.run(["grep", "-c", "allowedNetworks", f"{DATA}/Preferences.xml"], check=False).stdout == "0\n"
    assert home.cloud.left() == []
    assert machine.failed_units() == [], machine.journal_text("-n", "60", "-u", "plexguard-cloud-instance@*")
