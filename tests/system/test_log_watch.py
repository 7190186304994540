"""The watch on the logs under a running service manager, in its sandbox, beside a native Plex."""

import json
import os
from pathlib import Path

import pytest

from tests.machine import READY, Machine, installed
from tests.system import docker_plex, native_plex
from tests.system.conftest import assert_clean_journal, await_event, await_found, configure, events
from tests.system.native_plex import DATA, FILMS, play_film

pytestmark = pytest.mark.machine

UNIT = "plexguard-log-watch.service"
STATE = "/var/lib/plexguard/log-watch/state.json"
_FILM = f"{FILMS}/Film 1 (2001)/Film 1.mkv"
# The root side, as far as these tests need it: it answers, and tells what it was asked.
_ROOT_SIDE = """
import json, os, socket
address = "/run/plexguard/perms-request.socket"
if os.path.exists(address):
    os.unlink(address)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(address)
os.chmod(address, 0o666)
listener.listen(8)
while True:
    peer, _ = listener.accept()
    packet = peer.recv(65536)
    with open("/run/asked", "ab") as asked:
        asked.write(packet + b"\\n")
    peer.send(json.dumps({"verdict": "repaired", "detail": "", "retry_s": 0.0}).encode())
    peer.close()
"""


def remove_the_root_side(machine: Machine) -> None:
    """Have nobody answer, so that nothing but the watch is under test."""
    for unit in ("plexguard-perms-request.socket", "plexguard-perms-request.service"):
        machine.systemctl("stop", unit, check=False)
        machine.systemctl("mask", unit)


def take_the_root_side(machine: Machine) -> None:
    """Answer in the place of the audit."""
    remove_the_root_side(machine)
    machine.write("/root/root_side.py", _ROOT_SIDE)
    machine.run(["systemd-run", "--unit=root-side", "/usr/bin/python3", "/root/root_side.py"])
    machine.wait_for(
        lambda: machine.run(["test", "-S", "/run/plexguard/perms-request.socket"], check=False).returncode == 0,
        timeout_s=10,
        what="somebody listens",
    )


def asked(machine: Machine) -> list[str]:
    """Return the paths that were handed on, each as often as it was."""
    text = machine.run(["cat", "/run/asked"], check=False).stdout
    return [json.loads(row)["path"] for row in text.splitlines()]


def await_followed(machine: Machine) -> None:
    """Wait until the watch has seen Plex's logs."""
    machine.wait_for(lambda: "logs followed in" in status(machine), timeout_s=30, what="the logs are followed")


def status(machine: Machine) -> str:
    return machine.unit(UNIT).get("StatusText", "")


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_it_runs_on_a_machine_without_plex_and_says_what_it_waits_for(deb: Path, suite: str) -> None:
    with Machine(installed(READY.on(suite), deb)) as machine:
        unit = machine.unit(UNIT)

        assert (unit["ActiveState"], unit["UnitFileState"]) == ("active", "enabled")
        assert "no Plex" in status(machine)
        assert events(machine, "logs.unreadable") == []
        assert_clean_journal(machine)


def test_a_film_that_does_not_play_is_handed_on_within_two_seconds(plex_machine: Machine) -> None:
    machine = plex_machine
    take_the_root_side(machine)
    await_followed(machine)
    machine.run(["chmod", "000", _FILM])
    cursor = machine.cursor()

    assert play_film(machine, _FILM) == 404
    event = await_event(machine, "logs.complaint", timeout_s=10, since_cursor=cursor)

    assert asked(machine) == [_FILM]
    assert (event["PLEXGUARD_PATH"], event["PLEXGUARD_PATTERN"], event["PLEXGUARD_VERDICT"]) == (_FILM, "open-denied", "repaired")
    assert event["_SYSTEMD_UNIT"] == UNIT
    line = [row for row in machine.read(f"{DATA}/Logs/Plex Media Server.log").splitlines() if "Error opening file" in row][-1]
    logged_s = float(machine.run(["date", "-d", line.partition(" [")[0], "+%s.%N"]).stdout)
    assert int(event["_SOURCE_REALTIME_TIMESTAMP"]) / 1e6 - logged_s < 2.0
    assert_clean_journal(machine)


def test_it_sees_logs_and_database_of_a_closed_folder_and_nothing_else(plex_machine: Machine) -> None:
    machine = plex_machine
    take_the_root_side(machine)
    machine.run(["chmod", "700", "/var/lib/plexmediaserver"])
    machine.systemctl("restart", UNIT)
    await_followed(machine)
    _, _, part = native_plex.list_films(machine)[_FILM].partition("/parts/")
    row = f"Aug 04, 2026 06:58:17.248 [1] DEBUG - Completed: [1.2.3.4:5] 404 GET /library/parts/{part} (3 live) #1 2ms 0 bytes"

    machine.run(["sh", "-c", f"echo '{row}' >> '{DATA}/Logs/Plex Media Server.log'"])
    await_event(machine, "logs.complaint", timeout_s=10)

    assert asked(machine) == [_FILM]
    unit = machine.unit(UNIT)
    assert (unit["User"], unit["ProtectHome"], unit.get("CapabilityBoundingSet", "")) == ("plexguard", "yes", "")
    seen = machine.run(["nsenter", "-t", unit["MainPID"], "-m", "ls", "/run/plexguard/log-watch"]).stdout.split()
    assert seen == ["databases", "logs"]
    assert_clean_journal(machine)


def test_it_goes_on_after_its_own_end_and_plexs(plex_machine: Machine) -> None:
    machine = plex_machine
    take_the_root_side(machine)
    await_followed(machine)
    machine.systemctl("stop", UNIT)
    machine.run(["chmod", "000", _FILM])
    play_film(machine, _FILM)
    machine.systemctl("restart", native_plex.UNIT)
    machine.systemctl("start", UNIT)

    await_event(machine, "logs.complaint", timeout_s=20)
    machine.systemctl("kill", "--signal=KILL", UNIT)
    machine.wait_for(lambda: machine.unit(UNIT)["NRestarts"] == "1", timeout_s=30, what="the watch is started again")
    await_followed(machine)
    machine.systemctl("restart", UNIT)

    assert asked(machine) == [_FILM]
    assert len(events(machine, "logs.complaint")) == 1


def test_what_waits_survives_a_reboot_and_a_missing_root_side_is_told_once(plex_machine: Machine) -> None:
    machine = plex_machine
    remove_the_root_side(machine)
    await_followed(machine)
    machine.run(["chmod", "000", _FILM])
    play_film(machine, _FILM)
    await_event(machine, "logs.audit-lost", timeout_s=20)

    machine.reboot()
    take_the_root_side(machine)

    await_event(machine, "logs.complaint", timeout_s=90)
    assert asked(machine)[0] == _FILM
    assert_clean_journal(machine, allowed=("logs.audit-lost", "plex.down", "plex.starting"))


def test_a_plex_that_comes_later_is_followed_without_a_hand(machine: Machine) -> None:
    before = machine.unit(UNIT)["MainPID"]
    machine.run(["mkdir", "-p", native_plex.FILMS])
    native_plex.install_plex(machine)
    await_found(machine)

    await_followed(machine)

    assert machine.unit(UNIT)["MainPID"] != before
    assert "log-watch/logs" in machine.unit(UNIT)["BindReadOnlyPaths"]


def test_a_proxys_journal_is_followed_from_where_it_was_left(plex_machine: Machine) -> None:
    machine = plex_machine
    take_the_root_side(machine)
    configure(machine, '[log-watch]\nproxy_unit = "front.service"\n')
    await_followed(machine)
    _, _, part = native_plex.list_films(machine)[_FILM].partition("/parts/")
    row = '203.0.113.9 - - [21/Nov/2026:10:00:00 +0000] "GET /library/parts/{} HTTP/1.1" 404 190 "-" "-"'
    machine.systemctl("stop", UNIT)
    machine.run(["systemd-run", "--unit=front", "echo", row.format(part)])
    # The same words of another unit are nobody's complaint.
    machine.run(["systemd-run", "--unit=other", "echo", row.format(part.replace("1/", "2/", 1))])
    machine.systemctl("start", UNIT)

    await_event(machine, "logs.complaint", timeout_s=20)
    machine.systemctl("restart", UNIT)

    assert asked(machine) == [_FILM]
    assert "systemd-journal" in machine.unit(UNIT)["SupplementaryGroups"]
    assert_clean_journal(machine)


def test_a_group_of_a_container_that_this_machine_does_not_have_stops_nothing(plex_machine: Machine) -> None:
    machine = plex_machine
    machine.systemctl("mask", "--now", "plexguard-discover.timer", "plexguard-discover.path", "plexguard-discover.service")
    found = json.loads(machine.read("/run/plexguard/plex.json"))
    machine.write("/run/plexguard/plex.json", json.dumps({**found, "gids": [4242]}))
    machine.systemctl("daemon-reload")
    machine.systemctl("restart", UNIT)

    assert machine.unit(UNIT)["SupplementaryGroups"] == "systemd-journal"
    await_followed(machine)


def test_paths_of_a_container_are_handed_on_as_the_hosts(docker_machine: Machine) -> None:
    machine = docker_machine
    docker_plex.install_plex(machine)
    machine.wait_for(
        lambda: docker_plex.FILMS in machine.run(["cat", "/run/plexguard/plex.json"], check=False).stdout,
        timeout_s=60,
        what="plexguard finds Plex in its container",
    )
    take_the_root_side(machine)
    await_followed(machine)
    logs = f"{docker_plex.CONFIG}/{docker_plex.PMS}/Logs"
    row = "Aug 04, 2026 06:58:17.248 [1] ERROR - Error opening file '\"{}\"' - Permission denied (13)\n"
    machine.write("/root/lines", row.format("/data/films/Film 1.mkv") + row.format("/etc/shadow"))

    machine.run(["sh", "-c", f"cat /root/lines >> '{logs}/Plex Media Server.log'"])
    await_event(machine, "logs.complaint", timeout_s=20)

    assert asked(machine) == [f"{docker_plex.FILMS}/Film 1.mkv"]
    unsettled = await_event(machine, "logs.unsettled", timeout_s=20)
    assert unsettled["PLEXGUARD_WHAT"] == "/etc/shadow"
    assert machine.unit(UNIT)["SupplementaryGroups"] == "systemd-journal"


def test_it_is_small_and_idle(plex_machine: Machine) -> None:
    machine = plex_machine
    await_followed(machine)
    pid = machine.unit(UNIT)["MainPID"]

    def cpu_s() -> float:
        fields = machine.read(f"/proc/{pid}/stat").rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = cpu_s()
    machine.run(["sleep", "20"])
    used = (cpu_s() - before) / 20
    memory = dict(row.split(":", 1) for row in machine.read(f"/proc/{pid}/smaps_rollup").splitlines()[1:])
    print(f"idle: {used:.4f} of a core, Pss {memory['Pss'].strip()}, Rss {memory['Rss'].strip()}")

    assert used < 0.005
    assert int(memory["Pss"].split()[0]) < 25_000
