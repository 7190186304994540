"""The watcher's cycles: follow, look, publish; Docker lost and found."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from plexguard.container_watch.act import Watcher
from plexguard.core.found import FoundContainer
from plexguard.core.host import CommandFailed, CommandTimeout, Completed
from plexguard.core.manager import Unit
from plexguard.core.state import StateFile
from tests.fakes.ports import FakeClock, FakeHost, FakeJournal, FakeManager, FakeStream, fake_ports
from tests.unit.container_watch.samples import plex

LATER = "2026-03-02T00:00:00Z"


class Docker:
    """An engine whose container changes as it is told, and the watcher that follows it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = FakeHost()
        self.clock, self.journal, self.manager = FakeClock(), FakeJournal(), FakeManager()
        self.container: dict[str, Any] | None = plex()
        self.fault: Exception | None = None
        self.host.answers["docker container inspect"] = self._inspect
        self.stream = FakeStream([])
        self.start_watcher()

    def start_watcher(self) -> None:
        ports = fake_ports(host=self.host, clock=self.clock, journal=self.journal, manager=self.manager)
        file = StateFile(self.folder / "container.json", FoundContainer, schema=1, journal=self.journal)
        self.file, self.watcher = file, Watcher("plex", file, ports)

    def _inspect(self, _argv: Sequence[str]) -> Completed:
        if self.fault is not None:
            raise self.fault
        if self.container is None:
            return Completed(code=1, stdout="[]\n", stderr="Error response from daemon: No such container: plex")
        return Completed(code=0, stdout=json.dumps([self.container]), stderr="")

    def cycle(self, *lines: str, ends: bool = False) -> FoundContainer:
        """Let events come, have one cycle, and return what is published then. ends: Docker goes after them."""
        self.stream.lines = [*lines] if ends else [*lines, None, None]
        if not self.host.streams:
            self.host.streams.append(self.stream)
        self.watcher.cycle()
        found = self.file.load()
        assert found is not None
        return found


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    return Docker(tmp_path)


def test_the_first_cycle_follows_before_it_looks_and_publishes(docker: Docker) -> None:
    found = docker.cycle()

    assert found.status == "running"
    assert [argv[:2] for argv in docker.host.ran] == [["docker", "events"], ["docker", "container"]]
    assert docker.manager.asked == [("start", "plexguard-discover.service")]
    assert docker.journal.names == []


def test_the_follower_asks_for_one_container_only(docker: Docker) -> None:
    docker.cycle()

    assert "--filter=container=plex" in docker.host.ran[0]
    assert "--filter=event=kill" in docker.host.ran[0]
    assert not any("health" in word for word in docker.host.ran[0])


def test_a_stop_on_purpose_is_known_by_its_events_whatever_the_exit_code(docker: Docker) -> None:
    docker.cycle()
    docker.container = plex(Status="exited", ExitCode=1)

    found = docker.cycle("kill", "die", "stop")

    assert found.stopped_on_purpose
    assert docker.journal.values("container.changed") == {"container": "plex", "status": "exited", "how": ", stopped on purpose"}


def test_a_crash_is_no_stop(docker: Docker) -> None:
    docker.cycle()
    docker.container = plex(Status="exited", ExitCode=139)

    found = docker.cycle("die")

    assert not found.stopped_on_purpose
    assert docker.journal.values("container.changed")["how"] == ""


def test_a_crash_after_a_stop_and_a_start_is_no_stop(docker: Docker) -> None:
    docker.cycle()
    docker.container = plex(StartedAt=LATER)
    docker.cycle("kill", "die", "stop", "start")
    docker.container = plex(Status="exited", ExitCode=139, StartedAt=LATER)

    assert not docker.cycle("die").stopped_on_purpose


def test_what_does_not_change_is_written_again_and_told_to_nobody(docker: Docker) -> None:
    docker.cycle()
    docker.clock.pass_time(30)

    found = docker.cycle()

    assert found.seen_s == docker.clock.uptime_s
    assert docker.journal.names == []
    assert len(docker.manager.asked) == 1


def test_a_container_that_is_made_anew_is_looked_at_by_discover(docker: Docker) -> None:
    docker.cycle()
    docker.container = None
    assert docker.cycle("destroy").status == "absent"
    docker.container = plex(StartedAt=LATER)

    assert docker.cycle("create", "start").status == "running"
    assert len(docker.manager.asked) == 3


def test_a_docker_that_goes_is_told_once_and_the_file_grows_old(docker: Docker) -> None:
    docker.cycle()
    docker.fault = CommandFailed("Cannot connect to the Docker daemon")
    seen_s = docker.clock.uptime_s

    for _ in range(5):
        found = docker.cycle(ends=True)

    assert docker.journal.names == ["container.docker-lost"]
    assert found.seen_s == seen_s
    assert docker.clock.slept == [10.0] * 5
    assert docker.stream.closed


def test_a_docker_that_comes_back_is_told_with_its_downtime(docker: Docker) -> None:
    docker.cycle()
    docker.fault = CommandFailed("Cannot connect to the Docker daemon")
    docker.cycle(ends=True)
    docker.cycle(ends=True)
    docker.fault = None

    found = docker.cycle()

    assert docker.journal.names == ["container.docker-lost", "container.docker-found"]
    assert docker.journal.values("container.docker-found") == {"downtime_s": 20.0}
    assert found.seen_s == docker.clock.uptime_s


@pytest.mark.parametrize(
    "fault",
    [
        CommandTimeout("no end within 15 s"),
        CommandFailed("dial unix /var/run/docker.sock: connect: no such file or directory"),
    ],
    ids=["hangs", "no socket"],
)
def test_a_docker_that_cannot_be_asked_never_makes_a_container_absent(docker: Docker, fault: Exception) -> None:
    docker.cycle()
    docker.fault = fault

    assert docker.cycle().status == "running"
    assert docker.journal.names == ["container.docker-lost"]


def test_a_docker_that_lies_is_lost_and_no_crash(docker: Docker) -> None:
    docker.cycle()
    docker.container = {"State": "up"}

    assert docker.cycle().status == "running"
    assert docker.journal.names == ["container.docker-lost"]


def test_a_start_that_was_missed_while_docker_was_lost_does_not_leave_a_stop_behind(docker: Docker) -> None:
    # given: stopped on purpose, then Docker itself is restarted and starts the container
    docker.cycle()
    docker.container = plex(Status="exited", ExitCode=1)
    docker.cycle("kill", "die", "stop")
    docker.fault = CommandFailed("gone")
    docker.cycle(ends=True)
    docker.fault = None
    docker.container = plex(StartedAt=LATER)
    docker.cycle()

    # when: it crashes
    docker.container = plex(Status="exited", ExitCode=139, StartedAt=LATER)

    # then
    assert not docker.cycle("die").stopped_on_purpose


def test_a_stop_on_purpose_outlives_a_docker_that_was_lost(docker: Docker) -> None:
    docker.cycle()
    docker.container = plex(Status="exited", ExitCode=1)
    docker.cycle("kill", "die", "stop")
    docker.fault = CommandFailed("gone")
    docker.cycle(ends=True)
    docker.fault = None

    assert docker.cycle().stopped_on_purpose


def test_a_stop_on_purpose_outlives_a_restart_of_the_watcher(docker: Docker) -> None:
    docker.cycle()
    docker.container = plex(Status="exited", ExitCode=1)
    docker.cycle("kill", "die", "stop")

    docker.start_watcher()

    assert docker.cycle().stopped_on_purpose


def test_a_crash_stays_a_crash_after_a_restart_of_the_watcher(docker: Docker) -> None:
    docker.cycle()
    docker.container = plex(Status="exited", ExitCode=139)
    docker.cycle("die")

    docker.start_watcher()

    assert not docker.cycle().stopped_on_purpose


def test_close_ends_what_is_followed(docker: Docker) -> None:
    docker.cycle()

    docker.watcher.close()
    docker.watcher.close()

    assert docker.stream.closed


def test_an_engine_that_an_administrator_stopped_is_not_asked_since_asking_would_start_it(docker: Docker) -> None:
    docker.cycle()
    asked = len(docker.host.ran)
    docker.manager.units["docker.service"] = Unit(name="docker.service", load_state="loaded", active_state="inactive")

    docker.watcher.cycle()

    assert len(docker.host.ran) == asked
    assert docker.stream.closed
    assert docker.journal.names[-1] == "container.docker-lost"
