"""The probe saves first, then tells and asks."""

import json
import os
from pathlib import Path

import pytest

from plexguard.core.errors import IoFailed
from plexguard.core.events import Tell
from plexguard.core.host import CommandFailed
from plexguard.core.state import StateFile
from plexguard.plex_probe import events
from plexguard.plex_probe.act import carry_out
from plexguard.plex_probe.config import Config
from plexguard.plex_probe.decide import Plan, State, decide
from plexguard.plex_probe.ladder import AskRestart, Problem
from plexguard.plex_probe.look import Answer
from plexguard.plex_probe.states import Verdict
from tests.fakes.ports import FakeClock, FakeJournal, FakeManager
from tests.unit.plex_probe.samples import see

NOW = FakeClock().moment()
STATE = State(verdict=Verdict.HUNG, problem=Problem(verdict=Verdict.HUNG, began=NOW, restarts=1, last_ask=NOW))
ASK = Plan(STATE, (Tell(events.RESTART_ASKED, {"number": 1, "limit": 2, "problem": "hung"}), AskRestart()))


def state_file(folder: Path) -> StateFile[State]:
    return StateFile(folder / "state.json", State, schema=1, journal=FakeJournal(), spare=folder.parent / "spare.json")


def nothing(_: str) -> Plan:
    return Plan(State())


class Disk:
    """Checks of a Plex, with a disk that may be full and a manager that is only asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "disk"
        self.folder.mkdir()
        self.clock, self.journal, self.manager = FakeClock(), FakeJournal(), FakeManager()
        self.manager.on = lambda _verb, _name: None
        self.file = state_file(self.folder)
        self.file.save(State(answered=""))

    def fill(self) -> None:
        """Put something where a new state would be written, as little as a full disk takes it."""
        (self.folder / f".state.json.{os.getpid()}").mkdir()

    def free(self) -> None:
        (self.folder / f".state.json.{os.getpid()}").rmdir()

    def check(self, answer: Answer) -> None:
        self.clock.pass_time(70)
        now, past, seen = self.clock.moment(), self.file.load(), see(answer)
        assert past is not None
        carry_out(
            decide(seen, Config(), past, now, now),
            replan=lambda uncounted: decide(seen, Config(), past, now, now, uncounted=uncounted),
            state=self.file,
            journal=self.journal,
            manager=self.manager,
        )


def test_the_restart_is_on_disk_before_it_is_asked_for(tmp_path: Path) -> None:
    saved: list[object] = []
    manager = FakeManager()
    manager.on = lambda _verb, _name: saved.append(json.loads((tmp_path / "state.json").read_text())["problem"]["restarts"])

    carry_out(ASK, replan=nothing, state=state_file(tmp_path), journal=FakeJournal(), manager=manager)

    assert saved == [1]
    assert manager.asked == [("start", "plexguard-plex-restart.service")]


def test_a_restart_that_cannot_be_counted_is_not_asked_for_and_all_that_is_told_once(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.fill()

    with pytest.raises(IoFailed):
        disk.check(Answer.SILENT)
    for _ in range(100):
        disk.check(Answer.SILENT)

    assert disk.journal.names == ["plex.hung", "plex.gave-up"]
    assert "no restart can be counted: Failed to write" in str(disk.journal.values("plex.gave-up")["reason"])
    assert disk.manager.asked == []


def test_a_restart_that_can_be_counted_again_is_asked_for(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.fill()
    with pytest.raises(IoFailed):
        disk.check(Answer.SILENT)

    disk.free()
    disk.check(Answer.SILENT)

    assert disk.manager.asked == [("start", "plexguard-plex-restart.service")]
    assert json.loads((tmp_path / "disk/state.json").read_text())["problem"]["restarts"] == 1
    assert disk.journal.names == ["plex.hung", "plex.gave-up", "plex.restart-asked"]


def test_a_recovery_is_told_with_a_full_disk_too(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.fill()
    with pytest.raises(IoFailed):
        disk.check(Answer.SILENT)

    for answer in (Answer.SILENT, Answer.WELL, Answer.WELL):
        disk.check(answer)

    assert disk.journal.names == ["plex.hung", "plex.gave-up", "plex.recovered"]
    assert disk.journal.values("plex.recovered")["downtime_s"] == 140.0


def test_it_is_told_before_it_is_asked_so_that_a_refusal_has_its_reason_before_it(tmp_path: Path) -> None:
    manager, journal = FakeManager(), FakeJournal()
    manager.fail["start"] = CommandFailed("Access denied")

    with pytest.raises(CommandFailed):
        carry_out(ASK, replan=nothing, state=state_file(tmp_path), journal=journal, manager=manager)

    assert journal.names == ["plex.restart-asked"]


def test_a_quiet_plan_only_saves(tmp_path: Path) -> None:
    manager, journal = FakeManager(), FakeJournal()

    carry_out(Plan(State()), replan=nothing, state=state_file(tmp_path), journal=journal, manager=manager)

    assert state_file(tmp_path).load() == State()
    assert (manager.asked, journal.names) == ([], [])
