"""The work on libraries as it runs on a run's machine: against a Plex that answers, its database, and plexguard-db-export itself."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plexguard.cloud_run import __main__ as cloud_run
from plexguard.cloud_run.section import signals, worker
from plexguard.cloud_run.section.told import Plan
from plexguard.core import program
from plexguard.core.clock import SystemClock
from plexguard.core.program import run
from plexguard.core.records import encode
from tests.fakes.plex import PlexSimulator

ROOT = Path(__file__).parents[3]


class HastyClock(SystemClock):
    """The real time, and what was slept a hundred times as long as it took."""

    slept_s = 0.0

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.slept_s

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds / 100)
        self.slept_s += seconds


class Machine:
    """The run's machine, which is this one: Plex, its media, and a folder for the work."""

    def __init__(self, folder: Path, plex: PlexSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plex, self.media, self.work = plex, folder / "media", folder / "scan"
        for made in (self.media, self.work):
            made.mkdir()
        (folder / "bin").mkdir()
        own = folder / "bin/plexguard-db-export"
        own.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m plexguard.db_export "$@"\n', encoding="ascii")
        own.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")
        monkeypatch.setattr(worker, "_URL", plex.url)
        # The simulator's scanner is a thread of ours: it takes no time that could be told from that of the tests.
        monkeypatch.setattr(signals, "read_cpu_s", lambda: 0.0)
        real = program.open_ports
        monkeypatch.setattr(program, "open_ports", lambda name: replace(real(name), clock=HastyClock()))

    def put(self, library: str, *names: str) -> None:
        for name in names:
            file = self.media / library / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{library} {name}")

    def add(self, title: str, kind: str) -> None:
        self.plex.add_library(title, kind, self.media / title)

    def scan(self, **plan: Any) -> int:
        made = Plan(data=str(self.plex.data), export=("plexguard-db-export",), **plan)
        (self.work / worker.PLAN).write_text(json.dumps({"schema": 1, **encode(made)}))
        return run("cloud-run", cloud_run.cli, ["work", "scan", str(self.work)])

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.work / worker.TOLD).read_text())
        return found


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    with PlexSimulator(tmp_path / "Plex Media Server") as plex:
        yield Machine(tmp_path, plex, monkeypatch)


def test_libraries_are_scanned_and_what_came_and_went_is_told(machine: Machine) -> None:
    machine.put("Films", *(f"Film {n}.mkv" for n in range(40)))
    machine.put("Music", *(f"Band/Album/{n}.flac" for n in range(30)))
    machine.add("Films", "movie")
    machine.add("Music", "artist")
    assert machine.scan() == 0
    assert {title: one["after"]["items"] for title, one in machine.told["libraries"].items()} == {"Films": 40, "Music": 30}

    # One that was removed and two that are new, in a second run.
    (machine.work / worker.TOLD).unlink()
    (machine.media / "Films/Film 3.mkv").unlink()
    machine.put("Films", "New 1.mkv", "New 2.mkv")
    assert machine.scan(sections=("Films",)) == 0
    (films,) = machine.told["libraries"].values()
    assert (films["before"]["items"], films["after"]["items"], films["after"]["trashed"]) == (40, 41, 0)


def test_plex_does_nothing_by_itself_meanwhile_and_what_was_set_is_noted(machine: Machine) -> None:
    machine.put("Films", "Film.mkv")
    machine.add("Films", "movie")
    assert machine.scan() == 0
    assert machine.plex.preferences.value("autoEmptyTrash") is False
    former = json.loads((machine.work / worker.FORMER).read_text())["settings"]
    assert former["autoEmptyTrash"] == "true"
    # Begun again it does not take what it has set itself for what was there before.
    assert machine.scan() == 0
    assert json.loads((machine.work / worker.FORMER).read_text())["settings"] == former


def test_library_that_is_not_there_is_told_with_those_that_are(machine: Machine) -> None:
    machine.put("Films", "Film.mkv")
    machine.add("Films", "movie")
    assert machine.scan(sections=("Filme",)) == 66
    assert "there is no library called Filme; there are: Films" in machine.told["failure"]
    assert machine.told["is_over"]
