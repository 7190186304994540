"""What the probe makes of an update of Plex's package: nothing, unless Plex is left stopped by it."""

from collections.abc import Iterator

import pytest

from tests.machine import Machine
from tests.system.conftest import assert_clean_journal, await_event, explain
from tests.system.fake_package import LEAVES, build_package, install_package
from tests.system.native_plex import UNIT, ask_plex, set_plex
from tests.system.probing import OUTAGE_TIMEOUT_S, check_now, probe, read_state, restarts, spent, story

pytestmark = pytest.mark.machine

OLD, NEW = "1.43.4.10903-e5521bd8c", "1.44.0.11000-0123456789"


@pytest.fixture
def packaged(plex_machine: Machine) -> Iterator[Machine]:
    """A machine whose Plex came with a package, and is checked every 5 s."""
    install_package(plex_machine, build_package(plex_machine, OLD))
    yield probe(plex_machine)


def test_an_update_is_told_with_both_versions_and_is_no_outage(packaged: Machine) -> None:
    machine = packaged
    package = build_package(machine, NEW, work_s=20)
    since = machine.cursor()

    install_package(machine, package)
    updated = await_event(machine, "plex.updated", timeout_s=OUTAGE_TIMEOUT_S)

    assert (updated["PLEXGUARD_BEFORE"], updated["PLEXGUARD_AFTER"]) == (OLD, NEW)
    assert story(machine, since_cursor=since) == ["plex.updating", "plex.updated", "plex.recovered"]
    assert spent(machine) == 0
    assert "a restart would break the update off" in explain(machine, "plex.updating")
    assert_clean_journal(machine)


def test_a_plex_that_an_update_left_stopped_is_started_at_once(packaged: Machine) -> None:
    machine = packaged
    package = build_package(machine, NEW, work_s=10, end=LEAVES)
    since = machine.cursor()

    install_package(machine, package)
    assert machine.unit(UNIT)["ActiveState"] == "inactive"
    await_event(machine, "plex.recovered", timeout_s=OUTAGE_TIMEOUT_S)

    told = story(machine, since_cursor=since)
    assert told.count("plex.left-stopped") == 1
    assert {"plex.stopped", "plex.gave-up"}.isdisjoint(told)
    assert ask_plex(machine, "/identity") is not None
    assert spent(machine) == 0


def test_an_update_that_hangs_is_told_once_and_left_alone(plex_machine: Machine) -> None:
    machine = plex_machine
    install_package(machine, build_package(machine, OLD))
    probe(machine, 'update_limit = "1min"\n')
    dpkg = machine.spawn(["dpkg", "-i", build_package(machine, NEW, work_s=600)])

    long = await_event(machine, "plex.update-long", timeout_s=150)
    for _ in range(2):
        check_now(machine)

    assert long["PRIORITY"] == "3"
    assert "dpkg" in long["PLEXGUARD_SIGN"]
    told = story(machine)
    assert (told.count("plex.updating"), told.count("plex.update-long")) == (1, 1)
    assert (restarts(machine), spent(machine), "plex.stopped" in told) == (0, 0, False)
    dpkg.kill()


def test_a_plex_that_was_stopped_before_its_update_stays_stopped(packaged: Machine) -> None:
    machine = packaged
    machine.systemctl("stop", UNIT)
    await_event(machine, "plex.stopped", timeout_s=60)

    install_package(machine, build_package(machine, NEW, work_s=10))
    for _ in range(3):
        check_now(machine)

    assert read_state(machine)["verdict"] == "stopped"
    assert machine.unit(UNIT)["ActiveState"] == "inactive"
    assert {"plex.left-stopped", "plex.restart-asked", "plex.down"}.isdisjoint(story(machine))


def test_a_quick_update_between_two_checks_tells_no_more_than_the_version(packaged: Machine) -> None:
    machine = packaged
    machine.systemctl("stop", "plexguard-plex-probe.timer")
    since = machine.cursor()

    install_package(machine, build_package(machine, NEW))
    machine.wait_for(lambda: ask_plex(machine, "/identity") is not None, timeout_s=20, what="the new Plex answers")
    check_now(machine)

    assert story(machine, since_cursor=since) == ["plex.updated"]


def test_a_new_plex_that_migrates_its_database_is_left_alone(packaged: Machine) -> None:
    machine = packaged
    set_plex(machine, startup_maintenance_s="20")
    since = machine.cursor()

    install_package(machine, build_package(machine, NEW, work_s=10))
    await_event(machine, "plex.recovered", timeout_s=OUTAGE_TIMEOUT_S)

    assert story(machine, since_cursor=since) == ["plex.updating", "plex.maintenance", "plex.updated", "plex.recovered"]
