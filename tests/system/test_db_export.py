"""The export of Plex's database on a booted machine: what its unit may do, what it makes, and what is told."""

import json

import pytest

from tests.machine import Machine
from tests.system.conftest import assert_clean_journal, await_event, configure, events, explain
from tests.system.native_plex import DATA, FILMS, TOKEN, UNIT, URL, ask_plex, curl, list_films

pytestmark = pytest.mark.machine

SERVICE, TIMER = "plexguard-db-export.service", "plexguard-db-export.timer"
ARCHIVES = "/var/lib/plexguard/db-export/archives"
DATABASES = f"{DATA}/Plug-in Support/Databases"
FINISH, NOTES = "plexguard-db-export-finish.service", "/var/lib/plexguard/db-export/swaps"
# A command that is killed after so many steps of its swap.
CUT_OFF = """
import os, signal, sys
from plexguard.db_export.__main__ import main
from plexguard.db_export.swap.carry import Carrier
left, carry = int(sys.argv.pop(1)), Carrier.carry
def carry_some(self, step):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    carry(self, step)
Carrier.carry = carry_some
main()
"""

LEFT_OPEN = """
import pathlib, sqlite3, sys
with sqlite3.connect(sys.argv[1], isolation_level=None) as writer:
    writer.execute("PRAGMA wal_autocheckpoint=0")
    writer.execute("UPDATE media_parts SET size = 77")
    left = {path: path.read_bytes() for path in map(pathlib.Path, (sys.argv[1], sys.argv[1] + "-wal"))}
writer.close()
for path, content in left.items():
    path.write_bytes(content)
"""


def archives(machine: Machine, folder: str = ARCHIVES) -> list[str]:
    return machine.run(["find", folder, "-name", "plex-*.tar.zst"]).stdout.split()


def files(machine: Machine) -> list[str]:
    """Return whose the files beside the databases are, but for those that come and go with a connection."""
    found = machine.run(["find", DATABASES, "-type", "f", "-printf", "%u %m %f\\n"]).stdout.splitlines()
    return sorted(line for line in found if not line.endswith(("-wal", "-shm")))


def strangers(machine: Machine) -> str:
    """Return what in Plex's folder does not belong to Plex: it could not open it."""
    return machine.run(["find", DATA, "!", "-user", "plex"]).stdout


def test_timer_makes_an_archive_that_verifies_while_plex_runs(plex_machine: Machine) -> None:
    machine = plex_machine
    assert machine.unit(TIMER)["ActiveState"] == "active"
    before = files(machine)

    machine.systemctl("start", SERVICE)

    (path,) = archives(machine)
    told = await_event(machine, "database.exported", timeout_s=10)
    assert told["PLEXGUARD_PATH"] == path and int(told["PLEXGUARD_ROWS"]) > 0
    assert path in explain(machine, "database.exported")
    report = json.loads(machine.run(["plexguard-db-export", "verify", "--deep", "--format", "json", path]).stdout)
    assert report["good"] and report["damage"] == []
    assert report["manifest"]["plex"] == (ask_plex(machine, "/identity") or {})["version"]
    # Nobody else but who runs Plex in the cloud, which begins with it.
    assert machine.run(["stat", "-c", "%a %U %G", path]).stdout.split() == ["640", "root", "plexguard-cloud"]
    assert TOKEN not in machine.run(["sh", "-c", f"zstd -dc {path} | tar -xO Preferences.xml"]).stdout
    assert (files(machine), strangers(machine)) == (before, "")
    overview = json.loads(machine.run(["plexguard-status", "--format", "json"], check=False).stdout)
    (backups,) = (thing for thing in overview["things"] if thing["name"] == "backups")
    assert backups["state"] == "well" and "1 kept" in backups["summary"]
    assert_clean_journal(machine)


def test_plex_that_is_stopped_is_exported_and_starts_again(plex_machine: Machine) -> None:
    machine = plex_machine
    machine.systemctl("stop", UNIT)
    left = machine.run(["find", DATABASES, "-type", "f"]).stdout

    machine.systemctl("start", SERVICE)

    assert len(archives(machine)) == 1
    assert machine.run(["find", DATABASES, "-type", "f"]).stdout == left
    # As root by hand, whose reading could leave files behind.
    machine.run(["plexguard-db-export", "export", "--to", "/tmp/by-hand"])
    assert strangers(machine) == ""
    machine.systemctl("start", UNIT)
    machine.wait_for(lambda: ask_plex(machine, "/library/sections") is not None, timeout_s=20, what="Plex answers")


def test_database_that_a_killed_plex_left_is_exported_with_its_wal(plex_machine: Machine) -> None:
    machine = plex_machine
    machine.systemctl("stop", UNIT)
    # What a kill leaves of files that are open; the -shm is what a clean-up, or a copy of the folder, leaves out.
    machine.run(["/usr/bin/python3", "-c", LEFT_OPEN, f"{DATABASES}/com.plexapp.plugins.library.db"], user="plex")
    left = machine.run(["sh", "-c", f"cd '{DATABASES}' && sha256sum *"]).stdout
    assert "-wal" in left and "-shm" not in left

    machine.systemctl("start", SERVICE)

    (path,) = archives(machine)
    assert machine.run(["sh", "-c", f"cd '{DATABASES}' && sha256sum *"]).stdout == left
    machine.run(
        [
            "sh",
            "-c",
            f"cd /tmp && zstd -dc {path} | tar -x --wildcards '*library.db' && find . -name '*library.db' -exec mv {{}} l.db ';'",
        ]
    )
    size = "import sqlite3; print(sqlite3.connect('/tmp/l.db').execute('SELECT DISTINCT size FROM media_parts').fetchall())"
    assert machine.run(["/usr/bin/python3", "-c", size]).stdout == "[(77,)]\n"


def test_folder_of_the_configuration_and_how_far_it_is(plex_machine: Machine) -> None:
    machine = plex_machine
    machine.run(["mkdir", "-p", "/srv/backup", f"{DATA}/Metadata"])
    machine.run(["dd", "if=/dev/urandom", f"of={DATA}/Metadata/large", "bs=1M", "count=400"], timeout_s=60)
    machine.run(["chown", "-R", "plex:plex", f"{DATA}/Metadata"])
    configure(machine, '[db-export]\narchives = "/srv/backup"\nmetadata = true\n')

    machine.systemctl("start", "--no-block", SERVICE)
    seen = machine.wait_for(lambda: machine.unit(SERVICE).get("StatusText"), timeout_s=20, what="it says how far it is")
    await_event(machine, "database.exported", timeout_s=60)

    assert seen.startswith(("copying", "packing", "reading")) and "%" in seen
    assert len(archives(machine, "/srv/backup")) == 1


def test_disk_that_is_full_is_told_once_and_over_when_there_is_room(plex_machine: Machine) -> None:
    machine = plex_machine
    machine.run(["mkdir", "-p", "/srv/backup"])
    machine.run(["mount", "-t", "tmpfs", "-o", "size=1M", "none", "/srv/backup"])
    configure(machine, '[db-export]\narchives = "/srv/backup"\n')
    machine.systemctl("start", SERVICE, check=False)

    assert "needs" in await_event(machine, "database.export-failed", timeout_s=10)["PLEXGUARD_REASON"]
    assert archives(machine, "/srv/backup") == []
    machine.run(["mount", "-o", "remount,size=500M", "/srv/backup"])
    machine.systemctl("start", SERVICE)

    assert len(archives(machine, "/srv/backup")) == 1
    assert len(events(machine, "database.exported")) == 1


def test_machine_without_plex_says_so_and_fails_nothing(machine: Machine) -> None:
    machine.systemctl("start", SERVICE)

    assert machine.unit(SERVICE)["Result"] == "success"
    assert machine.failed_units() == []
    assert "plexguard-discover" in machine.journal_text("PLEXGUARD_EVENT=program.failed", f"_SYSTEMD_UNIT={SERVICE}")


@pytest.mark.parametrize(
    ("steps", "outcome", "films"),
    [(0, "taken back", 4), (2, "completed", 3), (9, "completed", 3)],
    ids=["noted", "bolted", "half"],
)
def test_restore_that_a_power_cut_breaks_off_is_ended_at_boot_before_plex_starts(
    plex_machine: Machine, steps: int, outcome: str, films: int
) -> None:
    machine = plex_machine
    assert machine.unit(FINISH)["ConditionResult"] == "no"
    machine.systemctl("start", SERVICE)
    (path,) = archives(machine)
    machine.write(f"{FILMS}/Film 4 (2004)/Film 4.mkv", "film 4")
    curl(machine, f"{URL}/library/sections/1/refresh")
    machine.wait_for(lambda: len(list_films(machine)) == 4, timeout_s=20, what="Plex finds a fourth film")
    machine.systemctl("stop", UNIT)

    killed = machine.run(["/usr/bin/python3", "-c", CUT_OFF, str(steps), "restore", path], check=False)
    assert killed.returncode in (-9, 137)
    is_closed = machine.run(["test", "-L", f"{DATABASES}/com.plexapp.plugins.library.db"], check=False).returncode == 0
    assert is_closed is (steps > 0)
    # A note of a folder that is away must not hold up anything.
    machine.write(f"{NOTES}/0.json", json.dumps({"schema": 1, "folder": "/srv/away"}))
    machine.run(["sync"])
    machine.cut_power()
    machine.boot()

    machine.wait_for(lambda: len(list_films(machine)) == films, timeout_s=30, what="Plex is up")
    (told,) = events(machine, "database.swap-finished")
    assert (told["PLEXGUARD_REASON"], told["PLEXGUARD_OUTCOME"]) == ("restore", outcome)
    assert "cut off" in explain(machine, "database.swap-finished")
    finish = machine.unit(FINISH)
    assert (finish["ConditionResult"], finish["Result"], finish["ExecMainStatus"]) == ("yes", "success", "1")
    assert int(finish["ExecMainExitTimestampMonotonic"]) < int(machine.unit(UNIT)["ExecMainStartTimestampMonotonic"])
    assert [event["PLEXGUARD_PATH"] for event in events(machine, "database.swap-unfinished")] == ["/srv/away"]
    assert machine.run(["ls", NOTES]).stdout.split() == ["0.json"]
    assert [line for line in strangers(machine).splitlines() if "/plexguard-undo" not in line] == []
    assert_clean_journal(machine, allowed=("database.swap-unfinished",))
