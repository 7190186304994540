"""The watcher over a real command: it follows events, looks, publishes, and lives through a Docker that goes and lies."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from plexguard.container_watch.act import Watcher
from plexguard.container_watch.observe import inspect
from plexguard.core.errors import PeerError
from plexguard.core.found import FoundContainer
from plexguard.core.host import CommandError, CommandFailed, LocalHost
from plexguard.core.state import StateFile
from tests.fakes.ports import FakeClock, FakeJournal, FakeManager, fake_ports
from tests.unit.container_watch.samples import ID, named, plex
from tests.waiting import await_true

BIN = Path(__file__).parents[2] / "fakes/bin"


class Engine:
    """The folder behind the fake docker command, and a watcher of its container."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal, self.manager = FakeJournal(), FakeManager()
        self.file = StateFile(folder / "published.json", FoundContainer, schema=1, journal=self.journal)
        ports = fake_ports(host=LocalHost(), journal=self.journal, manager=self.manager, clock=FakeClock())
        self.watcher = Watcher("plex", self.file, ports, any_name=True)
        self.be(plex())

    def be(self, container: dict[str, object]) -> None:
        (self.folder / "container.json").write_text(json.dumps(container))

    def set_mode(self, mode: str) -> None:
        (self.folder / "mode").write_text(mode)

    def tell(self, *lines: str) -> None:
        with (self.folder / "events").open("a") as events:
            events.write("".join(line + "\n" for line in lines))

    def follow(self) -> FoundContainer | None:
        """Have the first cycle, which begins to follow, and wait until that command listens."""
        (self.folder / "following").unlink(missing_ok=True)
        self.watcher.cycle()
        await_true((self.folder / "following").exists, what="somebody follows the events", timeout_s=20)
        return self.file.load()

    def cycle(self) -> FoundContainer | None:
        self.watcher.cycle()
        return self.file.load()


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("PATH", f"{BIN}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    engine = Engine(tmp_path)
    yield engine
    engine.watcher.close()


def test_a_container_that_runs_is_published(engine: Engine) -> None:
    found = engine.follow()

    assert found is not None
    assert (found.status, found.image, found.uid) == ("running", "plexinc/pms-docker:1.43.4", 1000)


def test_a_stop_on_purpose_is_published_as_soon_as_docker_tells(engine: Engine) -> None:
    engine.follow()
    engine.be(plex(Status="exited", ExitCode=1))
    engine.tell(f"kill {ID} 15", f"die {ID} ", f"stop {ID} ")

    found = engine.cycle()

    assert found is not None
    assert (found.status, found.stopped_on_purpose) == ("exited", True)


def test_a_crash_is_published_as_one(engine: Engine) -> None:
    engine.follow()
    engine.be(plex(Status="exited", ExitCode=139))
    engine.tell(f"die {ID} ")

    found = engine.cycle()

    assert found is not None
    assert (found.status, found.stopped_on_purpose) == ("exited", False)


@pytest.mark.parametrize("mode", ["away", "gone"])
def test_a_docker_that_goes_is_told_and_found_again(engine: Engine, mode: str) -> None:
    before = engine.follow()
    engine.set_mode(mode)

    assert engine.cycle() == before
    assert engine.cycle() == before
    assert engine.journal.names == ["container.docker-lost"]

    engine.set_mode("well")
    after = engine.follow()
    assert engine.journal.names == ["container.docker-lost", "container.docker-found"]
    assert before is not None
    assert after is not None
    assert after.status == "running"


def test_a_container_that_is_removed_is_absent(engine: Engine) -> None:
    engine.follow()
    (engine.folder / "container.json").unlink()
    engine.tell(f"destroy {ID} ")

    found = engine.cycle()

    assert found is not None
    assert found.status == "absent"


def test_a_container_with_another_name_is_found_by_its_image(engine: Engine) -> None:
    engine.be(named("media-plex-1", image="linuxserver/plex:latest"))

    found = engine.follow()

    assert found is not None
    assert (found.name, found.status) == ("media-plex-1", "running")


def test_a_docker_that_lies_is_no_answer(engine: Engine) -> None:
    engine.set_mode("lying")

    with pytest.raises(PeerError):
        inspect(LocalHost(), "plex")


@pytest.mark.parametrize("mode", ["away", "gone"])
def test_a_docker_that_is_away_says_nothing_about_the_container(engine: Engine, mode: str) -> None:
    engine.set_mode(mode)

    with pytest.raises(CommandFailed):
        inspect(LocalHost(), "plex")


def test_a_machine_without_docker_is_a_docker_that_is_lost(engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    engine.cycle()

    assert engine.journal.names == ["container.docker-lost"]
    with pytest.raises(CommandError):
        inspect(LocalHost(), "plex")


def test_close_leaves_no_command_behind(engine: Engine) -> None:
    engine.follow()
    stream = engine.watcher._stream

    engine.watcher.close()

    assert stream is not None
    assert stream._process.poll() is not None
