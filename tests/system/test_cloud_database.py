"""A database on its way: an archive that is made by the units of home, and put in place on a machine that is really rented."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.libraries import make_plex
from tests.system import cloud_chain
from tests.system.conftest import configure, events
from tests.system.house import CONFIG, House, house

pytestmark = [pytest.mark.machine, pytest.mark.xdist_group("cloud-database")]

DATA = "/srv/plex/Plex Media Server"
MAPPINGS = "/etc/plexguard/mappings.json"
UNIT = "plexguard-cloud-database@delta.service"
# Nobody needs it but tests: whoever holds a phase holds those before it.
HOLDER = f"[Unit]\nRequires={UNIT}\nAfter={UNIT}\n[Service]\nExecStart=/bin/sleep infinity\n"
LIBRARY = "Library/Application Support/Plex Media Server/Plug-in Support/Databases/com.plexapp.plugins.library.db"
READ = """
import json, os, sqlite3, sys
path = sys.argv[1]
found = os.stat(path)
connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
(moved,) = connection.execute("SELECT COUNT(*) FROM media_parts WHERE file LIKE '/Media/Musik/%'").fetchone()
(stays,) = connection.execute("SELECT COUNT(*) FROM media_parts WHERE file LIKE '/Media/Music/%'").fetchone()
print(json.dumps([found.st_uid, found.st_gid, moved, stays, sorted(os.listdir(os.path.dirname(path)))]))
"""


@pytest.fixture
def home(deb: Path, tmp_path: Path) -> Iterator[House]:
    make_plex(tmp_path / "Plex Media Server", films=12, episodes=18, tracks=240)
    run = f'instance = "lite"\nclaim = "never"\nmedia = ""\ndatabase = "newest"\nmappings = "{MAPPINGS}"\n'
    with house(deb, run=run) as home:
        machine = home.machine
        machine.push(tmp_path / "Plex Media Server", DATA)
        configure(machine, f'{CONFIG}[db-export]\ndata = "{DATA}"\n')
        machine.write(MAPPINGS, json.dumps({"mappings": {"/Media/Music": "/Media/Musik"}}))
        machine.write("/etc/systemd/system/holder.service", HOLDER)
        machine.systemctl("daemon-reload")
        yield home


def test_database_is_made_at_home_and_put_in_place_on_the_machine(home: House) -> None:
    machine = home.machine
    started = machine.run(["systemctl", "start", "holder.service"], timeout_s=300, check=False)
    assert started.returncode == 0, machine.journal_text("-n", "60")

    state = cloud_chain.state(machine)
    assert state["reference"].startswith("/var/lib/plexguard/db-export/archives/")
    counted = {one["kind"]: (one["items"], one["analysed"]) for one in state["before"]}
    assert counted == {"movie": (12, 0), "show": (18, 0), "artist": (240, 0)}
    done = [found["PLEXGUARD_PHASE"] for found in events(machine, "cloud.phase-done")]
    assert done == ["preflight", "instance", "mount", "database"]

    (folder,) = home.guest.run(["find", "/var/lib/plexguard-run", "-maxdepth", "1", "-mindepth", "1"]).stdout.split()
    done_there = home.guest.run(["/usr/bin/python3", "-c", READ, f"{folder}/config/{LIBRARY}"])
    owner, group, moved, stays, beside = json.loads(done_there.stdout)
    assert (owner, group, moved, stays) == (1000, 1000, 240, 0)
    # What was only needed on the way is gone, and what was there before is not kept for anybody.
    assert "reference.tar.zst" not in home.guest.run(["ls", folder]).stdout, beside

    machine.systemctl("stop", "holder.service", timeout_s=120)
    cloud_chain.await_released(machine)
    assert home.cloud.left() == []
    assert machine.failed_units() == []
