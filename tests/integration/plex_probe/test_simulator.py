"""The probe against the simulated Plex: each way in which Plex can be unwell has its verdict, and none a traceback."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from plexguard.core.clock import SystemClock
from plexguard.core.events import Tell
from plexguard.core.found import FoundPlex, Server
from plexguard.core.manager import Unit
from plexguard.core.plex import PlexBroken
from plexguard.core.plex_http import HttpPlex
from plexguard.core.secret import Secret
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.decide import Plan, State, decide
from plexguard.plex_probe.ladder import AskRestart
from plexguard.plex_probe.look import Answer, take_look
from plexguard.plex_probe.observe import observe
from plexguard.plex_probe.restart.act import await_answer
from plexguard.plex_probe.server import ServerState
from plexguard.plex_probe.states import Verdict
from tests.fakes.plex import PlexSimulator
from tests.fakes.ports import FakeManager

CONFIG = Config(timeout=timedelta(seconds=1), pause=timedelta(milliseconds=100))
FOUND = FoundPlex(server=Server.UNIT, name="plexmediaserver.service")
RUNNING = Unit(name=FOUND.name, load_state="loaded", active_state="active", sub_state="running")
FAILED = Unit(name=FOUND.name, load_state="loaded", active_state="failed", sub_state="failed", result="exit-code")
STOPPED = Unit(name=FOUND.name, load_state="loaded")


@pytest.fixture(scope="module")
def plex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlexSimulator]:
    with PlexSimulator(tmp_path_factory.mktemp("plex") / "Plex Media Server") as simulator:
        simulator.add_library("Films", "movie", "/srv/media/Films")
        yield simulator


@pytest.fixture(autouse=True)
def _well(plex: PlexSimulator) -> Iterator[None]:
    yield
    plex.set(mode="healthy")


def check(url: str, token: str | None, *, unit: Unit = RUNNING) -> Plan:
    clock = SystemClock()
    began = clock.moment()
    seen = observe(
        HttpPlex(url, Secret(token) if token else None),
        FOUND,
        manager=FakeManager(unit),
        container=None,
        clock=clock,
        config=CONFIG,
        has_token=bool(token),
        paused_limit=timedelta(hours=2),
    )
    plan = decide(seen, CONFIG, State(answered=FOUND.url), began, clock.moment())
    for step in plan.steps:
        if isinstance(step, Tell):
            step.event.render(step.values)
    return plan


@pytest.mark.parametrize(
    ("mode", "verdict"),
    [
        ("healthy", Verdict.HEALTHY),
        ("hung", Verdict.HUNG),
        ("drip", Verdict.HUNG),
        ("refusing", Verdict.DOWN),
        ("maintenance", Verdict.MAINTENANCE),
        ("deadlock", Verdict.ERRORING),
        ("error", Verdict.ERRORING),
        ("html", Verdict.ERRORING),
        ("half", Verdict.ERRORING),
        ("redirect", Verdict.ERRORING),
        ("huge", Verdict.ERRORING),
        ("garbage", Verdict.ERRORING),
        ("database-blocked", Verdict.DATABASE_BLOCKED),
    ],
)
def test_each_way_of_being_unwell_has_its_verdict(plex: PlexSimulator, mode: str, verdict: Verdict) -> None:
    plex.set(mode=mode)

    plan = check(plex.url, plex.token)

    assert plan.state.verdict is verdict
    assert (AskRestart() in plan.steps) == (verdict in (Verdict.HUNG, Verdict.DOWN))


def test_a_slow_plex_is_healthy(plex: PlexSimulator) -> None:
    plex.set(mode="slow", delay_s=0.3)

    plan = check(plex.url, plex.token)

    assert plan.state.verdict is Verdict.HEALTHY
    assert plan.state.latencies["identity"] >= 0.3


def test_a_media_file_that_plex_does_not_open_is_seen(tmp_path: Path) -> None:
    films = tmp_path / "Films"
    film = films / "Film (2001)/Film.mkv"
    film.parent.mkdir(parents=True)
    film.write_text("film")
    with PlexSimulator(tmp_path / "Plex Media Server") as plex:
        plex.scan(plex.add_library("Films", "movie", films))
        plex.wait_for_scans()
        reader = HttpPlex(plex.url, Secret(plex.token))
        (library,) = reader.libraries(timeout_s=5.0)

        assert reader.read_media(library, timeout_s=5.0)
        film.unlink()
        with pytest.raises(PlexBroken, match="404"):
            reader.read_media(library, timeout_s=5.0)


def test_a_library_without_files_has_none_to_read(plex: PlexSimulator) -> None:
    reader = HttpPlex(plex.url, Secret(plex.token))

    assert [reader.read_media(library, timeout_s=5.0) for library in reader.libraries(timeout_s=5.0)] == [False]


def test_a_pause_that_ends_before_the_last_look_is_no_fault(plex: PlexSimulator) -> None:
    plex.set(mode="pause", duration_s=1.6)

    plan = check(plex.url, plex.token)

    assert plan.state.verdict is Verdict.HEALTHY
    assert plan.steps == ()


def test_a_healthy_plex_is_asked_three_questions_and_no_more(plex: PlexSimulator) -> None:
    asked = len(plex.requests)

    check(plex.url, plex.token)

    assert [request.path for request in plex.requests[asked:]] == ["/identity", "/status/sessions", "/library/sections"]


def test_a_wrong_token_is_a_matter_of_configuration(plex: PlexSimulator) -> None:
    plan = check(plex.url, "wrong-token-0123456789")

    assert plan.state.verdict is Verdict.MISCONFIGURED
    assert AskRestart() not in plan.steps


def test_without_a_token_plex_is_well_and_the_limit_is_told(plex: PlexSimulator) -> None:
    plan = check(plex.url, None)

    assert plan.state.verdict is Verdict.HEALTHY
    assert [step.event.name for step in plan.steps if isinstance(step, Tell)] == ["plex.limited"]


@pytest.mark.parametrize("url", ["http://no-such-host.invalid:32400", "http://[::ffff:0.0.0.1]:32400"], ids=["no name", "no route"])
def test_an_address_that_leads_nowhere_is_a_matter_of_configuration(url: str) -> None:
    assert check(url, "token").state.verdict is Verdict.MISCONFIGURED


def test_a_refusal_of_a_unit_that_was_stopped_is_no_outage(plex: PlexSimulator) -> None:
    plex.set(mode="refusing")

    plan = check(plex.url, plex.token, unit=STOPPED)

    assert plan.state.verdict is Verdict.STOPPED
    assert AskRestart() not in plan.steps


def test_a_refusal_of_a_unit_that_failed_is_one(plex: PlexSimulator) -> None:
    plex.set(mode="refusing")

    plan = check(plex.url, plex.token, unit=FAILED)

    assert plan.state.verdict is Verdict.DOWN
    assert AskRestart() in plan.steps


def test_the_root_side_sees_the_same_without_a_token(plex: PlexSimulator) -> None:
    clock = SystemClock()
    answers = {}
    for mode in ("healthy", "hung", "refusing", "maintenance", "error"):
        plex.set(mode=mode)
        answers[mode] = take_look(HttpPlex(plex.url, None), clock, timeout_s=0.5, has_token=False).answer

    assert answers == {
        "healthy": Answer.LIMITED,
        "hung": Answer.SILENT,
        "refusing": Answer.REFUSED,
        "maintenance": Answer.MAINTENANCE,
        "error": Answer.FAILING,
    }


def test_a_plex_that_crashes_is_refused_and_answers_again_after_its_restart(tmp_path: Path) -> None:
    with PlexSimulator(tmp_path / "Plex Media Server") as plex:
        plex.set(mode="crash")
        assert check(plex.url, plex.token, unit=FAILED).state.verdict is Verdict.DOWN

        plex.restart()

        assert await_answer(HttpPlex(plex.url, None), SystemClock(), timeout_s=10.0) == ""
        assert check(plex.url, plex.token).state.verdict is Verdict.HEALTHY


def test_what_plex_does_at_start_is_maintenance(tmp_path: Path) -> None:
    with PlexSimulator(tmp_path / "Plex Media Server") as plex:
        plex.set(startup_maintenance_s=60.0)
        plex.restart()

        assert check(plex.url, plex.token).state.verdict is Verdict.MAINTENANCE
        assert await_answer(HttpPlex(plex.url, None), SystemClock(), timeout_s=10.0) == ", in maintenance"


def test_the_processes_of_this_machine_are_named_in_a_fault(plex: PlexSimulator) -> None:
    plex.set(mode="refusing")
    clock = SystemClock()

    seen = observe(
        HttpPlex(plex.url, None),
        FOUND,
        manager=FakeManager(RUNNING),
        container=None,
        clock=clock,
        config=CONFIG,
        has_token=False,
        paused_limit=timedelta(hours=2),
    )

    assert seen.server.state is ServerState.RUNNING
    assert seen.processes
