"""The command is run once, or twice for what passes; attempts are on disk before it, and results are told after it."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from plexguard.core.errors import IoFailed
from plexguard.core.events import Tell
from plexguard.core.host import CommandMissing, CommandTimeout, Completed
from plexguard.core.published import SpeedDay
from plexguard.core.state import History, StateFile
from plexguard.speed_test import events
from plexguard.speed_test.act import carry_out, keep, make_test
from plexguard.speed_test.config import Config
from plexguard.speed_test.decide import Failed, Missing, Plan, State
from plexguard.speed_test.result import Record, Result
from tests.fakes.ports import FakeClock, FakeHost, FakeJournal
from tests.unit.speed_test.samples import SPEEDTEST_CLI, changed, record

CONFIG = Config()
WELL = Completed(code=0, stdout=json.dumps(SPEEDTEST_CLI), stderr="")
FORBIDDEN = Completed(code=1, stdout="", stderr="Cannot retrieve speedtest configuration\nERROR: HTTP Error 403: Forbidden\n")
# What speedtest-cli 2.1.3 prints when the list of servers is empty and none was asked for: a bug of its own on top.
NO_SERVERS = Completed(
    code=1,
    stdout="",
    stderr="speedtest.NoMatchedServers\n\nDuring handling of the above exception, another exception occurred:\n\n"
    "Traceback (most recent call last):\n  File x\n    '%s' % s for s in args.server\nTypeError: 'NoneType' object is not iterable\n",
)
BROKEN = Completed(code=1, stdout="", stderr="ERROR: <urlopen error timed out>\n")


def answering(*outcomes: Completed | Exception) -> Callable[[Sequence[str]], Completed]:
    """Return an answer for the command that is another one each time."""
    left = list(outcomes)

    def answer(_: Sequence[str]) -> Completed:
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return answer


def test_a_test_that_is_well_is_one_run_of_the_command_as_it_is_configured() -> None:
    host, clock = FakeHost({"speedtest-cli": WELL}), FakeClock()

    outcome = make_test(CONFIG, host, clock)

    assert isinstance(outcome, Result)
    assert host.ran == [["speedtest-cli", "--secure", "--json"]]
    assert clock.slept == []


@pytest.mark.parametrize(
    "first",
    [
        FORBIDDEN,
        NO_SERVERS,
        Completed(code=1, stdout="", stderr="ERROR: No matched servers: 1234"),
        Completed(code=1, stdout="403 Forbidden", stderr=""),
        Completed(code=0, stdout="", stderr="error: 403"),
    ],
    ids=["403", "no servers, with a traceback", "no servers", "on standard output", "with exit code 0"],
)
def test_what_passes_is_tried_once_more_after_five_seconds(first: Completed) -> None:
    host, clock = FakeHost({"speedtest-cli": answering(first, WELL)}), FakeClock()

    outcome = make_test(CONFIG, host, clock)

    assert isinstance(outcome, Result)
    assert (len(host.ran), clock.slept) == (2, [5.0])


def test_what_passes_and_comes_again_is_not_tried_a_third_time() -> None:
    host, clock = FakeHost({"speedtest-cli": answering(FORBIDDEN, FORBIDDEN, WELL)}), FakeClock()

    outcome = make_test(CONFIG, host, clock)

    assert isinstance(outcome, Failed)
    assert outcome.code == os.EX_UNAVAILABLE
    assert outcome.reason == (
        "speedtest-cli ended with exit code 1: Cannot retrieve speedtest configuration / ERROR: HTTP Error 403: Forbidden"
    )
    assert (len(host.ran), clock.slept) == (2, [5.0])


@pytest.mark.parametrize(
    ("only", "reason"),
    [
        (BROKEN, "ended with exit code 1: ERROR: <urlopen error timed out>"),
        (Completed(code=-9, stdout="", stderr=""), "ended with signal 9: no output"),
        (Completed(code=1, stdout="Unable to connect to servers to test latency.", stderr=""), "to test latency."),
        (CommandTimeout("speedtest-cli: no end within 180 s"), "did not end within 3min"),
        (Completed(code=1, stdout="", stderr="took 1403 ms, id 4030"), "1403"),
    ],
    ids=["timed out", "killed", "no latency", "no end", "other numbers"],
)
def test_any_other_failure_waits_for_the_next_hour(only: Completed | Exception, reason: str) -> None:
    host, clock = FakeHost({"speedtest-cli": answering(only, WELL)}), FakeClock()

    outcome = make_test(CONFIG, host, clock)

    assert isinstance(outcome, Failed)
    assert (outcome.code, len(host.ran), clock.slept) == (os.EX_UNAVAILABLE, 1, [])
    assert reason in outcome.reason


def test_an_output_that_is_no_result_has_a_code_of_its_own() -> None:
    # A number in a result is no refusal.
    host = FakeHost({"speedtest-cli": Completed(code=0, stdout=changed(SPEEDTEST_CLI, download=0, bytes_sent=403), stderr="")})

    outcome = make_test(CONFIG, host, FakeClock())

    assert isinstance(outcome, Failed)
    assert outcome.code == os.EX_PROTOCOL
    assert outcome.reason == "what speedtest-cli printed is no result: nothing was downloaded"
    assert len(host.ran) == 1


def test_a_reason_is_not_longer_than_a_line_of_the_journal_should_be() -> None:
    host = FakeHost({"speedtest-cli": Completed(code=1, stdout="", stderr="x" * 100_000)})

    outcome = make_test(CONFIG, host, FakeClock())

    assert isinstance(outcome, Failed)
    assert len(outcome.reason) < 400


def test_a_command_that_cannot_be_run_is_missing() -> None:
    host = FakeHost({"speedtest-cli": CommandMissing("Failed to run speedtest-cli: Permission denied")})

    assert make_test(CONFIG, host, FakeClock()) == Missing(reason="Failed to run speedtest-cli: Permission denied")


# -- on disk ----------------------------------------------------------------------------------------------------------

COUNTED = State(days={"2026-03-01": SpeedDay(attempts=1)})
PUT_OFF = Tell(events.PUT_OFF, {"reason": "somebody watches"})
RESULT = Tell(events.RESULT, {"download_mbit_s": 1.0, "upload_mbit_s": 1.0, "ping_ms": 1.0, "server": "x"})


def state_file(folder: Path) -> StateFile[State]:
    return StateFile(folder / "state.json", State, schema=1, journal=FakeJournal())


def history(folder: Path) -> History[Record]:
    return History(folder / "history.jsonl", Record, keep=1000)


def test_the_attempt_is_on_disk_after_the_plan_is_carried_out(tmp_path: Path) -> None:
    carry_out(Plan(state=COUNTED, attempt=1), state=state_file(tmp_path), journal=FakeJournal(), past=None)

    assert state_file(tmp_path).load() == COUNTED


def test_an_attempt_that_cannot_be_counted_stops_everything(tmp_path: Path) -> None:
    journal = FakeJournal()

    with pytest.raises(IoFailed):
        carry_out(Plan(state=COUNTED, steps=(PUT_OFF,), attempt=1), state=state_file(tmp_path / "away"), journal=journal, past=None)

    assert journal.names == []


def test_a_plan_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    carry_out(Plan(state=COUNTED), state=state_file(tmp_path / "away"), journal=FakeJournal(), past=COUNTED)


def test_what_came_of_a_test_is_kept_and_told(tmp_path: Path) -> None:
    journal = FakeJournal()

    keep(Plan(state=COUNTED, steps=(RESULT,)), record(), state=state_file(tmp_path), history=history(tmp_path), journal=journal)

    assert (history(tmp_path).read(), state_file(tmp_path).load(), journal.names) == ((record(),), COUNTED, ["speed.result"])


def test_with_a_disk_that_takes_nothing_the_result_is_told_all_the_same(tmp_path: Path) -> None:
    journal, away = FakeJournal(), tmp_path / "away"

    with pytest.raises(IoFailed):
        keep(Plan(state=COUNTED, steps=(RESULT,)), record(), state=state_file(away), history=history(away), journal=journal)

    assert journal.names == ["speed.result"]
