"""How the tests of the probe look at it: checks made at once, what it keeps, and what it told."""

import json
from typing import Any

from tests.machine import Machine
from tests.system.conftest import QUICK, configure, events
from tests.system.native_plex import UNIT

STATE = "/var/lib/plexguard/plex-probe/state.json"
BUDGET = "/var/lib/plexguard/plex-restart/state.json"
# Plex was started seconds ago; a start is an excuse for silence only in the tests that are about it.
PROBING = QUICK + 'start_grace = "5s"\n'
# A check's three looks of 5 s, the restart with its own look, 10 s of grace for a hung Plex, and the next check.
OUTAGE_TIMEOUT_S = 90


def probe(machine: Machine, text: str = "") -> Machine:
    """Have Plex checked every 5 s, with more of [plex-probe], and wait until it is found well."""
    configure(machine, PROBING + text)
    machine.wait_for(lambda: check_now(machine).get("verdict") == "healthy", timeout_s=60, what="a healthy check")
    return machine


def check_now(machine: Machine) -> dict[str, Any]:
    machine.systemctl("start", "plexguard-plex-probe.service")
    return read_state(machine)


def read_state(machine: Machine, file: str = STATE) -> dict[str, Any]:
    text = machine.run(["cat", file], check=False).stdout
    return dict(json.loads(text)) if text else {}


def restarts(machine: Machine) -> int:
    return len(events(machine, "plex.restarting"))


def spent(machine: Machine) -> int:
    """Return how many restarts the root side has counted."""
    return len(read_state(machine, BUDGET).get("restarts", ()))


def main_pid(machine: Machine) -> str:
    return machine.unit(UNIT)["MainPID"]


def story(machine: Machine, *, since_cursor: str | None = None) -> list[str]:
    """Return the names of the events about Plex, oldest first."""
    told = machine.journal(since_cursor=since_cursor, matches=["SYSLOG_IDENTIFIER=plexguard-plex-probe"])
    return [entry["PLEXGUARD_EVENT"] for entry in told if "PLEXGUARD_EVENT" in entry]
