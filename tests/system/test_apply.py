"""An archive in place of the databases of a Plex that runs: proven before, seen well after, and put back where it is not."""

import json
from pathlib import Path

import pytest

from tests.machine import Machine
from tests.system.conftest import await_found, configure, events, explain, with_native_plex
from tests.system.native_plex import DATA, FILMS, PREFERENCES, UNIT, URL, ask_plex, curl, list_films, set_plex

pytestmark = pytest.mark.machine

EXPORT, APPLY = "plexguard-db-export.service", "plexguard-cloud-apply@delta.service"
LIBRARY = f"{DATA}/Plug-in Support/Databases/com.plexapp.plugins.library.db"
# A Plex that does not start with fewer films than that.
PICKY = f"""\
[Service]
ExecStartPre=/usr/bin/python3 -c "import sqlite3, sys; found = sqlite3.connect('file:{LIBRARY}?mode=ro', uri=True); \
sys.exit(found.execute('SELECT COUNT(*) FROM metadata_items WHERE deleted_at IS NULL').fetchone()[0] < 4)"
"""
# A command that is killed where it would start Plex.
CUT_OFF = """
import os, signal
from plexguard.db_export.__main__ import main
from plexguard.db_export.apply import act
act.start = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
main()
"""
# What a run leaves behind that has brought this archive home.
DONE = """
import sys
from datetime import timedelta
from pathlib import Path
from plexguard.cloud_run.life.state import Book
from plexguard.core.clock import SystemClock
from plexguard.core.journal import StderrJournal
clock = SystemClock()
book = Book(Path("/var/lib/plexguard/cloud-run"), "delta", clock=clock, journal=StderrJournal())
book.open(deadline=clock.now() + timedelta(hours=1))
book.change(result=sys.argv[1], server=sys.argv[2])
book.close("done")
"""


def make_archive(machine: Machine) -> str:
    """Return an archive of three films, with a Plex that has four by now."""
    machine.systemctl("start", EXPORT)
    path = machine.run(["find", "/var/lib/plexguard/db-export/archives", "-name", "plex-*.tar.zst"]).stdout.strip()
    machine.run(["mkdir", f"{FILMS}/Film 4 (2004)"])
    machine.write(f"{FILMS}/Film 4 (2004)/Film 4.mkv", "film 4\n" * 100)
    curl(machine, f"{URL}/library/sections/1/refresh")
    machine.wait_for(lambda: len(list_films(machine)) == 4, timeout_s=20, what="Plex has four films")
    return path


def apply(machine: Machine, *arguments: str) -> tuple[int, str]:
    done = machine.run(["plexguard-db-export", "apply", *arguments], check=False, timeout_s=180)
    return done.returncode, done.stdout + done.stderr


def identity(machine: Machine) -> object:
    return (ask_plex(machine, "/identity") or {}).get("machineIdentifier")


def pid(machine: Machine) -> str:
    return machine.unit(UNIT)["MainPID"]


def strangers(machine: Machine) -> str:
    """Return what in Plex's folder Plex could not open, but for what was there before, which is nothing of its."""
    return machine.run(["find", DATA, "-name", "plexguard-undo", "-prune", "-o", "!", "-user", "plex", "-print"]).stdout


def notes(machine: Machine) -> str:
    return machine.run(["find", "/var/lib/plexguard/db-export", "-path", "*/applies/*.json"]).stdout


def test_archive_is_applied_to_a_plex_that_runs_and_is_well_after(plex_machine: Machine) -> None:
    machine = plex_machine
    archive = make_archive(machine)
    before, settings, server = pid(machine), machine.read(PREFERENCES), identity(machine)

    code, said = apply(machine, archive)
    assert code == 65 and "the archive lacks what is here: Films 4 → 3 (-1)" in said
    code, said = apply(machine, "--most-loss=50", "--server=another", archive)
    assert code == 65 and f"the server here is {server}, and the archive is for another" in said
    assert pid(machine) == before  # nobody has touched it

    code, said = apply(machine, "--most-loss=50", "--merge-watch-state", f"--server={server}", archive)

    assert code == 0, said
    assert "plexmediaserver.service is well" in said and "Films 4 → 3 (-1)" in said
    assert pid(machine) not in (before, "0") and len(list_films(machine)) == 3
    assert (identity(machine), machine.read(PREFERENCES)) == (server, settings)
    assert strangers(machine) == "" and notes(machine) == ""


def test_plex_that_is_not_well_with_it_has_what_was_there_before(plex_machine: Machine) -> None:
    machine = plex_machine
    archive = make_archive(machine)
    machine.write(f"/etc/systemd/system/{UNIT}.d/picky.conf", PICKY)
    machine.systemctl("daemon-reload")

    code, said = apply(machine, "--most-loss=50", archive)

    assert code == 1 and "the archive is not in place, and what was there before is" in said, said
    machine.wait_for(lambda: len(list_films(machine)) == 4, timeout_s=20, what="Plex has what it had")
    assert "is well with" not in said
    assert strangers(machine) == "" and notes(machine) == ""


def test_apply_that_is_killed_is_taken_back(plex_machine: Machine) -> None:
    machine = plex_machine
    archive = make_archive(machine)
    cut_off = machine.run(["/usr/bin/python3", "-c", CUT_OFF, "apply", "--most-loss=50", archive], check=False, timeout_s=120)
    assert cut_off.returncode != 0 and machine.unit(UNIT)["ActiveState"] == "inactive" and notes(machine) != ""

    code, said = apply(machine, "--most-loss=50", "--url=http://127.0.0.1:32400", archive)

    # Which first ends what was cut off, and finds a Plex that is as it was.
    assert code == 0, said
    assert "an apply was cut off: the apply was taken back" in said
    assert len(list_films(machine)) == 3 and notes(machine) == ""


def test_power_that_is_cut_in_an_apply_leaves_what_was_there(plex_machine: Machine) -> None:
    machine = plex_machine
    archive = make_archive(machine)
    machine.run(["/usr/bin/python3", "-c", CUT_OFF, "apply", "--most-loss=50", archive], check=False, timeout_s=120)

    machine.reboot()

    machine.wait_for(lambda: len(list_films(machine)) == 4, timeout_s=60, what="Plex has what it had")
    assert events(machine, "database.apply-cut-off") and notes(machine) == ""


def test_somebody_who_watches_is_not_disturbed(plex_machine: Machine) -> None:
    machine = plex_machine
    archive = make_archive(machine)
    before = pid(machine)
    set_plex(machine, sessions=json.dumps([{"client": "shield", "title": "Film 1", "state": "playing"}]))

    code, said = apply(machine, "--most-loss=50", archive)

    assert code == 75 and "somebody is watching: Film 1" in said
    assert pid(machine) == before
    assert apply(machine, "--most-loss=50", "--now", archive)[0] == 0


def test_what_a_run_has_brought_home_is_applied_by_its_unit(plex_machine: Machine) -> None:
    machine = plex_machine
    archive, server = make_archive(machine), identity(machine)
    started = machine.run(["systemctl", "start", APPLY], check=False, timeout_s=60)
    assert started.returncode != 0
    assert "systemctl start plexguard-cloud-run@delta" in events(machine, "cloud.apply-failed")[-1]["PLEXGUARD_HINT"]

    machine.run(["/usr/bin/python3", "-c", DONE, archive, "another"])
    machine.run(["systemctl", "start", APPLY], check=False, timeout_s=60)
    assert "the archive is for another" in events(machine, "cloud.apply-failed")[-1]["PLEXGUARD_REASON"]

    machine.run(["/usr/bin/python3", "-c", DONE, archive, str(server)])
    configure(machine, "[cloud-apply]\nmost_loss = 50\n")
    machine.run(["systemctl", "start", APPLY], timeout_s=180)

    told = events(machine, "cloud.applied")[-1]
    assert (told["PLEXGUARD_TARGET"], told["PLEXGUARD_CHANGES"]) == ("this machine", "Films 4 → 3 (-1)")
    assert len(list_films(machine)) == 3 and machine.unit(APPLY)["Result"] == "success"
    assert "undo" in explain(machine, "cloud.applied")


# Lets root in with a key that the unit has as its credential, and knows itself.
LET_IN = """\
set -eu
install -d -m 700 /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f /etc/plexguard/credentials/ssh.private-key
cp /etc/plexguard/credentials/ssh.private-key.pub /root/.ssh/authorized_keys
echo "127.0.0.1 $(cat /etc/ssh/ssh_host_ed25519_key.pub)" > /etc/ssh/ssh_known_hosts
systemctl start ssh.service
"""


def test_another_machine_is_reached_by_ssh_and_has_no_default(deb: Path) -> None:
    with Machine(with_native_plex(deb, "bookworm", "openssh-server")) as machine:
        await_found(machine)
        archive = make_archive(machine)
        machine.run(["/usr/bin/python3", "-c", DONE, archive, str(identity(machine))])
        machine.run(["sh", "-c", LET_IN])
        configure(machine, '[cloud-apply]\ntarget = "remote"\n')
        assert machine.run(["systemctl", "start", APPLY], check=False, timeout_s=60).returncode != 0
        reason = events(machine, "cloud.apply-failed")[-1]["PLEXGUARD_REASON"]
        assert "remote_host: missing" in reason and "remote_path: missing" in reason

        drop_in = f"[Service]\nEnvironment=PLEX_REMOTE_HOST=root@127.0.0.1 'PLEX_REMOTE_PATH={DATA}'\n"
        machine.write(f"/etc/systemd/system/{APPLY}.d/remote.conf", drop_in)
        machine.systemctl("daemon-reload")
        machine.run(["systemctl", "start", APPLY], check=False, timeout_s=120)
        failed = events(machine, "cloud.apply-failed")[-1]
        assert (failed["PLEXGUARD_TARGET"], len(list_films(machine))) == ("root@127.0.0.1", 4)
        assert "the archive lacks what is here: Films 4 → 3 (-1)" in failed["PLEXGUARD_REASON"]

        configure(machine, '[cloud-apply]\ntarget = "remote"\nmost_loss = 50\n')
        machine.run(["systemctl", "start", APPLY], timeout_s=180)
        assert events(machine, "cloud.applied")[-1]["PLEXGUARD_CHANGES"] == "Films 4 → 3 (-1)"
        assert len(list_films(machine)) == 3
        # What was carried there is gone.
        assert machine.run(["find", "/var/tmp", "-name", "plexguard*"]).stdout == ""
