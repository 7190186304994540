"""A repair of a Plex in a container: refused while anything of it runs or is about to, and done when it is stopped."""

import pytest

from tests.machine import Machine
from tests.system import docker_plex
from tests.system.docker_plex import CONFIG, IMAGE, PMS
from tests.system.native_plex import ask_plex
from tests.system.test_docker import await_container

pytestmark = [pytest.mark.machine, pytest.mark.xdist_group("docker")]

DATA = f"{CONFIG}/{PMS}"
LIBRARY = f"{DATA}/Plug-in Support/Databases/com.plexapp.plugins.library.db"
ARCHIVES = "/srv/archives"
TRY_AGAIN = 75


def refused(machine: Machine, *arguments: str) -> str:
    """Return why a command is not done."""
    before = machine.run(["stat", "-c", "%i", LIBRARY]).stdout
    done = machine.run(["plexguard-db-export", *arguments], check=False, timeout_s=90)
    assert done.returncode == TRY_AGAIN, done.stdout + done.stderr
    assert machine.run(["stat", "-c", "%i", LIBRARY]).stdout == before
    return done.stderr


def status(machine: Machine, name: str) -> str:
    return machine.run(["docker", "inspect", "-f", "{{.State.Status}}", name]).stdout.strip()


def kill_inside(machine: Machine, name: str) -> None:
    """End Plex as a crash does: Docker itself was not asked to."""
    pid = machine.run(["docker", "inspect", "-f", "{{.State.Pid}}", name]).stdout.strip()
    machine.run(["sh", "-c", f"kill -KILL {pid}"])


def damage(machine: Machine) -> None:
    """Zero a leaf of an index: no row is lost by it."""
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
        "c.execute('PRAGMA wal_checkpoint(TRUNCATE)'); size, = c.execute('PRAGMA page_size').fetchone(); "
        "root, = c.execute(\"SELECT rootpage FROM sqlite_master WHERE name = 'index_media_parts_on_file'\").fetchone(); c.close(); "
        "f = open(sys.argv[1], 'r+b'); f.seek((root - 1) * size); f.write(bytes(size))"
    )
    machine.run(["python3", "-c", script, LIBRARY])


def test_nothing_is_put_in_place_until_the_container_is_stopped(docker_machine: Machine) -> None:
    """One story, since an engine takes its time."""
    machine = docker_machine
    docker_plex.install_plex(machine)
    await_container(machine, "plex")
    machine.run(["plexguard-db-export", "export", "--to", ARCHIVES])
    archive = machine.run(["find", ARCHIVES, "-name", "plex-*.tar.zst"]).stdout.strip()
    machine.run(["docker", "update", "--restart", "always", "plex"])

    for command in (("repair",), ("restore", archive)):
        told = refused(machine, *command)
        assert "container plex is running" in told
        assert "try: docker stop plex" in told

    # Docker starts it again: at once at first, and then after longer and longer waits.
    kill_inside(machine, "plex")
    assert "try: docker stop plex" in refused(machine, "repair")

    machine.run(["docker", "stop", "plex"], timeout_s=60)
    damage(machine)
    assert "put in place" in machine.run(["plexguard-db-export", "repair"]).stdout.lower()
    assert "restored" in machine.run(["plexguard-db-export", "restore", archive]).stdout
    assert machine.run(["stat", "-c", "%u:%g", LIBRARY]).stdout.strip() == "1500:1500"

    machine.run(["docker", "start", "plex"])
    machine.wait_for(lambda: ask_plex(machine, "/library/sections") is not None, timeout_s=30, what="Plex opens what was restored")
    assert "container plex is running" in refused(machine, "undo")


def test_container_that_plexguard_does_not_know_is_named_too(docker_machine: Machine) -> None:
    machine = docker_machine
    docker_plex.prepare_plex(machine)
    machine.run(["docker", "tag", IMAGE, "local/media:1"])
    volumes = [word for volume in (f"{CONFIG}:/config", *docker_plex.SIMULATOR_VOLUMES) for word in ("--volume", volume)]
    run = ["docker", "run", "--detach", "--name", "odd", "--restart", "always", "--network", "host", "--user", "1500:1500"]
    machine.run([*run, *volumes, "local/media:1", *docker_plex.COMMAND], timeout_s=60)
    machine.wait_for(lambda: ask_plex(machine, "/identity") is not None, timeout_s=30, what="Plex answers")

    told = refused(machine, "repair", "--data", DATA)
    assert "has open com.plexapp.plugins.library.db, in container odd" in told
    assert "try: docker stop odd" in told

    # One that ends right after each start: for most of the time it runs nothing, and has nothing open.
    machine.run(["docker", "rm", "-f", "odd"], timeout_s=60)
    machine.run([*run, *volumes, "local/media:1", "/bin/false"], timeout_s=60)
    machine.wait_for(lambda: "restarting" in status(machine, "odd"), timeout_s=60, what="it restarts")
    # Docker waits twice as long each time: let it come to some seconds.
    machine.wait_for(lambda: restarts(machine, "odd") >= 6, timeout_s=60, what="it has restarted some times")
    machine.wait_for(lambda: status(machine, "odd") == "restarting", timeout_s=60, what="it waits to be started again")
    told = refused(machine, "repair", "--data", DATA)
    assert "container odd is restarting" in told
    assert "try: docker stop odd" in told

    machine.run(["docker", "stop", "odd"], timeout_s=60)
    assert "sound, nothing to do" in machine.run(["plexguard-db-export", "repair", "--data", DATA]).stdout


def restarts(machine: Machine, name: str) -> int:
    return int(machine.run(["docker", "inspect", "-f", "{{.RestartCount}}", name]).stdout)
