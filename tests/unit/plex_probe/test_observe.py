"""What the probe sees of Plex and of what runs it."""

from datetime import timedelta

import pytest

from plexguard.core.found import FoundContainer, FoundPlex, Server
from plexguard.core.manager import Unit
from plexguard.core.plex import (
    PlexBroken,
    PlexError,
    PlexFailing,
    PlexMaintenance,
    PlexRefused,
    PlexTimeout,
    PlexUnauthorized,
    PlexUnreachable,
)
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.observe import RESTART_UNIT, Answer, ServerState, observe, observe_server, take_look
from tests.fakes.ports import IDENTITY, FakeClock, FakeManager, FakePlex

CONFIG = Config()
UNIT = FoundPlex(server=Server.UNIT, name="plexmediaserver.service")
CONTAINER = FoundPlex(server=Server.CONTAINER, name="plex")
FAULTS = {
    PlexMaintenance: Answer.MAINTENANCE,
    PlexUnauthorized: Answer.UNAUTHORIZED,
    PlexRefused: Answer.REFUSED,
    PlexTimeout: Answer.SILENT,
    PlexFailing: Answer.FAILING,
    PlexBroken: Answer.BROKEN,
    PlexUnreachable: Answer.UNREACHABLE,
}


def running(name: str = "plexmediaserver.service", started_s: float = 100.0) -> Unit:
    return Unit(name=name, load_state="loaded", active_state="active", sub_state="running", started_s=started_s)


# -- one look ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "answer"), FAULTS.items(), ids=lambda value: getattr(value, "__name__", value))
def test_take_look_names_each_fault_of_identity(fault: type[PlexError], answer: Answer) -> None:
    clock = FakeClock()
    plex = FakePlex(clock)
    plex.identities = [fault("why")]

    look = take_look(plex, clock, timeout_s=5.0, has_token=True)

    assert (look.answer, look.detail, look.identity_s) == (answer, "why", None)
    assert plex.asked == ["identity"]


@pytest.mark.parametrize(
    ("fault", "answer"),
    (FAULTS | {PlexTimeout: Answer.DATABASE_SILENT}).items(),
    ids=lambda value: getattr(value, "__name__", value),
)
def test_take_look_names_each_fault_one_level_deeper(fault: type[PlexError], answer: Answer) -> None:
    clock = FakeClock()
    plex = FakePlex(clock)
    plex.library_lists = [fault("why")]

    look = take_look(plex, clock, timeout_s=5.0, has_token=True)

    assert (look.answer, look.detail, look.version) == (answer, "why", IDENTITY.version)
    assert look.identity_s == pytest.approx(0.002)


def test_take_look_without_a_token_is_limited_and_no_wrong_token() -> None:
    clock = FakeClock()
    plex = FakePlex(clock)
    plex.library_lists = [PlexUnauthorized("401")]

    assert take_look(plex, clock, timeout_s=5.0, has_token=False).answer is Answer.LIMITED


def test_take_look_that_is_well_tells_how_long_each_question_took() -> None:
    clock = FakeClock()

    look = take_look(FakePlex(clock, took_s=0.25), clock, timeout_s=5.0, has_token=True)

    assert look.answer is Answer.WELL
    assert (look.identity_s, look.libraries_s) == (pytest.approx(0.25), pytest.approx(0.25))


def test_take_look_gives_both_questions_one_timeout_together() -> None:
    clock = FakeClock()
    plex = FakePlex(clock, took_s=4.0)
    plex.library_lists = [PlexTimeout("slow")]
    began_s = clock.monotonic_s()

    take_look(plex, clock, timeout_s=5.0, has_token=True)

    assert clock.monotonic_s() - began_s == pytest.approx(5.0)


# -- a check ----------------------------------------------------------------------------------------------------------


def look_at(plex: FakePlex, clock: FakeClock, manager: FakeManager | None = None, found: FoundPlex = UNIT, config: Config = CONFIG):
    return observe(
        plex, found, manager=manager or FakeManager(running()), container=None, clock=clock, config=config, has_token=True
    )


def test_observe_is_content_with_one_look_that_is_well() -> None:
    clock = FakeClock()

    seen = look_at(FakePlex(clock), clock)

    assert len(seen.looks) == 1
    assert clock.slept == []


@pytest.mark.parametrize("fault", [PlexMaintenance, PlexUnauthorized], ids=lambda kind: kind.__name__)
def test_observe_is_content_with_one_look_in_which_plex_has_spoken(fault: type[PlexError]) -> None:
    clock = FakeClock()
    plex = FakePlex(clock)
    plex.identities = [fault("why")]

    assert len(look_at(plex, clock).looks) == 1


@pytest.mark.parametrize(
    "fault", [PlexRefused, PlexTimeout, PlexFailing, PlexBroken, PlexUnreachable], ids=lambda kind: kind.__name__
)
def test_observe_looks_again_three_times_in_all_before_it_is_certain(fault: type[PlexError]) -> None:
    clock = FakeClock()
    plex = FakePlex(clock)
    plex.identities = [fault("why")]

    seen = look_at(plex, clock)

    assert len(seen.looks) == 3
    assert clock.slept == [1.5, 1.5]
    assert "RUNNING" in seen.server.name


def test_observe_believes_a_plex_that_answers_the_second_look() -> None:
    clock = FakeClock()
    plex = FakePlex(clock)
    plex.identities = [PlexTimeout("slow"), IDENTITY]

    seen = look_at(plex, clock)

    assert [look.answer for look in seen.looks] == [Answer.SILENT, Answer.WELL]


def test_a_fault_is_certain_within_twenty_seconds_of_the_first_failed_look() -> None:
    clock = FakeClock()
    plex = FakePlex(clock)
    plex.identities = [PlexTimeout("hung")]
    began_s = clock.monotonic_s()

    look_at(plex, clock)

    assert clock.monotonic_s() - began_s <= 20.0


def test_observe_sees_a_restart_of_ours_that_is_at_work() -> None:
    clock = FakeClock()
    plex = FakePlex(clock)
    plex.identities = [PlexRefused("gone")]
    manager = FakeManager(running(), Unit(name=RESTART_UNIT, load_state="loaded", active_state="activating", sub_state="start"))

    seen = look_at(plex, clock, manager)

    assert seen.server is ServerState.RESTARTING
    assert RESTART_UNIT in seen.server_detail


@pytest.mark.parametrize(("code", "put_off"), [(0, False), (1, False), (75, True)])
def test_observe_sees_whether_the_last_restart_was_put_off(code: int, put_off: bool) -> None:
    clock = FakeClock()
    plex = FakePlex(clock)
    plex.identities = [PlexRefused("gone")]
    manager = FakeManager(running(), Unit(name=RESTART_UNIT, load_state="loaded", exit_code=code))

    assert look_at(plex, clock, manager).ask_was_put_off is put_off


def test_observe_looks_as_often_and_as_long_as_configured() -> None:
    clock = FakeClock()
    plex = FakePlex(clock)
    plex.identities = [PlexTimeout("hung")]
    config = Config(looks=5, timeout=timedelta(seconds=2), pause=timedelta(seconds=1))
    began_s = clock.monotonic_s()

    assert len(look_at(plex, clock, config=config).looks) == 5
    assert clock.monotonic_s() - began_s == pytest.approx(5 * 2 + 4 * 1)


# -- what runs it -----------------------------------------------------------------------------------------------------


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

    server, detail = observe_server(UNIT, manager=FakeManager(unit), container=None, clock=FakeClock(), config=CONFIG)

    assert server is state
    assert active in detail


@pytest.mark.parametrize(("age_s", "state"), [(0.0, "STARTING"), (59.9, "STARTING"), (60.0, "RUNNING"), (9999.0, "RUNNING")])
def test_a_unit_that_was_started_just_now_may_be_silent(age_s: float, state: str) -> None:
    clock = FakeClock()
    manager = FakeManager(running(started_s=clock.monotonic_s() - age_s))

    server, _ = observe_server(UNIT, manager=manager, container=None, clock=clock, config=CONFIG)

    assert server.name == state


def test_a_unit_that_was_never_there_is_not_an_outage() -> None:
    assert observe_server(UNIT, manager=FakeManager(), container=None, clock=FakeClock(), config=CONFIG)[0] is ServerState.STOPPED


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

    server, detail = observe_server(CONTAINER, manager=FakeManager(), container=container, clock=clock, config=CONFIG)

    assert server is state
    assert status in detail


@pytest.mark.parametrize(("age_s", "state"), [(1, "STARTING"), (59, "STARTING"), (61, "RUNNING")])
def test_a_container_that_was_started_just_now_may_be_silent(age_s: int, state: str) -> None:
    clock = FakeClock()
    container = FoundContainer(name="plex", status="running", seen_s=clock.uptime_s, started_s=clock.uptime_s - age_s)

    assert observe_server(CONTAINER, manager=FakeManager(), container=container, clock=clock, config=CONFIG)[0].name == state


@pytest.mark.parametrize("age_s", [91.0, 5000.0])
def test_what_an_old_file_says_of_a_container_is_not_believed(age_s: float) -> None:
    clock = FakeClock()
    container = FoundContainer(name="plex", status="exited", seen_s=clock.uptime_s - age_s)

    server, detail = observe_server(CONTAINER, manager=FakeManager(), container=container, clock=clock, config=CONFIG)

    assert server is ServerState.UNKNOWN
    assert "plexguard-container-watch" in detail


def test_a_container_of_which_nothing_is_known_is_unknown() -> None:
    server, detail = observe_server(CONTAINER, manager=FakeManager(), container=None, clock=FakeClock(), config=CONFIG)

    assert server is ServerState.UNKNOWN
    assert "plexguard-container-watch" in detail


@pytest.mark.parametrize(("server", "state"), [(Server.REMOTE, ServerState.REMOTE), (Server.NONE, ServerState.UNKNOWN)])
def test_what_is_not_on_this_machine_has_no_state_here(server: Server, state: ServerState) -> None:
    found = FoundPlex(server=server, name="x")

    assert observe_server(found, manager=FakeManager(), container=None, clock=FakeClock(), config=CONFIG)[0] is state


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

    server, _ = observe_server(UNIT, manager=FakeManager(unit), container=None, clock=FakeClock(), config=CONFIG)

    assert server is ServerState.STOPPED
