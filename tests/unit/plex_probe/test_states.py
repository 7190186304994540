"""The tables: what a check finds, what excuses it, and which state follows which."""

import dataclasses
import itertools
from collections.abc import Iterator

import pytest

from plexguard.plex_probe.config import Config
from plexguard.plex_probe.look import Answer, Level
from plexguard.plex_probe.observe import Observation
from plexguard.plex_probe.server import ServerState
from plexguard.plex_probe.states import EXCUSES, OUTAGES, SERVING, TRANSITIONS, Before, Verdict, advance, judge
from tests.unit.plex_probe.samples import see

CONFIG = Config()
SPOKEN = {
    Answer.WELL: Verdict.HEALTHY,
    Answer.LIMITED: Verdict.HEALTHY,
    Answer.MAINTENANCE: Verdict.MAINTENANCE,
    Answer.UNAUTHORIZED: Verdict.MISCONFIGURED,
    Answer.MEDIA_FAILED: Verdict.DEGRADED,
}
PLAIN = {
    Answer.REFUSED: Verdict.DOWN,
    Answer.SILENT: Verdict.HUNG,
    Answer.DATABASE_SILENT: Verdict.DATABASE_BLOCKED,
    Answer.FAILING: Verdict.ERRORING,
    Answer.BROKEN: Verdict.ERRORING,
    Answer.UNREACHABLE: Verdict.MISCONFIGURED,
}
STOPPED = dict.fromkeys(PLAIN, Verdict.STOPPED)
GONE = dict.fromkeys(PLAIN, Verdict.DOWN)
EMPTY = dict.fromkeys(PLAIN, Verdict.UNKNOWN)
UNKNOWN = PLAIN | {Answer.REFUSED: Verdict.UNKNOWN, Answer.SILENT: Verdict.UNKNOWN}
TABLE = {
    ServerState.RUNNING: PLAIN,
    ServerState.DOWN: GONE,
    ServerState.LEFT_STOPPED: GONE,
    ServerState.EMPTY: EMPTY,
    ServerState.REMOTE: PLAIN,
    ServerState.STOPPED: STOPPED,
    ServerState.UNKNOWN: UNKNOWN,
    ServerState.STARTING: PLAIN,
    ServerState.RESTARTING: PLAIN,
}


def rows() -> Iterator[object]:
    for server, verdicts in TABLE.items():
        for answer, verdict in (SPOKEN | verdicts).items():
            yield pytest.param(answer, server, verdict, id=f"{answer.name} {server.name}")


@pytest.mark.parametrize(("answer", "server", "verdict"), rows())
def test_judge_by_answer_and_server(answer: Answer, server: ServerState, verdict: Verdict) -> None:
    assert judge(see(answer, server=server), None, Before(), CONFIG) is verdict


def test_the_table_is_whole() -> None:
    assert set(SPOKEN | PLAIN) == set(Answer)
    assert set(TABLE) == set(ServerState)


@pytest.mark.parametrize("excuse", [Verdict.STARTING, Verdict.UPDATING])
@pytest.mark.parametrize("answer", PLAIN, ids=lambda answer: answer.name)
def test_an_excuse_covers_all_silence(answer: Answer, excuse: Verdict) -> None:
    assert judge(see(answer), excuse, Before(), CONFIG) is excuse


@pytest.mark.parametrize(("answer", "verdict"), SPOKEN.items(), ids=lambda value: value.name)
def test_where_plex_has_spoken_there_is_nothing_to_excuse(answer: Answer, verdict: Verdict) -> None:
    assert judge(see(answer), Verdict.UPDATING, Before(), CONFIG) is verdict


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        pytest.param((Answer.SILENT, Answer.SILENT, Answer.SILENT), Verdict.HUNG, id="every look hung"),
        pytest.param((Answer.REFUSED, Answer.REFUSED, Answer.SILENT), Verdict.HUNG, id="refused, then hung"),
        pytest.param((Answer.SILENT, Answer.REFUSED, Answer.REFUSED), Verdict.DOWN, id="hung, then gone"),
        pytest.param((Answer.FAILING, Answer.FAILING, Answer.SILENT), Verdict.ERRORING, id="errors, and one slow look"),
        pytest.param(
            (Answer.DATABASE_SILENT, Answer.DATABASE_SILENT, Answer.SILENT), Verdict.DATABASE_BLOCKED, id="a busy database"
        ),
        pytest.param((Answer.SILENT, Answer.DATABASE_SILENT, Answer.SILENT), Verdict.DATABASE_BLOCKED, id="alive in the middle"),
        pytest.param((Answer.UNREACHABLE, Answer.UNREACHABLE, Answer.REFUSED), Verdict.MISCONFIGURED, id="no route, then refused"),
    ],
)
def test_an_outage_is_certain_only_when_every_look_met_it(answers: tuple[Answer, ...], verdict: Verdict) -> None:
    assert judge(see(*answers), None, Before(), CONFIG) is verdict


def test_a_server_that_ended_by_itself_in_the_middle_of_a_look_is_certainly_gone() -> None:
    assert (
        judge(see(Answer.BROKEN, Answer.REFUSED, Answer.REFUSED, server=ServerState.DOWN), None, Before(), CONFIG) is Verdict.DOWN
    )


def test_only_silence_and_refusal_are_outages() -> None:
    assert frozenset({Verdict.DOWN, Verdict.HUNG}) == OUTAGES


# -- refusals that are no outage --------------------------------------------------------------------------------------


def test_what_answers_at_this_machine_is_not_down_though_its_address_is() -> None:
    seen = dataclasses.replace(see(Answer.REFUSED), elsewhere="http://127.0.0.1:32400")

    assert judge(seen, None, Before(), CONFIG) is Verdict.MISCONFIGURED


@pytest.mark.parametrize(("connections", "verdict"), [(999, Verdict.ERRORING), (1000, Verdict.HUNG), (4000, Verdict.HUNG)])
def test_errors_for_thousands_are_a_deadlock(connections: int, verdict: Verdict) -> None:
    assert judge(dataclasses.replace(see(Answer.FAILING), connections=connections), None, Before(), CONFIG) is verdict


def test_errors_beyond_identity_are_no_deadlock() -> None:
    seen = dataclasses.replace(see(Answer.FAILING), connections=4000)
    deeper = tuple(dataclasses.replace(look, level=Level.DATABASE) for look in seen.looks)

    assert judge(dataclasses.replace(seen, looks=deeper), None, Before(), CONFIG) is Verdict.ERRORING


def test_a_unit_that_an_update_stopped_is_updating_without_an_excuse() -> None:
    assert judge(see(Answer.REFUSED, server=ServerState.STOPPED, update="apt"), None, Before(), CONFIG) is Verdict.UPDATING
    assert judge(see(Answer.REFUSED, server=ServerState.RUNNING, update="apt"), None, Before(), CONFIG) is Verdict.DOWN


@pytest.mark.parametrize(("took_s", "verdict"), [(1.99, Verdict.HEALTHY), (2.0, Verdict.DEGRADED)])
@pytest.mark.parametrize("level", ["tcp", "identity", "token", "database"])
def test_a_slow_level_degrades(took_s: float, verdict: Verdict, level: str) -> None:
    assert judge(see(Answer.WELL, latencies={"tcp": 0.0, level: took_s}), None, Before(), CONFIG) is verdict


def test_a_disk_that_wakes_up_for_a_media_file_is_not_slow() -> None:
    assert judge(see(Answer.WELL, latencies={"media": 4.0}), None, Before(), CONFIG) is Verdict.HEALTHY


# -- from state to state ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "found"), itertools.product(Verdict, Verdict), ids=lambda verdict: verdict.name)
def test_every_state_leads_to_what_is_found_and_only_slowness_takes_its_time(before: Verdict, found: Verdict) -> None:
    after = [advance(before, found, in_row) for in_row in (1, 2, 3, 4)]

    if {before, found} == SERVING:
        assert after == [before, before, found, found]
    elif found is Verdict.DEGRADED and before is not Verdict.DEGRADED:
        assert after == [Verdict.HEALTHY] * 4
    else:
        assert after == [found] * 4


def test_no_row_of_the_table_is_in_vain() -> None:
    def first(before: Verdict, found: Verdict) -> int:
        return next(n for n, row in enumerate(TRANSITIONS) if before in row.before and found in row.found)

    assert {first(*pair) for pair in itertools.product(Verdict, Verdict)} == set(range(len(TRANSITIONS)))


def test_an_outage_is_never_waited_for_and_never_excused_by_slowness() -> None:
    assert all(advance(before, found, 1) is found for before in Verdict for found in OUTAGES)


def test_each_excuse_has_an_end_and_holds_for_what_it_says() -> None:
    def holds(seen: Observation, before: Before | None = None) -> list[str]:
        return [excuse.name for excuse in EXCUSES if excuse.holds(seen, before or Before())]

    silent = see(Answer.SILENT)
    writing = dataclasses.replace(silent, database_moves=True)
    assert holds(silent) == []
    assert holds(see(Answer.SILENT, update="apt")) == ["update"]
    assert holds(see(Answer.SILENT, server=ServerState.STARTING)) == ["transition"]
    assert holds(see(Answer.SILENT, server=ServerState.RESTARTING)) == ["transition"]
    assert holds(silent, Before(verdict=Verdict.STARTING, moves=True)) == ["start"]
    assert holds(silent, Before(verdict=Verdict.STARTING, moves=None)) == ["start"]
    assert holds(silent, Before(verdict=Verdict.STARTING, moves=False)) == []
    assert holds(silent, Before(verdict=Verdict.HUNG, moves=True)) == []
    assert holds(silent, Before(verdict=Verdict.MAINTENANCE)) == ["maintenance"]
    assert holds(see(Answer.SILENT, server=ServerState.DOWN), Before(verdict=Verdict.MAINTENANCE)) == []
    assert holds(writing) == holds(silent, Before(is_busy=True)) == ["busy"]
    assert holds(dataclasses.replace(see(Answer.REFUSED), database_moves=True)) == []
    assert holds(dataclasses.replace(see(Answer.SILENT, server=ServerState.DOWN), database_moves=True)) == []
    limits = {excuse.name: excuse.limit(CONFIG).total_seconds() for excuse in EXCUSES}
    assert limits == {"update": 900, "transition": 180, "start": 900, "maintenance": 1200, "busy": 600}


@pytest.mark.parametrize("answer", [Answer.SILENT, Answer.REFUSED])
def test_a_plex_that_runs_where_nothing_has_ever_answered_is_asked_in_the_wrong_place(answer: Answer) -> None:
    never = Before(has_answered=False)

    assert judge(see(answer), None, never, CONFIG) is Verdict.MISCONFIGURED
    # what certainly does not run is down, wherever it would have answered
    assert judge(see(answer, server=ServerState.DOWN), None, never, CONFIG) is Verdict.DOWN
