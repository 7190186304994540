"""What is seen and told on Debian 13, whose aiohttp, prometheus-client and systemd are others: the parts that stand on them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.machine import Machine
from tests.system.conftest import assert_clean_journal, await_event, await_found, configure, explain, with_native_plex
from tests.system.native_plex import set_plex
from tests.system.probing import PROBING, check_now
from tests.system.test_notify import INBOX
from tests.system.test_status_http import SERVICE, URL, ask, await_health

pytestmark = pytest.mark.machine

CONFIG = f"""{PROBING}restart = false
[notify.channel.house]
kind = "webhook"
url = "http://127.0.0.1:8099/hook"
"""


def taken(machine: Machine) -> dict[str, Any]:
    """Return what the receiver took, by the event's name."""
    lines = machine.run(["cat", "/srv/inbox/taken.jsonl"], check=False).stdout.splitlines()
    return {body["event"]: body for body in (json.loads(line)["body"] for line in lines)}


def status_of(machine: Machine, *arguments: str) -> str:
    done = machine.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "20", *arguments], user="nobody")
    return done.stdout


def test_a_plex_that_hangs_is_seen_and_told(deb: Path) -> None:
    with Machine(with_native_plex(deb, "trixie")) as machine:
        await_found(machine)
        machine.push(INBOX, "/opt/inbox.py")
        machine.run(["mkdir", "/srv/inbox"])
        machine.run(["systemd-run", "--unit=inbox", "/usr/bin/python3", "/opt/inbox.py", "8099", "/srv/inbox"])
        configure(machine, CONFIG)
        assert machine.run(["plexguard-notify", "test"]).stdout == "house: taken\n"
        machine.wait_for(lambda: check_now(machine).get("verdict") == "healthy", timeout_s=60, what="a healthy check")
        await_health(machine, 200)

        set_plex(machine, mode="hung")
        check_now(machine)
        assert "hung" in " ".join(await_health(machine, 503)["reasons"])
        assert "Plex           problem" in machine.run(["plexguard-status"], check=False).stdout
        set_plex(machine, mode="healthy")
        await_event(machine, "plex.recovered", timeout_s=60)
        await_health(machine, 200)

        machine.wait_for(lambda: "plex.recovered" in taken(machine), timeout_s=60, what="the recovery is delivered")
        pair = taken(machine)
        assert pair["plex.recovered"]["problem_id"] == pair["plex.hung"]["id"]
        assert "How it was decided" in explain(machine, "plex.hung")
        assert machine.failed_units() == []
        assert_clean_journal(machine, allowed=("plex.hung", "plex.gave-up"))


def test_the_page_its_stream_and_its_metrics_are_served(deb: Path) -> None:
    with Machine(with_native_plex(deb, "trixie")) as machine:
        assert machine.unit(SERVICE)["ActiveState"] == "inactive"

        status, page = ask(machine, "/")
        stream = machine.run(["curl", "-sN", "--max-time", "5", f"{URL}/api/v1/stream"], check=False).stdout
        status_of_metrics, metrics = ask(machine, "/metrics")

        assert (status, status_of_metrics) == (200, 200)
        assert page.lower().startswith("<!doctype html>")
        assert "event: overview\n" in stream
        checked = subprocess.run(
            ["promtool", "check", "metrics"], input=metrics, capture_output=True, text=True, timeout=30, check=False
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert status_of(machine, "-H", "Host: evil.example", f"{URL}/metrics") == "403"
        assert status_of(machine, "-X", "POST", f"{URL}/metrics") == "405"
        assert status_of(machine, "-H", f"X-Long: {'x' * 9000}", f"{URL}/metrics") == "400"
        assert machine.failed_units() == []
        assert_clean_journal(machine)
