"""The life of a run as units: it comes to its end, fails, is stopped and is cut off, and each time all is released.

One machine for all of them: each proves at its end that nothing of it is left.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plexguard.cloud_run.life.chain import PHASES
from tests.machine import Machine
from tests.system import cloud_chain
from tests.system.cloud_chain import FILE, RUN, UNIT
from tests.system.conftest import events

pytestmark = [pytest.mark.machine, pytest.mark.xdist_group("cloud-chain")]
HOLD = f"plexguard-cloud-hold@{RUN}.service"


@pytest.fixture(scope="module")
def controller(deb: Path) -> Iterator[Machine]:
    with cloud_chain.boot(deb) as machine:
        cloud_chain.prepare(machine)
        yield machine


def test_run_comes_to_its_end(controller: Machine) -> None:
    cloud_chain.prove_whole(controller)


def test_dependencies_are_the_phases_of_the_plan(controller: Machine) -> None:
    listed = controller.systemctl("list-dependencies", "--plain", UNIT).split()

    ours = [unit for unit in listed if unit.startswith("plexguard-cloud-")]
    assert ours[0] == UNIT and sorted(ours[1:]) == sorted(cloud_chain.UNITS)


# A first phase that does not come to its own process has begun nothing.
@pytest.mark.parametrize("phase", PHASES[1:])
def test_phase_that_fails_is_told_once_and_all_before_it_is_released(controller: Machine, phase: str) -> None:
    cloud_chain.prove_failure(controller, phase)


def test_mistake_in_the_file_of_a_run_is_told_once(controller: Machine) -> None:
    controller.write(FILE, "colour = 1\n")
    cursor = controller.cursor()

    cloud_chain.start(controller, check=False)

    (told,) = events(controller, "cloud.run-failed", since_cursor=cursor)
    assert told["PLEXGUARD_PHASE"] == PHASES[0] and "colour" in told["PLEXGUARD_REASON"]
    assert events(controller, "unit.failed", since_cursor=cursor) == []
    controller.write(FILE, cloud_chain.EMPTY)
    # Anew, without reset-failed.
    cloud_chain.prove_whole(controller)


@pytest.mark.parametrize("phase", PHASES)
def test_stop_ends_a_phase_at_once_and_releases(controller: Machine, phase: str) -> None:
    cloud_chain.prove_stop(controller, phase)


@pytest.mark.parametrize("phase", PHASES[1:])
def test_run_that_a_shutdown_cuts_off_is_taken_up_again(controller: Machine, phase: str) -> None:
    cloud_chain.prove_reboot(controller, phase)


@pytest.mark.parametrize("phase", PHASES[1:])
def test_run_that_a_power_cut_cuts_off_is_taken_up_again(controller: Machine, phase: str) -> None:
    cloud_chain.prove_power_cut(controller, phase)


def test_machine_is_kept_for_who_looks_at_it_until_that_ends(controller: Machine) -> None:
    cursor = controller.cursor()
    refused = controller.run(["systemctl", "start", HOLD], check=False)
    alerts = events(controller, "unit.failed", since_cursor=cursor)
    cloud_chain.start_until(controller, "scan")
    controller.systemctl("start", HOLD)
    cloud_chain.restore(controller, "scan")

    controller.systemctl("kill", "--signal=KILL", "plexguard-cloud-scan@delta.service")
    controller.wait_for(lambda: cloud_chain.state(controller)["phase"] == "failed", timeout_s=30, what="the run has failed")
    controller.wait_for(
        lambda: controller.unit("plexguard-cloud-mount@delta.service")["ActiveState"] == "inactive", timeout_s=30, what="released"
    )
    held = cloud_chain.has_lease(controller), controller.unit("plexguard-cloud-instance@delta.service")["ActiveState"]
    controller.systemctl("start", UNIT, check=False)
    again = cloud_chain.state(controller)["phase"]
    controller.systemctl("stop", HOLD)
    cloud_chain.await_released(controller)

    assert refused.returncode != 0 and alerts == []
    assert held == (True, "active")
    assert again == "failed"
    controller.systemctl("reset-failed")
    cloud_chain.assert_nothing_left(controller)


@pytest.mark.xdist_group("cloud-chain-trixie")
def test_chain_ends_and_is_taken_up_on_trixie_too(deb: Path) -> None:
    with cloud_chain.boot(deb, "trixie") as machine:
        cloud_chain.prepare(machine)
        cloud_chain.prove_whole(machine)
        for prove in (cloud_chain.prove_failure, cloud_chain.prove_stop, cloud_chain.prove_reboot, cloud_chain.prove_power_cut):
            prove(machine, "scan")
