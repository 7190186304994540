"""The probe saves first, then tells and asks."""

import json
from pathlib import Path

import pytest

from plexguard.core.errors import IoFailed
from plexguard.core.host import CommandFailed
from plexguard.core.state import StateFile
from plexguard.plex_probe import events
from plexguard.plex_probe.act import carry_out
from plexguard.plex_probe.decide import Plan, State
from plexguard.plex_probe.ladder import AskRestart, Problem, Tell
from plexguard.plex_probe.states import Verdict
from tests.fakes.ports import FakeClock, FakeJournal, FakeManager

NOW = FakeClock().moment()
STATE = State(verdict=Verdict.HUNG, problem=Problem(verdict=Verdict.HUNG, began=NOW, restarts=1, last_ask=NOW))
ASK = Plan(STATE, (Tell(events.RESTART_ASKED, {"number": 1, "limit": 2, "problem": "hung"}), AskRestart()))


def state_file(folder: Path) -> StateFile[State]:
    return StateFile(folder / "state.json", State, schema=1, journal=FakeJournal())


def test_the_restart_is_on_disk_before_it_is_asked_for(tmp_path: Path) -> None:
    saved: list[object] = []
    manager = FakeManager()
    manager.on = lambda _verb, _name: saved.append(json.loads((tmp_path / "state.json").read_text())["problem"]["restarts"])

    carry_out(ASK, state=state_file(tmp_path), journal=FakeJournal(), manager=manager)

    assert saved == [1]
    assert manager.asked == [("start", "plexguard-plex-restart.service")]


def test_a_restart_that_cannot_be_counted_is_not_asked_for(tmp_path: Path) -> None:
    manager, journal = FakeManager(), FakeJournal()

    with pytest.raises(IoFailed):
        carry_out(ASK, state=state_file(tmp_path / "away"), journal=journal, manager=manager)

    assert manager.asked == []
    assert journal.names == []


def test_it_is_told_before_it_is_asked_so_that_a_refusal_has_its_reason_before_it(tmp_path: Path) -> None:
    manager, journal = FakeManager(), FakeJournal()
    manager.fail["start"] = CommandFailed("Access denied")

    with pytest.raises(CommandFailed):
        carry_out(ASK, state=state_file(tmp_path), journal=journal, manager=manager)

    assert journal.names == ["plex.restart-asked"]


def test_a_quiet_plan_only_saves(tmp_path: Path) -> None:
    manager, journal = FakeManager(), FakeJournal()

    carry_out(Plan(State()), state=state_file(tmp_path), journal=journal, manager=manager)

    assert state_file(tmp_path).load() == State()
    assert (manager.asked, journal.names) == ([], [])
