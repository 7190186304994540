"""plexguard-status on a booted machine: what an administrator, and anybody else, is shown."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.machine import READY, Machine, installed
from tests.system.conftest import assert_clean_journal, await_event, configure
from tests.system.native_plex import set_plex
from tests.system.probing import OUTAGE_TIMEOUT_S, check_now, probe

pytestmark = pytest.mark.machine
README = Path(__file__).parents[2] / "README.md"
TIMER = "plexguard-plex-probe.timer"


@pytest.fixture
def looked(plex_machine: Machine) -> Machine:
    """A machine on which everything has been looked at once; the network of a test's machine is switched off by a mask."""
    machine = probe(plex_machine)
    machine.systemctl("disable", "--now", "plexguard-net-recover.timer")
    machine.systemctl("start", "plexguard-perms-audit.service")
    return machine


def ask(machine: Machine, *, user: str | None = None) -> tuple[int, dict[str, Any]]:
    done = machine.run(["plexguard-status", "--format", "json"], check=False, user=user)
    return done.returncode, json.loads(done.stdout)


def states(overview: dict[str, Any]) -> dict[str, str]:
    return {thing["name"]: thing["state"] for thing in overview["things"]}


def texts(overview: dict[str, Any]) -> str:
    return "\n".join(problem["text"] for problem in overview["problems"])


def test_a_machine_on_which_all_is_well_says_so(looked: Machine) -> None:
    code, overview = ask(looked)

    assert (code, overview["healthy"]) == (0, True), texts(overview)
    found = states(overview)
    assert [found[name] for name in ("plex", "streams", "permissions", "logs", "units", "events", "configuration")] == ["well"] * 7
    assert (found["network"], found["mounts"], found["speed"]) == ("off", "off", "warning")
    assert {timer["unit"] for timer in overview["timers"]} >= {TIMER, "plexguard-speed-test.timer", "plexguard-perms-audit.timer"}
    assert overview["plex"]["latencies"]["identity"] > 0
    shown = looked.run(["plexguard-status"]).stdout
    assert max(map(len, shown.splitlines())) <= 100
    assert_clean_journal(looked)


def test_a_hung_plex_is_shown_while_it_hangs_and_after(looked: Machine) -> None:
    configure(looked, "[plex-probe]\nrestart = false\n", name="70-status.toml")
    set_plex(looked, mode="hung")
    await_event(looked, "plex.hung", timeout_s=OUTAGE_TIMEOUT_S)

    code, overview = ask(looked)

    assert code == 1
    assert states(overview)["plex"] == "problem"
    assert texts(overview).startswith("Plex: hung")
    assert overview["problems"][0]["command"] == "plexguard-plex-probe --explain"
    assert overview["plex"]["consecutive_failures"] >= 1

    set_plex(looked, mode="healthy")
    await_event(looked, "plex.recovered", timeout_s=OUTAGE_TIMEOUT_S)
    code, overview = ask(looked)
    assert (code, states(overview)["plex"], states(overview)["events"]) == (0, "well", "well")


def test_a_unit_that_failed_is_named(looked: Machine) -> None:
    looked.write(
        "/run/systemd/system/plexguard-speed-test.service.d/test.conf", "[Service]\nExecStart=\nExecStart=/bin/sh -c 'exit 70'\n"
    )
    looked.systemctl("daemon-reload")
    looked.systemctl("start", "plexguard-speed-test.service", check=False)

    code, overview = ask(looked)

    assert code == 1
    assert "plexguard-speed-test.service has failed (exit-code)" in texts(overview)


@pytest.mark.parametrize(("verb", "word"), [("disable", "disabled"), ("mask", "masked")])
def test_a_probe_that_somebody_switched_off_is_a_problem(looked: Machine, verb: str, word: str) -> None:
    check_now(looked)
    looked.systemctl(verb, "--now", TIMER)

    code, overview = ask(looked)

    assert code == 1
    assert f"{TIMER} is {word}" in texts(overview)
    assert overview["plex"]["verdict"] == "unknown"


def test_an_ordinary_user_is_shown_all_but_the_journal(looked: Machine) -> None:
    code, overview = ask(looked, user="nobody")

    assert code == 69
    assert [name for name, state in states(overview).items() if state == "unknown"] == ["events"]
    assert "systemd-journal" in overview["problems"][0]["command"]


def test_a_machine_without_a_plex_does_not_know_how_it_is(machine: Machine) -> None:
    code, overview = ask(machine)

    assert code == 69
    assert "no Plex was found" in texts(overview)


def test_a_secret_that_others_can_read_is_found_by_check_config(machine: Machine) -> None:
    machine.write("/etc/plexguard/credentials/plex.token", "secret-token", mode=0o644)

    done = machine.run(["plexguard-status", "check-config"], check=False)

    assert done.returncode == 1
    assert "chmod 0600 /etc/plexguard/credentials/plex.token" in done.stdout
    assert "secret-token" not in done.stdout


REMOTE = "/var/log/journal/remote"
VPN = "10.8.0.1"


def commands_of_readme(after: str) -> str:
    """Return the commands of the first block that follows these words; apt's are done already."""
    block = README.read_text(encoding="utf-8").partition(after)[2].partition("```\n")[2].partition("```\n")[0]
    return "\n".join(line for line in block.splitlines() if not line.startswith("apt "))


def test_journals_that_were_sent_to_one_machine_show_each_host(deb: Path) -> None:
    """One machine stands for all: it sends its journal to itself, and is called otherwise half way."""
    with Machine(installed(READY.with_packages("systemd-journal-remote"), deb)) as machine:
        machine.run(["ip", "address", "add", f"{VPN}/32", "dev", "lo"])
        machine.run(["sh", "-ec", commands_of_readme("On the receiver:")])
        machine.run(["hostname", "barn"])
        machine.systemctl("start", "plexguard-discover.service")
        machine.systemctl("start", "plexguard-net-recover.service", check=False)
        machine.run(["sh", "-ec", commands_of_readme("On every machine")])

        def look() -> dict[str, Any]:
            done = machine.run(["plexguard-status", "--journal", REMOTE, "--format", "json"], check=False)
            return {host["host"]: host for host in json.loads(done.stdout)["hosts"]} if done.stdout else {}

        machine.wait_for(lambda: {"plexguard", "barn"} <= look().keys(), timeout_s=60, what="both hosts are shown")

        shown = machine.run(["plexguard-status", "--journal", REMOTE], check=False).stdout
        assert shown.startswith("2 hosts")
        assert look()["barn"]["heard"] >= look()["plexguard"]["heard"]
        assert any(area["area"] == "discover" for area in look()["plexguard"]["areas"])
