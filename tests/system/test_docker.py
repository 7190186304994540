"""A Plex in a container: found without configuration, restarted when it hangs, left alone when it was stopped."""

import json

import pytest

from tests.machine import Machine
from tests.system import docker_plex
from tests.system.conftest import assert_clean_journal, await_event, events
from tests.system.native_plex import TOKEN, ask_plex
from tests.system.probing import check_now, probe

pytestmark = [pytest.mark.machine, pytest.mark.xdist_group("docker")]


@pytest.fixture
def container(docker_machine: Machine) -> Machine:
    """A machine whose Plex runs in a container, found by plexguard and checked every 5 s."""
    docker_plex.install_plex(docker_machine)
    docker_machine.wait_for(lambda: "container" in read_found(docker_machine).get("server", ""), timeout_s=60, what="discovery")
    return probe(docker_machine, 'stop_timeout_hung = "3s"\n')


def read_found(machine: Machine) -> dict[str, str]:
    text = machine.run(["cat", "/run/plexguard/plex.json"], check=False).stdout
    return dict(json.loads(text)) if text else {}


def test_a_container_is_found_guarded_and_left_alone_when_it_is_stopped(container: Machine) -> None:
    """One story, since an engine takes its time: found, restarted when hung, stopped on purpose, Docker itself away."""
    machine = container
    found = read_found(machine)
    assert (found["server"], found["name"], found["folders"]) == ("container", "plex", [docker_plex.FILMS])
    assert "database" in check_now(machine)["latencies"]  # with the token of the container's Preferences.xml

    machine.run(["chmod", "000", f"{docker_plex.FILMS}/Film 1.mkv"])
    machine.systemctl("start", "plexguard-perms-audit.service")
    assert events(machine, "perms.repaired")[-1]["PLEXGUARD_PATH"] == f"{docker_plex.FILMS}/Film 1.mkv"

    before = machine.run(["docker", "inspect", "-f", "{{.State.StartedAt}}", "plex"]).stdout
    docker_plex.set_plex(machine, mode="hung")
    recovered = await_event(machine, "plex.recovered", timeout_s=120)
    assert recovered["PLEXGUARD_PROBLEM"] == "hung"
    assert machine.run(["docker", "inspect", "-f", "{{.State.StartedAt}}", "plex"]).stdout != before
    assert ask_plex(machine, "/identity") is not None

    machine.run(["docker", "stop", "-t", "5", "plex"], timeout_s=60)
    await_event(machine, "plex.stopped", timeout_s=60)
    for _ in range(2):
        check_now(machine)
    assert machine.run(["docker", "inspect", "-f", "{{.State.Status}}", "plex"]).stdout.strip() == "exited"
    assert len(events(machine, "plex.restarting")) == 1

    # The claim token in the container's environment is nobody's business.
    assert "claim-" not in machine.read("/run/plexguard/container.json")
    assert TOKEN not in machine.read("/run/plexguard/plex.json")
    assert_clean_journal(machine, allowed=("plex.hung",))


def test_a_container_that_crashed_is_started_again(container: Machine) -> None:
    machine = container
    docker_plex.set_plex(machine, mode="crash")

    recovered = await_event(machine, "plex.recovered", timeout_s=120)

    assert (recovered["PLEXGUARD_PROBLEM"], recovered["PLEXGUARD_RESTARTS"]) == ("down", "1")
