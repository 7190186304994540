"""A Plex in a container that updates itself when it is started, that is replaced by a newer one, and that is killed by hand."""

import pytest

from tests.machine import Machine
from tests.system import docker_plex
from tests.system.conftest import assert_clean_journal, await_event
from tests.system.native_plex import ask_plex
from tests.system.probing import check_now, probe, restarts, spent, story

pytestmark = [pytest.mark.machine, pytest.mark.xdist_group("docker")]

# Longer than the grace of a start, and than three looks: without the update's signs it would be an outage.
_UPDATE_S = 40
_TROUBLES = {"plex.down", "plex.hung", "plex.unknown", "plex.restart-asked", "plex.gave-up"}


@pytest.fixture
def updating(docker_machine: Machine) -> Machine:
    """A machine with a container of Plex that runs the image's own update before it starts Plex, checked every 5 s."""
    docker_plex.prepare_plex(docker_machine)
    docker_plex.run_updating_plex(docker_machine)
    docker_machine.wait_for(lambda: ask_plex(docker_machine, "/identity") is not None, timeout_s=30, what="Plex answers")
    docker_machine.wait_for(
        lambda: "container" in docker_machine.run(["cat", "/run/plexguard/plex.json"], check=False).stdout,
        timeout_s=60,
        what="discovery",
    )
    return probe(docker_machine)


def test_a_container_that_updates_itself_or_is_replaced_or_killed_is_left_alone(updating: Machine) -> None:
    """One story, since an engine takes its time."""
    machine = updating
    since = machine.cursor()
    machine.write(f"{docker_plex.CONFIG}/update_s", str(_UPDATE_S))
    machine.run(["docker", "restart", "-t", "5", "plex"], timeout_s=60)
    recovered = await_event(machine, "plex.recovered", timeout_s=_UPDATE_S + 60)
    told = story(machine, since_cursor=since)
    assert recovered["PLEXGUARD_PROBLEM"] == "updating"
    assert "plex.updating" in told
    assert _TROUBLES.isdisjoint(told)

    machine.write(f"{docker_plex.CONFIG}/update_s", "0")
    machine.run(["docker", "rm", "-f", "plex"], timeout_s=60)
    docker_plex.set_plex(machine, version="1.44.0.11000-0123456789")
    docker_plex.run_updating_plex(machine)
    updated = await_event(machine, "plex.updated", timeout_s=60)
    assert (updated["PLEXGUARD_BEFORE"], updated["PLEXGUARD_AFTER"]) == ("1.43.4.10903-e5521bd8c", "1.44.0.11000-0123456789")

    machine.wait_for(lambda: check_now(machine)["verdict"] == "healthy", timeout_s=60, what="a healthy check")
    machine.run(["docker", "kill", "plex"], timeout_s=60)
    await_event(machine, "plex.stopped", timeout_s=60, since_cursor=updated["__CURSOR"])
    for _ in range(3):
        check_now(machine)
    assert machine.run(["docker", "inspect", "-f", "{{.State.Status}}", "plex"]).stdout.strip() == "exited"

    assert _TROUBLES.isdisjoint(story(machine))
    assert (restarts(machine), spent(machine)) == (0, 0)
    assert_clean_journal(machine)
