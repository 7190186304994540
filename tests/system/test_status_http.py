"""The HTTP side on a booted machine: started by its socket, without rights, true about a Plex that hangs, gone when nobody asks."""

import json
from typing import Any

import pytest

from tests.machine import Machine
from tests.system.conftest import assert_clean_journal, await_event, configure
from tests.system.native_plex import set_plex
from tests.system.probing import check_now, probe

URL = "http://127.0.0.1:32480"
SERVICE = "plexguard-status.service"
SOCKET = "plexguard-status.socket"


def ask(machine: Machine, path: str, *, url: str = URL) -> tuple[int, Any]:
    """Return status and answer, as a user without any rights is given them."""
    done = machine.run(["curl", "-sg", "--max-time", "20", "-w", "\n%{http_code}", url + path], user="nobody", check=False)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body) if body.startswith("{") else body


def find_plex_events(machine: Machine) -> list[str]:
    return [event["name"] for event in ask(machine, "/api/v1/events?name=plex.hung,plex.recovered")[1]["events"]]


def await_health(machine: Machine, status: int) -> dict[str, Any]:
    machine.wait_for(lambda: ask(machine, "/api/v1/health/plex")[0] == status, timeout_s=60, what=f"health {status}")
    return dict(ask(machine, "/api/v1/health/plex")[1])


def test_a_plex_that_hangs_is_seen_and_so_is_its_recovery(plex_machine: Machine) -> None:
    machine = probe(plex_machine, "restart = false\n")
    assert machine.unit(SOCKET)["ActiveState"] == "active"
    await_health(machine, 200)
    # The front door's breaker may just have been started.
    machine.wait_for(lambda: ask(machine, "/api/v1/health/plex")[1]["reasons"] == [], timeout_s=30, what="nothing is worth a word")

    set_plex(machine, mode="hung")
    check_now(machine)
    sick = await_health(machine, 503)
    set_plex(machine, mode="healthy")
    check_now(machine)
    await_event(machine, "plex.recovered", timeout_s=60)
    await_health(machine, 200)

    assert "hung" in " ".join(sick["reasons"]) and sick["checked"]
    assert sick["breaker"]["state"] in ("closed", "open", "half-open")
    # The journal is looked at once a second.
    machine.wait_for(lambda: find_plex_events(machine) == ["plex.recovered", "plex.hung"], timeout_s=10, what="both events")
    (incident,) = [one for one in ask(machine, "/api/v1/timeline")[1]["incidents"] if one["area"] == "plex"]
    assert incident["ended"] and incident["downtime_s"] > 0
    # A point is the checks of minutes, and what was bad among them shows.
    assert "hung" in {point["verdict"] for point in ask(machine, "/api/v1/series")[1]["response"]}
    metrics = ask(machine, "/metrics")[1]
    assert "\nplexguard_plex_up 1.0\n" in metrics
    assert 'plexguard_events_total{event="plex.recovered",severity="notice"} 1.0' in metrics
    unit = machine.unit(SERVICE)
    assert (unit["User"], unit.get("CapabilityBoundingSet", ""), unit["PrivateNetwork"]) == ("plexguard", "", "yes")
    assert machine.failed_units() == []
    assert_clean_journal(machine, allowed=("plex.hung", "plex.gave-up"))


def test_it_ends_when_nobody_asks_and_is_started_again(machine: Machine) -> None:
    configure(machine, '[status]\nidle = "10s"\n')
    assert ask(machine, "/api/v1/health")[0] in (200, 503)
    first = machine.unit(SERVICE)["MainPID"]

    machine.wait_for(lambda: machine.unit(SERVICE)["ActiveState"] == "inactive", timeout_s=60, what="it ends by itself")
    status, metrics = ask(machine, "/metrics")

    assert (status, "plexguard_build_info" in metrics) == (200, True)
    assert machine.unit(SERVICE)["MainPID"] not in ("0", first)
    assert machine.unit(SERVICE)["Result"] == "success"
    assert_clean_journal(machine)


def test_another_address_and_another_name(machine: Machine) -> None:
    ask(machine, "/api/v1/health")
    configure(machine, '[status]\nlisten = ["127.0.0.1:32481", "[::1]:32481"]\nnames = ["media.lan"]\n')

    assert ask(machine, "/api/v1/overview", url="http://127.0.0.1:32481")[0] == 200
    assert ask(machine, "/api/v1/overview", url="http://[::1]:32481")[0] == 200
    assert ask(machine, "/api/v1/overview")[0] == 0
    told = machine.run(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Host: media.lan", "http://127.0.0.1:32481/metrics"]
    )
    assert told.stdout == "200"
    told = machine.run(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Host: evil.example", "http://127.0.0.1:32481/metrics"]
    )
    assert told.stdout == "403"
    assert machine.failed_units() == []


def test_a_torn_index_is_set_aside_and_made_anew(machine: Machine) -> None:
    ask(machine, "/api/v1/timeline")
    before = [event["id"] for event in ask(machine, "/api/v1/events")[1]["events"]]
    machine.systemctl("stop", SERVICE)
    machine.run(
        [
            "sh",
            "-c",
            "rm -f /var/lib/plexguard/status/index.sqlite-*; head -c 9000 /dev/urandom > /var/lib/plexguard/status/index.sqlite",
        ]
    )

    after = [event["id"] for event in ask(machine, "/api/v1/events")[1]["events"]]

    await_event(machine, "state.set-aside", timeout_s=10)
    assert before and set(before) <= set(after)
    assert_clean_journal(machine, allowed=("state.set-aside",))


@pytest.mark.parametrize("path", ["/var/lib/plexguard/plex-probe/state.json"])
def test_a_probe_that_has_stopped_is_not_healthy(plex_machine: Machine, path: str) -> None:
    machine = probe(plex_machine)
    await_health(machine, 200)
    machine.systemctl("stop", "plexguard-plex-probe.timer")
    # As if it had looked an hour ago.
    script = "import json,sys; p=sys.argv[1]; d=json.load(open(p)); d['checked']['uptime_s']-=3600; json.dump(d,open(p,'w'))"
    machine.run(["/usr/bin/python3", "-c", script, path])

    stale = await_health(machine, 503)

    assert stale["reasons"] and stale["checked"]
    assert "\nplexguard_plex_known 0.0\n" in ask(machine, "/metrics")[1]
