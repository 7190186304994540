"""Troubles around Plex that are not its own: what an administrator did on purpose, a disk, a clock, a proxy, a slow machine."""

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.machine import Machine
from tests.system.conftest import await_event, configure, events, explain
from tests.system.native_plex import UNIT, URL, ask_plex, set_plex
from tests.system.probing import BUDGET, OUTAGE_TIMEOUT_S, STATE, check_now, main_pid, probe, read_state, restarts, spent, story

pytestmark = pytest.mark.machine

FOLDER = STATE.rpartition("/")[0]
CLOCK = "/usr/lib/python3/dist-packages/plexguard/core/clock.py"
SHIFT = "/run/test-clock-shift"


@pytest.fixture
def probed(plex_machine: Machine) -> Machine:
    """A machine whose Plex is checked every 5 s and was found well. A look takes 2 s at most."""
    return probe(plex_machine, 'timeout = "2s"\nlooks = 2\n')


def test_a_check_does_not_wait_for_the_discovery(probed: Machine) -> None:
    """Which waits itself for a Plex that does not name its libraries."""
    machine = probed
    machine.write("/run/systemd/system/plexguard-discover.service.d/test.conf", "[Service]\nExecStartPre=/bin/sleep 90\n")
    machine.systemctl("daemon-reload")
    machine.systemctl("start", "--no-block", "plexguard-discover.service")

    check_now(machine)

    assert machine.unit("plexguard-discover.service")["ActiveState"] == "activating"


def test_two_minutes_of_maintenance_at_the_start_are_left_alone(probed: Machine) -> None:
    machine = probed
    set_plex(machine, startup_maintenance_s="120")
    since = machine.cursor()
    machine.systemctl("restart", UNIT)

    recovered = await_event(machine, "plex.recovered", timeout_s=240)

    assert set(story(machine, since_cursor=since)) == {"plex.maintenance", "plex.recovered"}
    assert float(recovered["PLEXGUARD_DOWNTIME_S"]) > 100
    assert (restarts(machine), spent(machine)) == (0, 0)


def test_maintenance_that_stands_still_is_told_once(plex_machine: Machine) -> None:
    machine = probe(plex_machine, 'maintenance_limit = "1min"\n')
    set_plex(machine, mode="maintenance", migrating="false")

    long = await_event(machine, "plex.maintenance-long", timeout_s=180)
    for _ in range(3):
        check_now(machine)

    assert long["PRIORITY"] == "3"
    assert "stands still" in long["PLEXGUARD_HOW"]
    assert story(machine).count("plex.maintenance-long") == 1
    assert restarts(machine) == 0


def test_maintenance_that_moves_is_not_told_to_be_long(plex_machine: Machine) -> None:
    machine = probe(plex_machine, 'maintenance_limit = "1min"\n')
    set_plex(machine, mode="maintenance", migrating="true")
    began = await_event(machine, "plex.maintenance", timeout_s=60)

    machine.wait_for(
        lambda: float(read_state(machine)["checked"]["uptime_s"]) - int(began["__MONOTONIC_TIMESTAMP"]) / 1e6 > 75,
        timeout_s=180,
        what="a check after the limit",
    )

    assert story(machine, since_cursor=began["__CURSOR"]) == []


def test_with_a_full_disk_what_is_seen_is_told_and_nothing_is_restarted_uncounted(probed: Machine) -> None:
    machine, before = probed, main_pid(probed)
    machine.systemctl("stop", "plexguard-plex-probe.timer")
    state = machine.read(STATE)
    machine.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "test", FOLDER])
    machine.write(STATE, state)
    machine.run(["chown", "-R", "plexguard:plexguard", FOLDER])
    machine.run(["sh", "-c", f"cat /dev/zero > {FOLDER}/filling"], check=False)
    set_plex(machine, mode="hung")

    machine.systemctl("start", "plexguard-plex-probe.service", check=False)
    told_when_full = story(machine)
    assert "plex.hung" in told_when_full
    assert {"plex.restart-asked", "program.bug"}.isdisjoint(told_when_full)
    assert "program.failed" in told_when_full
    assert (restarts(machine), main_pid(machine)) == (0, before)
    # And once, however often it is seen.
    for _ in range(3):
        machine.systemctl("start", "plexguard-plex-probe.service")
    assert story(machine) == told_when_full

    machine.run(["rm", f"{FOLDER}/filling"])
    machine.systemctl("start", "plexguard-plex-probe.timer")
    recovered = await_event(machine, "plex.recovered", timeout_s=OUTAGE_TIMEOUT_S)
    assert recovered["PLEXGUARD_RESTARTS"] == "1"
    assert spent(machine) == 1


def test_with_a_full_disk_of_its_own_the_root_side_restarts_nothing(probed: Machine) -> None:
    machine, before = probed, main_pid(probed)
    folder = BUDGET.rpartition("/")[0]
    machine.run(["mkdir", "-p", folder])
    machine.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "test", folder])
    machine.run(["sh", "-c", f"cat /dev/zero > {folder}/filling"], check=False)
    set_plex(machine, mode="hung")

    await_event(machine, "plex.restart-asked", timeout_s=OUTAGE_TIMEOUT_S)
    failed = await_event(machine, "program.failed", timeout_s=60)

    assert failed["_SYSTEMD_UNIT"] == "plexguard-plex-restart.service"
    assert (restarts(machine), main_pid(machine)) == (0, before)


def shift_clock(machine: Machine, by: timedelta) -> None:
    """Set the clock as plexguard sees it: that of a machine here is the outer machine's, and not ours to set."""
    machine.write(SHIFT, str(by.total_seconds()))


def test_a_clock_that_jumps_spends_and_saves_no_budget_and_tells_no_downtime_of_days(plex_machine: Machine) -> None:
    machine = plex_machine
    jumping = (
        "\n\n_true_now = SystemClock.now\nfrom datetime import timedelta\n"
        f"SystemClock.now = lambda self: _true_now(self) + timedelta(seconds=float(Path('{SHIFT}').read_text()))\n"
    )
    shift_clock(machine, timedelta(0))
    machine.write(CLOCK, machine.read(CLOCK) + jumping)
    probe(machine, 'timeout = "2s"\nlooks = 2\nmax_restarts_per_day = 1\n')
    set_plex(machine, mode="hung")
    await_event(machine, "plex.restart-asked", timeout_s=OUTAGE_TIMEOUT_S)

    # forward in the middle of an outage
    shift_clock(machine, timedelta(days=3))
    first = await_event(machine, "plex.recovered", timeout_s=OUTAGE_TIMEOUT_S)
    set_plex(machine, mode="hung")
    refused = await_event(machine, "plex.restart-refused", timeout_s=OUTAGE_TIMEOUT_S)
    assert "max_restarts_per_day" in refused["PLEXGUARD_REASON"]

    # and back in the middle of another
    shift_clock(machine, timedelta(days=-10))
    set_plex(machine, mode="healthy")
    second = await_event(machine, "plex.recovered", timeout_s=60, since_cursor=refused["__CURSOR"])

    assert 0 < float(first["PLEXGUARD_DOWNTIME_S"]) < 600
    assert 0 < float(second["PLEXGUARD_DOWNTIME_S"]) < 600
    assert (restarts(machine), spent(machine)) == (1, 1)


def test_a_masked_plex_is_meant_to_be_away(probed: Machine) -> None:
    machine = probed
    since = machine.cursor()
    machine.systemctl("mask", "--now", UNIT)

    await_event(machine, "plex.stopped", timeout_s=60)
    for _ in range(3):
        check_now(machine)

    assert story(machine, since_cursor=since) == ["plex.stopped"]


def test_a_masked_plex_that_crashes_is_meant_to_be_away_as_well(probed: Machine) -> None:
    """Whoever masks a unit that runs wants it not to be started any more."""
    machine = probed
    since = machine.cursor()
    machine.systemctl("mask", UNIT)
    machine.run(["sh", "-c", f"kill -KILL {main_pid(machine)}"])

    await_event(machine, "plex.stopped", timeout_s=60)
    for _ in range(3):
        check_now(machine)

    assert story(machine, since_cursor=since) == ["plex.stopped"]


def test_with_the_restart_masked_an_outage_is_left_to_a_person_once(probed: Machine) -> None:
    machine, before = probed, main_pid(probed)
    machine.systemctl("mask", "plexguard-plex-restart.service")
    set_plex(machine, mode="hung")

    gave_up = await_event(machine, "plex.gave-up", timeout_s=OUTAGE_TIMEOUT_S)
    for _ in range(2):
        check_now(machine)

    assert "plexguard-plex-restart.service is masked" in gave_up["PLEXGUARD_REASON"]
    assert story(machine) == ["plex.hung", "plex.gave-up"]
    assert (main_pid(machine), spent(machine)) == (before, 0)


_MANY = """
import resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
sockets = [socket.create_connection(("127.0.0.1", 32400)) for _ in range(1100)]
print("open", flush=True)
while True:
    for number, one in enumerate(sockets):
        one.sendall(b"GET /identity HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
        one.recv(65536)
        time.sleep(0.01)
"""


def test_a_deadlock_with_a_thousand_connections_is_restarted_once(plex_machine: Machine) -> None:
    machine = plex_machine
    machine.write(f"/run/systemd/system/{UNIT}.d/test.conf", "[Service]\nLimitNOFILE=8192\n")
    machine.systemctl("daemon-reload")
    machine.systemctl("restart", UNIT)
    machine.wait_for(lambda: ask_plex(machine, "/identity") is not None, timeout_s=20, what="Plex answers")
    probe(machine, 'timeout = "4s"\nlooks = 2\n')
    many = machine.spawn(["/usr/bin/python3", "-c", _MANY])
    assert many.stdout is not None and many.stdout.readline() == "open\n"
    set_plex(machine, mode="deadlock")

    recovered = await_event(machine, "plex.recovered", timeout_s=OUTAGE_TIMEOUT_S)

    assert (recovered["PLEXGUARD_PROBLEM"], recovered["PLEXGUARD_RESTARTS"]) == ("hung", "1")
    assert "a deadlock" in events(machine, "plex.hung")[-1]["PLEXGUARD_DETAIL"]
    assert restarts(machine) == 1
    many.kill()


def test_errors_without_many_connections_are_no_deadlock(probed: Machine) -> None:
    machine, before = probed, main_pid(probed)
    set_plex(machine, mode="deadlock")

    await_event(machine, "plex.erroring", timeout_s=60)
    for _ in range(2):
        check_now(machine)

    assert story(machine) == ["plex.erroring"]
    assert main_pid(machine) == before


def test_a_proxy_that_is_away_is_no_reason_to_restart_plex(probed: Machine) -> None:
    machine, before = probed, main_pid(probed)
    configure(machine, '[plex]\nurl = "http://127.0.0.1:32500"\n', name="60-test.toml")

    told = await_event(machine, "plex.misconfigured", timeout_s=60)
    for _ in range(2):
        check_now(machine)

    assert f"Plex answers at {URL}" in told["PLEXGUARD_DETAIL"]
    assert set(story(machine)) == {"plex.misconfigured"}
    assert (main_pid(machine), restarts(machine)) == (before, 0)


@pytest.mark.parametrize("delay_s", ["0.8", "3"], ids=["in time", "too slow for all levels"])
def test_a_slow_plex_is_degraded_and_not_restarted(plex_machine: Machine, delay_s: str) -> None:
    machine = probe(plex_machine, 'slow = "500ms"\n')
    machine.systemctl("stop", "plexguard-plex-probe.timer")
    before = main_pid(machine)
    set_plex(machine, mode="slow", delay_s=delay_s)

    verdicts = [check_now(machine)["verdict"] for _ in range(3)]
    set_plex(machine, mode="healthy")
    verdicts += [check_now(machine)["verdict"] for _ in range(3)]

    assert verdicts == ["healthy", "healthy", "degraded", "degraded", "degraded", "healthy"]
    assert story(machine) == ["plex.degraded", "plex.recovered"]
    assert "Whoever watches goes on watching" in explain(machine, "plex.degraded")
    assert main_pid(machine) == before


def watch(machine: Machine, **session: str) -> None:
    set_plex(machine, sessions=json.dumps([{"client": "shield", "title": "Film 1", **session}]))


def test_who_watches_is_counted_and_a_player_left_paused_is_not(plex_machine: Machine) -> None:
    machine = probe(plex_machine)
    configure(machine, '[plex]\npaused_limit = "5min"\n', name="60-test.toml")
    machine.systemctl("stop", "plexguard-plex-probe.timer")
    assert check_now(machine)["viewers"] == 0

    watch(machine, state="playing")
    assert check_now(machine)["viewers"] == 1
    watch(machine, state="paused")
    assert check_now(machine)["viewers"] == 1

    file = f"{FOLDER}/paused.json"
    paused: dict[str, Any] = json.loads(machine.read(file))
    (player,) = paused["since"]
    assert player.startswith("shield")
    paused["since"][player]["uptime_s"] -= 400.0
    machine.write(file, json.dumps(paused))
    assert check_now(machine)["viewers"] == 0

    watch(machine, state="playing")
    assert check_now(machine)["viewers"] == 1
    assert read_state(machine, file)["since"] == {}
    assert story(machine) == []


def look_around(machine: Machine) -> str:
    """Return what lies on the disk of plexguard's, with the time of each change, and what it told."""
    files = machine.run(["find", "/var/lib/plexguard", "/run/plexguard", "/etc/plexguard", "-printf", "%p %i %s %T@ %C@\n"]).stdout
    told = machine.journal(matches=["SYSLOG_IDENTIFIER=plexguard-plex-probe"])
    return files + str(len(told))


def test_explain_tells_everybody_why_and_changes_nothing(probed: Machine) -> None:
    machine = probed
    machine.systemctl("stop", "plexguard-plex-probe.timer")
    machine.systemctl("stop", "plexguard-discover.timer")
    machine.systemctl("stop", "plexguard-proxy-breaker.service")

    def ask(user: str | None) -> dict[str, str]:
        before = look_around(machine)
        done = machine.run(["plexguard-plex-probe", "--explain"], user=user, check=False)
        assert done.stderr == ""
        assert look_around(machine) == before
        # "follows" may have several lines: the first counts.
        rows = {name: text.strip() for name, _, text in (line.partition(" ") for line in reversed(done.stdout.splitlines()))}
        return rows | {"code": str(done.returncode)}

    root, anybody = ask(None), ask("nobody")
    assert (root["verdict"].split(",")[0], root["viewers"], root["code"]) == ("healthy", "0", "0")
    assert root["follows"] == "nothing: all is well"
    assert root["database"].endswith("from the database")
    assert (anybody["verdict"].split(",")[0], anybody["viewers"], anybody["code"]) == ("healthy", "not told", "0")
    assert "no token is known, which only root may read" in anybody["token"]

    set_plex(machine, mode="hung")
    for seen in (ask(None), ask("nobody")):
        assert (seen["verdict"], seen["code"]) == ("hung", "1")
        assert "Plex Media Serv" in seen["processes"]
        assert seen["identity"].startswith("failed")
        assert seen["follows"].startswith("would tell plex.hung")
        assert seen["restarts"] == "0 of 2 in this outage, 0 of 6 in 24 h"

    set_plex(machine, mode="healthy")
    machine.systemctl("stop", UNIT)
    for seen in (ask(None), ask("nobody")):
        assert (seen["verdict"], seen["code"], seen["processes"]) == ("stopped", "0", "no Plex process")
        assert "inactive (dead" in seen["server"]
    assert restarts(machine) == 0
