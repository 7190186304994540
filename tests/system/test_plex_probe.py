"""The probe and the restart under a running service manager, against a native Plex that fails in every way it can."""

import pytest

from tests.machine import Machine
from tests.system.conftest import assert_clean_journal, await_event, configure, events, explain
from tests.system.native_plex import PREFERENCES, TOKEN, UNIT, URL, ask_plex, set_plex
from tests.system.probing import OUTAGE_TIMEOUT_S, check_now, main_pid, probe, restarts, story

pytestmark = pytest.mark.machine


@pytest.fixture
def probed(plex_machine: Machine) -> Machine:
    """A machine whose Plex is checked every 5 s and was found well."""
    return probe(plex_machine)


def test_a_hung_plex_is_restarted_and_its_downtime_told(probed: Machine) -> None:
    machine, before = probed, main_pid(probed)
    set_plex(machine, mode="hung")

    recovered = await_event(machine, "plex.recovered", timeout_s=OUTAGE_TIMEOUT_S)

    assert main_pid(machine) != before
    assert ask_plex(machine, "/identity") is not None
    assert (recovered["PLEXGUARD_PROBLEM"], recovered["PLEXGUARD_RESTARTS"]) == ("hung", "1")
    assert float(recovered["PLEXGUARD_DOWNTIME_S"]) > 15
    assert events(machine, "plex.restarting")[-1]["_SYSTEMD_UNIT"] == "plexguard-plex-restart.service"
    assert "Nobody can be watching through it" in explain(machine, "plex.hung")
    assert_clean_journal(machine, allowed=("plex.hung",))


def test_a_hung_plex_that_ignores_sigterm_is_killed(probed: Machine) -> None:
    machine = probed
    set_plex(machine, mode="hung", ignore_term="true")

    restarted = await_event(machine, "plex.restarted", timeout_s=OUTAGE_TIMEOUT_S)

    assert float(restarted["PLEXGUARD_SECONDS"]) > 10
    assert ask_plex(machine, "/identity") is not None


def test_a_plex_that_refuses_connections_is_restarted(probed: Machine) -> None:
    machine = probed
    set_plex(machine, mode="refusing")

    recovered = await_event(machine, "plex.recovered", timeout_s=OUTAGE_TIMEOUT_S)

    assert recovered["PLEXGUARD_PROBLEM"] == "down"
    assert "Plex Media Serv" in events(machine, "plex.down")[-1]["PLEXGUARD_PROCESSES"]


def test_a_plex_that_failed_for_good_is_started_again(probed: Machine) -> None:
    """systemd gives up after three crashes in a minute; nobody starts Plex after that."""
    machine = probed
    machine.write(f"/run/systemd/system/{UNIT}.d/test.conf", "[Service]\nRestart=no\n")
    machine.systemctl("daemon-reload")
    machine.systemctl("kill", "--signal=SIGKILL", UNIT)

    recovered = await_event(machine, "plex.recovered", timeout_s=OUTAGE_TIMEOUT_S)

    assert recovered["PLEXGUARD_RESTARTS"] == "1"
    assert machine.systemctl("is-active", UNIT).strip() == "active"


def test_a_plex_that_cannot_start_is_given_up_loudly_after_two_restarts(probed: Machine) -> None:
    machine = probed
    configure(machine, '[plex-probe]\ntransition_limit = "30s"\nstart_timeout = "5s"\n', name="60-test.toml")
    set_plex(machine, mode="corrupt")

    gave_up = await_event(machine, "plex.gave-up", timeout_s=180)
    for _ in range(3):
        check_now(machine)

    assert gave_up["PRIORITY"] == "3"
    assert restarts(machine) == 2
    # After the last word there is silence.
    assert story(machine, since_cursor=gave_up["__CURSOR"]) == []


def test_an_administrator_who_stops_plex_means_it(probed: Machine) -> None:
    machine = probed
    machine.systemctl("stop", UNIT)

    stopped = await_event(machine, "plex.stopped", timeout_s=60)
    for _ in range(2):
        check_now(machine)

    assert stopped["PRIORITY"] == "5"
    assert restarts(machine) == 0
    assert machine.systemctl("is-active", UNIT, check=False).strip() == "inactive"


def test_maintenance_is_left_alone_until_it_ends(probed: Machine) -> None:
    machine = probed
    set_plex(machine, mode="maintenance")
    await_event(machine, "plex.maintenance", timeout_s=60)
    for _ in range(3):
        check_now(machine)

    set_plex(machine, mode="healthy")
    recovered = await_event(machine, "plex.recovered", timeout_s=60)

    assert recovered["PLEXGUARD_PROBLEM"] == "maintenance"
    assert (restarts(machine), len(events(machine, "plex.maintenance"))) == (0, 1)


def test_a_wrong_token_is_a_matter_of_configuration(probed: Machine) -> None:
    machine = probed
    machine.write("/etc/plexguard/credentials/plex.token", "wrongwrongwrongwrong\n", mode=0o600)

    told = await_event(machine, "plex.misconfigured", timeout_s=60)
    machine.run(["rm", "/etc/plexguard/credentials/plex.token"])
    await_event(machine, "plex.recovered", timeout_s=60)

    assert told["PRIORITY"] == "3"
    assert restarts(machine) == 0


def test_a_wrong_address_is_a_matter_of_configuration(probed: Machine) -> None:
    machine = probed
    machine.write("/etc/plexguard/plexguard.toml.d/60-test.toml", '[plex]\nurl = "http://no-such-name.invalid:32400"\n')
    # HAProxy takes no name that leads nowhere; the others have the new configuration all the same.
    applied = machine.run(["plexguard-status", "apply"], check=False)
    assert applied.returncode == 1
    assert "plexguard-proxy.service: goes on as it was, see journalctl -u plexguard-proxy.service" in applied.stdout

    await_event(machine, "plex.misconfigured", timeout_s=90)

    assert restarts(machine) == 0


def test_the_token_follows_when_plex_is_claimed_anew(probed: Machine) -> None:
    machine = probed
    set_plex(machine, token="zyxwvutsrqponmlkjihg")
    machine.wait_for(lambda: "zyxwvutsrqponmlkjihg" in machine.read(PREFERENCES), timeout_s=20, what="new token in Preferences.xml")

    state = check_now(machine)

    assert state["verdict"] == "healthy"
    assert "database" in state["latencies"]


def test_a_blocked_database_and_errors_are_told_and_not_restarted(probed: Machine) -> None:
    machine = probed
    set_plex(machine, mode="database-blocked")
    await_event(machine, "plex.database-blocked", timeout_s=60)
    set_plex(machine, mode="error")
    await_event(machine, "plex.erroring", timeout_s=60)

    assert restarts(machine) == 0


def test_the_watcher_may_start_one_unit_and_nothing_else(plex_machine: Machine) -> None:
    machine = plex_machine
    asked = {
        ("start", "plexguard-plex-restart.service"): 0,
        ("stop", "plexguard-plex-restart.service"): 1,
        ("restart", UNIT): 1,
        ("stop", UNIT): 1,
        ("start", "plexguard-discover.service"): 1,
    }

    done = {
        words: machine.run(["systemctl", "--no-ask-password", *words], user="plexguard", check=False).returncode for words in asked
    }

    assert {words: min(code, 1) for words, code in done.items()} == asked
    # And the root side looked for itself: Plex is well, so nothing was restarted.
    refused = await_event(machine, "plex.restart-refused", timeout_s=20)
    assert "it is no outage now" in refused["PLEXGUARD_REASON"]


def test_the_budget_of_a_day_is_the_root_sides_own(probed: Machine) -> None:
    machine = probed
    configure(machine, "[plex-probe]\nmax_restarts_per_day = 1\n", name="60-test.toml")
    set_plex(machine, mode="hung")
    await_event(machine, "plex.restarted", timeout_s=OUTAGE_TIMEOUT_S)
    await_event(machine, "plex.recovered", timeout_s=60)
    # As a watcher that forgot, or was made to forget; not in the middle of a check, which would write it down again.
    machine.systemctl("stop", "plexguard-plex-probe.timer", "plexguard-plex-probe.service")
    machine.run(["rm", "-r", "/var/lib/plexguard/plex-probe"])
    machine.systemctl("start", "plexguard-plex-probe.timer")
    machine.wait_for(lambda: check_now(machine).get("verdict") == "healthy", timeout_s=30, what="a healthy check")

    set_plex(machine, mode="hung")
    refused = await_event(machine, "plex.restart-refused", timeout_s=OUTAGE_TIMEOUT_S)

    assert "max_restarts_per_day" in refused["PLEXGUARD_REASON"]
    assert restarts(machine) == 1


def test_the_last_check_is_seen_in_systemctl_status(probed: Machine) -> None:
    status = probed.run(["systemctl", "status", "plexguard-plex-probe.service"], check=False).stdout

    assert "healthy (identity" in status
    assert URL not in status


def test_a_hung_plex_is_not_restarted_while_packages_are_being_changed(probed: Machine) -> None:
    machine = probed
    hold = "import fcntl,time; f=open('/var/lib/dpkg/lock-frontend','r+'); fcntl.lockf(f,fcntl.LOCK_EX); print('held',flush=True); time.sleep(300)"
    holder = machine.spawn(["/usr/bin/python3", "-c", hold])
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    set_plex(machine, mode="hung")

    updating = await_event(machine, "plex.updating", timeout_s=OUTAGE_TIMEOUT_S)
    # whoever asks, the root side sees the same
    machine.systemctl("start", "plexguard-plex-restart.service")
    refused = await_event(machine, "plex.restart-refused", timeout_s=20)
    restarted_under_lock = restarts(machine)
    holder.kill()
    recovered = await_event(machine, "plex.recovered", timeout_s=OUTAGE_TIMEOUT_S)

    assert "holds /var/lib/dpkg/lock-frontend" in updating["PLEXGUARD_DETAIL"]
    assert "an update is at work" in refused["PLEXGUARD_REASON"]
    assert (restarted_under_lock, recovered["PLEXGUARD_RESTARTS"]) == (0, "1")


def test_who_takes_the_port_of_a_stopped_plex_gets_no_token(plex_machine: Machine) -> None:
    machine = plex_machine
    machine.systemctl("stop", UNIT)
    thief = machine.spawn(["/usr/bin/python3", "-u", "-c", _THIEF], user="nobody")
    machine.wait_for(lambda: ask_plex(machine, "/identity") is not None, timeout_s=20, what="the thief answers")

    machine.systemctl("start", "plexguard-plex-probe.service")
    machine.systemctl("start", "plexguard-discover.service")
    thief.kill()
    heard = thief.communicate()[0]

    # The test's own question to it carries the token of the test; plexguard's carry none.
    plexguards = [request for request in heard.split("GET ") if "User-Agent: plexguard" in request]
    assert plexguards and not [request for request in plexguards if TOKEN in request]
    assert "/srv/stolen" not in machine.read("/run/plexguard/plex.json")


_THIEF = """
import http.server, json
class Thief(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.requestline, self.headers, flush=True)
        body = {"MediaContainer": {"machineIdentifier": "x", "version": "1", "Directory": [{"key": "1", "Location": [{"path": "/srv/stolen"}]}]}}
        data = json.dumps(body).encode()
        self.send_response(200); self.send_header("Content-Type", "application/json"); self.send_header("Content-Length", str(len(data)))
        self.end_headers(); self.wfile.write(data)
http.server.HTTPServer(("127.0.0.1", 32400), Thief).serve_forever()
"""
