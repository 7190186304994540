"""The root side with a real command: a container is restarted by docker, and its word is kept when it fails."""

import json
import os
from pathlib import Path

import pytest

from plexguard.core.clock import SystemClock
from plexguard.core.found import Server
from plexguard.core.host import LocalHost
from plexguard.plex_probe.restart.act import carry_out
from plexguard.plex_probe.restart.decide import Budget, Restart
from tests.fakes.ports import FakeJournal, FakeManager, FakePlex

BIN = Path(__file__).parents[2] / "fakes/bin"
STEP = Restart(server=Server.CONTAINER, name="plex", reason="no answer", stop_timeout_s=10.0, start_timeout_s=20.0, budget=Budget())


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{BIN}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    return tmp_path


def restart() -> tuple[bool, FakeJournal]:
    journal = FakeJournal()
    answers = carry_out(STEP, plex=FakePlex(), manager=FakeManager(), host=LocalHost(), clock=SystemClock(), journal=journal)
    return answers, journal


def test_a_container_is_restarted_by_one_command(engine: Path) -> None:
    (engine / "container.json").write_text("{}")

    answers, journal = restart()

    assert answers
    assert [json.loads(line) for line in (engine / "asked").read_text().splitlines()] == [["restart", "-t", "10", "--", "plex"]]
    assert journal.names == ["plex.restarted"]


@pytest.mark.parametrize(("mode", "words"), [("well", "No such container"), ("away", "Cannot connect")])
def test_a_docker_that_fails_is_told_with_its_own_words(engine: Path, mode: str, words: str) -> None:
    (engine / "mode").write_text(mode)

    answers, journal = restart()

    assert not answers
    assert words in str(journal.values("plex.restart-failed")["reason"])
