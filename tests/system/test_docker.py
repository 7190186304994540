"""A Plex in a container: found without configuration, restarted when it hangs, left alone when it was stopped."""

import json
from typing import Any

import pytest

from tests.machine import Machine
from tests.system import docker_plex
from tests.system.conftest import assert_clean_journal, await_event, configure, events
from tests.system.native_plex import TOKEN, ask_plex
from tests.system.probing import check_now, probe

pytestmark = [pytest.mark.machine, pytest.mark.xdist_group("docker")]


@pytest.fixture
def container(docker_machine: Machine) -> Machine:
    """A machine whose Plex runs in a container, found by plexguard and checked every 5 s."""
    docker_plex.install_plex(docker_machine)
    await_container(docker_machine, "plex")
    return probe(docker_machine, 'stop_timeout_hung = "3s"\n')


def await_container(machine: Machine, name: str) -> dict[str, Any]:
    machine.wait_for(lambda: read_found(machine).get("name") == name, timeout_s=60, what=f"container {name} is found")
    return read_found(machine)


def read_found(machine: Machine) -> dict[str, Any]:
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
    since = machine.cursor()
    docker_plex.set_plex(machine, mode="hung")
    recovered = await_event(machine, "plex.recovered", timeout_s=120, since_cursor=since)
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
    since = machine.cursor()
    docker_plex.set_plex(machine, mode="crash")

    recovered = await_event(machine, "plex.recovered", timeout_s=120, since_cursor=since)

    assert (recovered["PLEXGUARD_PROBLEM"], recovered["PLEXGUARD_RESTARTS"]) == ("down", "1")


def test_a_container_that_is_killed_from_outside_of_docker_is_started_again(container: Machine) -> None:
    machine = container
    pid = machine.run(["docker", "inspect", "-f", "{{.State.Pid}}", "plex"]).stdout.strip()
    since = machine.cursor()
    machine.run(["sh", "-c", f"kill -KILL {pid}"])

    recovered = await_event(machine, "plex.recovered", timeout_s=120, since_cursor=since)

    # The exit code is the one of `docker kill`, by which it would be left alone.
    assert (recovered["PLEXGUARD_PROBLEM"], recovered["PLEXGUARD_RESTARTS"]) == ("down", "1")
    assert "exit code 137" in machine.journal_text("SYSLOG_IDENTIFIER=plexguard-plex-probe")


def test_a_container_with_another_name_is_found_by_its_image_and_followed_to_the_next(docker_machine: Machine) -> None:
    machine = docker_machine
    docker_plex.install_plex(machine, name="media-plex-1")
    # `docker ps` has no name any more for the image of a container whose tag was pulled anew.
    docker_plex.make_image(machine)
    found = await_container(machine, "media-plex-1")
    assert (found["server"], found["folders"]) == ("container", [docker_plex.FILMS])
    probe(machine, 'stop_timeout_hung = "3s"\n')
    since = machine.cursor()
    docker_plex.set_plex(machine, mode="hung")
    assert await_event(machine, "plex.recovered", timeout_s=120, since_cursor=since)["PLEXGUARD_PROBLEM"] == "hung"

    machine.run(["docker", "rm", "-f", "media-plex-1"], timeout_s=60)
    docker_plex.run_plex(machine, name="plex-new")
    assert await_container(machine, "plex-new")["server"] == "container"

    machine.run(["docker", "stop", "-t", "5", "plex-new"], timeout_s=60)
    await_event(machine, "plex.stopped", timeout_s=60)
    assert len(events(machine, "plex.restarting")) == 1
    assert_clean_journal(machine, allowed=("plex.hung",))


def test_several_containers_of_a_plex_image_are_told_and_none_is_watched(docker_machine: Machine) -> None:
    machine = docker_machine
    docker_plex.prepare_plex(machine)
    for name in ("one", "two"):
        machine.run(["docker", "create", "--name", name, docker_plex.IMAGE, *docker_plex.COMMAND], timeout_s=60)
    machine.systemctl("restart", "plexguard-container-watch.service")

    assert await_event(machine, "container.ambiguous", timeout_s=60)["PLEXGUARD_CONTAINERS"] == "one, two"
    machine.wait_for(lambda: "one, two" in read_found(machine).get("missing", ""), timeout_s=60, what="what to configure")
    configure(machine, '[plex]\ncontainer = "two"\n')
    assert await_container(machine, "two")["server"] == "container"
    assert await_event(machine, "container.settled", timeout_s=60)["PLEXGUARD_CONTAINER"] == "two"
