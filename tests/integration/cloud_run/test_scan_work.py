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
from plexguard.cloud_run.section import worker
from plexguard.cloud_run.section.inside import Inside
from plexguard.cloud_run.section.told import Plan
from plexguard.core import program
from plexguard.core.clock import SystemClock
from plexguard.core.processes import Process
from plexguard.core.program import run
from plexguard.core.published import HoldSeen, Reading
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


class Ours(Inside):
    """The simulator's process, which is ours."""

    def scanners(self) -> tuple[Process, ...]:
        return ()

    def started_s(self) -> float:
        return 1.0

    def cpu_s(self) -> float:
        return 0.0


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
        monkeypatch.setattr(worker, "URL", plex.url)
        monkeypatch.setattr(worker, "find_inside", lambda _ports: Ours(""))
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
        return self.do("scan", **plan)

    def analyze(self, **plan: Any) -> int:
        return self.do("analyze", former=str(self.work / worker.FORMER), monitoring="local_quick", **plan)

    def do(self, task: str, **plan: Any) -> int:
        made = Plan(data=str(self.plex.data), export=("plexguard-db-export",), **plan)
        self.folder_of(task).mkdir(exist_ok=True)
        (self.folder_of(task) / worker.PLAN).write_text(json.dumps({"schema": 1, **encode(made)}))
        return run("cloud-run", cloud_run.cli, ["work", task, str(self.folder_of(task))])

    def folder_of(self, task: str) -> Path:
        return self.work.parent / task

    def told_of(self, task: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder_of(task) / worker.TOLD).read_text())
        return found

    @property
    def told(self) -> dict[str, Any]:
        return self.told_of("scan")


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
    assert {one["after"]["title"]: one["after"]["items"] for one in machine.told["libraries"].values()} == {
        "Films": 40,
        "Music": 30,
    }

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


def test_libraries_are_analysed_with_their_files_read_before_and_what_was_found_out_is_kept(machine: Machine) -> None:
    machine.put("Films", *(f"Film {n}.mkv" for n in range(40)))
    machine.add("Films", "movie")
    assert machine.scan() == 0

    assert machine.analyze() == 0

    (films,) = machine.told_of("analyze")["libraries"].values()
    assert (films["before"]["analysed"], films["after"]["analysed"]) == (0, 40)
    checkpoint = machine.told_of("analyze")["checkpoint"]
    assert Path(checkpoint["path"]).stat().st_size == checkpoint["size_bytes"]
    # Again there is nothing to do.
    (machine.folder_of("analyze") / worker.TOLD).unlink()
    assert machine.analyze() == 0
    assert machine.told_of("analyze")["checkpoint"] is None


def test_plex_leaves_its_account_before_its_machine_goes(machine: Machine) -> None:
    assert machine.plex.preferences.token
    assert machine.do("sign-out") == 0
    assert not machine.plex.preferences.token
    # One that belongs to nobody has nothing to leave.
    assert machine.do("sign-out") == 0


def test_nothing_is_set_while_a_watchdog_holds_plex(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would set back what it found, in the midst of the work."""
    looks = [HoldSeen(holders={"media": SystemClock().moment()}), HoldSeen(holders={"media": SystemClock().moment()}), HoldSeen()]
    held = iter(looks)
    seen: list[object] = []

    class Hold:
        @staticmethod
        def look() -> Reading[HoldSeen]:
            seen.append(machine.plex.preferences.value("autoEmptyTrash"))
            return Reading(record=next(held))

    monkeypatch.setattr(worker, "HOLD", Hold)
    assert machine.scan() == 0
    assert seen == [True, True, True]
    assert machine.plex.preferences.value("autoEmptyTrash") is False
