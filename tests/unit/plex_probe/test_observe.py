"""What the probe sees in a check."""

from datetime import timedelta

import pytest

from plexguard.core.found import FoundPlex, Server
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
    Session,
)
from plexguard.core.viewers import Paused
from plexguard.plex_probe import observe as observe_module
from plexguard.plex_probe import server as server_module
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.look import Answer
from plexguard.plex_probe.observe import RESTART_UNIT, observe
from plexguard.plex_probe.progress import Marks
from plexguard.plex_probe.server import ServerState
from tests.fakes.ports import IDENTITY, FakeClock, FakeManager, FakePlex

CONFIG = Config()
UNIT = FoundPlex(server=Server.UNIT, name="plexmediaserver.service")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No update, whatever the machine that tests is doing."""
    monkeypatch.setattr(server_module, "find_update", lambda container: "")


def running(name: str = "plexmediaserver.service", started_s: float = 100.0) -> Unit:
    return Unit(name=name, load_state="loaded", active_state="active", sub_state="running", started_s=started_s)


# -- a check ----------------------------------------------------------------------------------------------------------


def look_at(
    plex: FakePlex, clock: FakeClock, manager: FakeManager | None = None, found: FoundPlex = UNIT, config: Config = CONFIG, **given
):
    return observe(
        plex,
        found,
        manager=manager or FakeManager(running()),
        container=None,
        clock=clock,
        config=config,
        has_token=True,
        paused_limit=timedelta(hours=2),
        describe=lambda: "a Plex",
        **given,
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
    assert "RUNNING" in seen.server.state.name


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

    assert seen.server.state is ServerState.RESTARTING
    assert RESTART_UNIT in seen.server.detail


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


@pytest.mark.parametrize("url", ["http://plex.example:32400", "https://127.0.0.1:443"])
def test_a_plex_that_answers_on_this_machine_is_seen_though_its_address_does_not(url: str) -> None:
    clock = FakeClock()
    plex, local = FakePlex(clock), FakePlex(clock)
    plex.identities = [PlexRefused("refused")]
    found = FoundPlex(server=Server.UNIT, name=UNIT.name, url=url)

    assert look_at(plex, clock, found=found, open_local=lambda: local).elsewhere == "http://127.0.0.1:32400"
    local.identities = [PlexRefused("refused")]
    assert look_at(plex, clock, found=found, open_local=lambda: local).elsewhere == ""


def test_a_plex_on_another_machine_is_not_looked_for_on_this_one() -> None:
    clock = FakeClock()
    plex = FakePlex(clock)
    plex.identities = [PlexRefused("refused")]
    found = FoundPlex(server=Server.REMOTE, name="x", url="http://plex.example:32400")

    assert look_at(plex, clock, found=found, open_local=lambda: FakePlex(clock)).elsewhere == ""


def test_viewers_are_counted_and_paused_players_remembered() -> None:
    clock = FakeClock()
    plex = FakePlex(clock)
    plex.session_lists = [
        tuple(Session(kind="movie", title="A", user="u", state=s, key="1", player=s) for s in ("playing", "paused"))
    ]

    seen = look_at(plex, clock)
    assert seen.viewers == 2
    assert list(seen.paused.since) == ["paused 1"]

    for _ in range(3):
        clock.pass_time(2400)
        seen = look_at(plex, clock, paused=seen.paused)
    assert seen.viewers == 1


def test_viewers_that_plex_does_not_tell_are_not_known_and_what_was_paused_stays_remembered() -> None:
    clock = FakeClock()
    plex = FakePlex(clock)
    plex.session_lists = [PlexTimeout("slow")]
    paused = Paused(since={"tv": clock.moment()})

    seen = look_at(plex, clock, paused=paused)

    assert (seen.viewers, seen.paused) == (None, paused)


def test_progress_is_marked_while_plex_does_not_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    plex = FakePlex(clock)
    monkeypatch.setattr(observe_module, "mark_progress", lambda preferences: Marks(log="log", database=preferences))
    found = FoundPlex(server=Server.UNIT, name=UNIT.name, preferences="/srv/Preferences.xml")
    assert look_at(plex, clock, found=found).marks == Marks()

    plex.identities = [PlexMaintenance("migrating")]
    assert look_at(plex, clock, found=found).marks == Marks(log="log", database="/srv/Preferences.xml")


def test_the_whole_is_seen_of_a_healthy_plex_when_a_person_asks() -> None:
    clock = FakeClock()

    seen = look_at(FakePlex(clock), clock, whole=True)

    assert seen.last.answer is Answer.WELL
    assert "is active" in seen.server.detail
    assert seen.processes == "a Plex"


@pytest.mark.parametrize(
    ("before", "after", "moves"), [("1", "1", False), ("1", "2", True), ("", "2", None), ("1", "", None), ("", "", None)]
)
def test_a_database_that_is_written_to_during_the_looks_is_seen(
    monkeypatch: pytest.MonkeyPatch, before: str, after: str, moves: bool | None
) -> None:
    clock = FakeClock()
    plex = FakePlex(clock)
    plex.identities = [PlexTimeout("silent")]
    marks = [Marks(database=before), Marks(database=after)]
    monkeypatch.setattr(observe_module, "mark_progress", lambda preferences: marks.pop(0))

    assert look_at(plex, clock).database_moves is moves


def test_a_healthy_plex_is_not_looked_at_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    marked: list[str] = []
    monkeypatch.setattr(observe_module, "mark_progress", lambda preferences: marked.append(preferences) or Marks())

    look_at(FakePlex(clock), clock)

    assert marked == []
