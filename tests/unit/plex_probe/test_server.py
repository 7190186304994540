"""What runs Plex, and in what state that is."""

import dataclasses

import pytest

from plexguard.core.found import FoundContainer, FoundPlex, Server
from plexguard.core.manager import Unit
from plexguard.plex_probe import server as module
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.server import ServerState, observe_server
from tests.fakes.ports import FakeClock, FakeManager

CONFIG = Config()
UNIT = FoundPlex(server=Server.UNIT, name="plexmediaserver.service")
CONTAINER = FoundPlex(server=Server.CONTAINER, name="plex")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No update, whatever the machine that tests is doing."""
    monkeypatch.setattr(module, "find_update", lambda container: "")
    monkeypatch.setattr(module, "was_stopped_by_update", lambda unit, clock: False)


def running(name: str = "plexmediaserver.service", started_s: float = 100.0) -> Unit:
    return Unit(name=name, load_state="loaded", active_state="active", sub_state="running", started_s=started_s)


@pytest.mark.parametrize(
    ("active", "sub", "result", "state"),
    [
        ("active", "running", "success", ServerState.RUNNING),
        ("reloading", "reload", "success", ServerState.RUNNING),
        ("failed", "failed", "exit-code", ServerState.DOWN),
        ("failed", "failed", "signal", ServerState.DOWN),
        ("failed", "failed", "oom-kill", ServerState.DOWN),
        ("failed", "failed", "start-limit-hit", ServerState.DOWN),
        ("failed", "failed", "watchdog", ServerState.DOWN),
        ("inactive", "dead", "success", ServerState.STOPPED),
        ("activating", "start-pre", "success", ServerState.STARTING),
        ("activating", "auto-restart", "exit-code", ServerState.STARTING),
        ("deactivating", "stop-sigterm", "success", ServerState.STARTING),
    ],
)
def test_the_state_of_a_unit(active: str, sub: str, result: str, state: ServerState) -> None:
    unit = Unit(name=UNIT.name, load_state="loaded", active_state=active, sub_state=sub, result=result, started_s=100.0)

    seen = observe_server(UNIT, manager=FakeManager(unit), container=None, clock=FakeClock(), config=CONFIG)

    assert seen.state is state
    assert active in seen.detail


@pytest.mark.parametrize(("age_s", "state"), [(0.0, "STARTING"), (59.9, "STARTING"), (60.0, "RUNNING"), (9999.0, "RUNNING")])
def test_a_unit_that_was_started_just_now_may_be_silent(age_s: float, state: str) -> None:
    clock = FakeClock()
    manager = FakeManager(running(started_s=clock.monotonic_s() - age_s))

    seen = observe_server(UNIT, manager=manager, container=None, clock=clock, config=CONFIG)

    assert seen.state.name == state


def test_a_unit_that_was_never_there_is_not_an_outage() -> None:
    assert (
        observe_server(UNIT, manager=FakeManager(), container=None, clock=FakeClock(), config=CONFIG).state is ServerState.STOPPED
    )


@pytest.mark.parametrize(
    ("status", "on_purpose", "state"),
    [
        ("running", False, ServerState.RUNNING),
        ("exited", False, ServerState.DOWN),
        ("exited", True, ServerState.STOPPED),
        ("dead", False, ServerState.DOWN),
        ("paused", False, ServerState.STOPPED),
        ("created", False, ServerState.STOPPED),
        ("absent", False, ServerState.STOPPED),
        ("restarting", False, ServerState.STARTING),
        ("removing", False, ServerState.STARTING),
    ],
)
def test_the_state_of_a_container(status: str, on_purpose: bool, state: ServerState) -> None:
    clock = FakeClock()
    container = FoundContainer(
        name="plex",
        status=status,
        stopped_on_purpose=on_purpose,
        exit_code=139,
        seen_s=clock.uptime_s,
        started_s=1.0,
    )

    seen = observe_server(CONTAINER, manager=FakeManager(), container=container, clock=clock, config=CONFIG)

    assert seen.state is state
    assert status in seen.detail


@pytest.mark.parametrize(("age_s", "state"), [(1, "STARTING"), (59, "STARTING"), (61, "RUNNING")])
def test_a_container_that_was_started_just_now_may_be_silent(age_s: int, state: str) -> None:
    clock = FakeClock()
    container = FoundContainer(name="plex", status="running", seen_s=clock.uptime_s, started_s=clock.uptime_s - age_s)

    assert observe_server(CONTAINER, manager=FakeManager(), container=container, clock=clock, config=CONFIG).state.name == state


@pytest.mark.parametrize("age_s", [91.0, 5000.0])
def test_what_an_old_file_says_of_a_container_is_not_believed(age_s: float) -> None:
    clock = FakeClock()
    container = FoundContainer(name="plex", status="exited", seen_s=clock.uptime_s - age_s)

    seen = observe_server(CONTAINER, manager=FakeManager(), container=container, clock=clock, config=CONFIG)

    assert seen.state is ServerState.UNKNOWN
    assert "plexguard-container-watch" in seen.detail


def test_a_container_of_which_nothing_is_known_is_unknown() -> None:
    seen = observe_server(CONTAINER, manager=FakeManager(), container=None, clock=FakeClock(), config=CONFIG)

    assert seen.state is ServerState.UNKNOWN
    assert "plexguard-container-watch" in seen.detail


@pytest.mark.parametrize(("server", "state"), [(Server.REMOTE, ServerState.REMOTE), (Server.NONE, ServerState.UNKNOWN)])
def test_what_is_not_on_this_machine_has_no_state_here(server: Server, state: ServerState) -> None:
    found = FoundPlex(server=server, name="x")

    assert observe_server(found, manager=FakeManager(), container=None, clock=FakeClock(), config=CONFIG).state is state


@pytest.mark.parametrize("result", ["timeout", "exit-code", "signal"])
def test_a_stop_that_was_asked_for_and_ended_badly_is_a_stop_all_the_same(result: str) -> None:
    unit = Unit(
        name=UNIT.name,
        load_state="loaded",
        active_state="failed",
        sub_state="failed",
        result=result,
        left_active_s=100.0,
        ended_s=103.0,
    )

    seen = observe_server(UNIT, manager=FakeManager(unit), container=None, clock=FakeClock(), config=CONFIG)

    assert seen.state is ServerState.STOPPED


INACTIVE = Unit(name=UNIT.name, load_state="loaded", left_active_s=100.0, ended_s=103.0)


@pytest.mark.parametrize(
    ("stopped_by_update", "update", "state"),
    [
        (True, "", ServerState.LEFT_STOPPED),
        (True, "apt-get (pid 7) holds a lock", ServerState.STOPPED),
        (False, "", ServerState.STOPPED),
        (False, "apt-get (pid 7) holds a lock", ServerState.STOPPED),
    ],
)
def test_a_unit_that_an_update_left_stopped_is_none_that_an_admin_stopped(
    monkeypatch: pytest.MonkeyPatch, stopped_by_update: bool, update: str, state: ServerState
) -> None:
    monkeypatch.setattr(module, "find_update", lambda container: update)
    monkeypatch.setattr(module, "was_stopped_by_update", lambda unit, clock: stopped_by_update)

    seen = observe_server(UNIT, manager=FakeManager(INACTIVE), container=None, clock=FakeClock(), config=CONFIG)

    assert (seen.state, seen.update) == (state, update)


def test_a_masked_unit_that_crashed_is_meant_to_be_away() -> None:
    """Whoever masks a unit that runs does not want it started again; nor could it be."""
    crashed = Unit(name=UNIT.name, load_state="masked", active_state="failed", sub_state="failed", result="signal", ended_s=100.0)

    seen = observe_server(UNIT, manager=FakeManager(crashed), container=None, clock=FakeClock(), config=CONFIG)

    assert seen.state is ServerState.STOPPED


def test_a_masked_unit_is_never_left_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "was_stopped_by_update", lambda unit, clock: True)
    masked = dataclasses.replace(INACTIVE, load_state="masked")

    seen = observe_server(UNIT, manager=FakeManager(masked), container=None, clock=FakeClock(), config=CONFIG)

    assert seen.state is ServerState.STOPPED
