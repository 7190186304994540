"""Scenes of Plex's database: an archive of it while Plex runs, a fault that is found and mended, an archive that is put back. Each
returns the one thing to remember."""

from tests.demo.show import Show
from tests.machine import Machine
from tests.system.conftest import await_event
from tests.system.native_plex import UNIT, ask_plex, list_films

LIBRARY = "/var/lib/plexmediaserver/Library/Application Support/Plex Media Server/Plug-in Support/Databases/com.plexapp.plugins.library.db"
ARCHIVES = "/var/lib/plexguard/db-export/archives"
# What a disk does that loses a sector: the root page of an index is gone.
_DAMAGE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'index_media_parts_on_file'").fetchone()[0]
size = connection.execute("PRAGMA page_size").fetchone()[0]
connection.close()
with open(sys.argv[1], "r+b") as file:
    file.seek((page - 1) * size)
    file.write(bytes(size))
"""


def keep_database(machine: Machine, show: Show) -> str:
    since = machine.cursor()
    show.say("once a week by its timer, and now by hand; Plex goes on")
    show.command("systemctl", "list-timers", "plexguard-db-export.timer")
    show.command("systemctl", "start", "plexguard-db-export.service")
    told = await_event(machine, "database.exported", timeout_s=30, since_cursor=since)
    show.journal("-u", "plexguard-db-export", since_cursor=since)
    show.command("plexguard-db-export", "list")
    show.command("plexguard-db-export", "verify", "--deep", newest(machine))
    return told["MESSAGE"].partition(": ")[2]


def mend_database(machine: Machine, show: Show) -> str:
    films = len(list_films(machine))
    show.say("Plex is stopped, and a sector of its database gets lost")
    show.command("systemctl", "stop", UNIT)
    machine.run(["/usr/bin/python3", "-c", _DAMAGE, LIBRARY])
    show.command("plexguard-db-export", "check", check=False)
    show.command("plexguard-db-export", "repair")
    show.command("plexguard-db-export", "check")
    show.command("plexguard-db-export", "undo", "--list")
    kept = _start(machine)
    if kept != films:
        raise AssertionError(f"Plex knew {films} films, and knows {kept}")
    return f"all {kept} films are there, and what was there before is kept for undo"


def put_back_database(machine: Machine, show: Show) -> str:
    films = len(list_films(machine))
    archive = newest(machine)
    show.say("a library was deleted by mistake; while Plex runs, nothing is put back")
    machine.systemctl("stop", UNIT)
    machine.run(["/usr/bin/python3", "-c", _FORGET, LIBRARY])
    _start(machine)
    show.command("plexguard-db-export", "restore", archive, check=False)
    show.command("systemctl", "stop", UNIT)
    show.command("plexguard-db-export", "restore", "--merge-watch-state", archive)
    kept = _start(machine)
    if kept != films:
        raise AssertionError(f"Plex knew {films} films, and knows {kept}")
    return f"all {kept} films are back, with what was watched since"


_FORGET = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("DELETE FROM media_parts")
connection.execute("DELETE FROM media_items")
connection.execute("DELETE FROM library_sections")
connection.execute("DELETE FROM section_locations")
connection.commit()
"""


def newest(machine: Machine) -> str:
    return sorted(machine.run(["sh", "-c", f"ls {ARCHIVES}/*.tar.zst"]).stdout.split())[-1]


def _start(machine: Machine) -> int:
    """Start Plex, and return how many films it knows then."""
    machine.systemctl("start", UNIT)
    machine.wait_for(lambda: ask_plex(machine, "/identity") is not None, timeout_s=30, what="Plex answers")
    return len(list_films(machine))
