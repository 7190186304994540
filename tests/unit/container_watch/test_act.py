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
from tests.unit.container_watch.samples import ID, named, plex

LATER = "2026-03-02T00:00:00Z"


class Docker:
    """An engine whose container changes as it is told, and the watcher that follows it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = FakeHost()
        self.clock, self.journal, self.manager = FakeClock(), FakeJournal(), FakeManager()
        self.container: dict[str, Any] | None = plex()
        self.others: list[dict[str, Any]] = []
        self.fault: Exception | None = None
        self.host.answers["docker container inspect"] = self._inspect
        self.host.answers["docker container inspect --format"] = self._list
        self.host.answers["docker ps"] = self._list_ids
        self.stream = FakeStream([])
        self.start_watcher()

    def start_watcher(self, name: str = "plex", *, any_name: bool = True) -> None:
        ports = fake_ports(host=self.host, clock=self.clock, journal=self.journal, manager=self.manager)
        file = StateFile(self.folder / "container.json", FoundContainer, schema=1, journal=self.journal)
        self.file, self.watcher = file, Watcher(name, file, ports, any_name=any_name)

    @property
    def _all(self) -> list[dict[str, Any]]:
        return [one for one in (self.container, *self.others) if one is not None]

    def _inspect(self, argv: Sequence[str]) -> Completed:
        if self.fault is not None:
            raise self.fault
        for one in self._all:
            if argv[-1] in (one.get("Id"), one.get("Name", "/plex").removeprefix("/")):
                return Completed(code=0, stdout=json.dumps([one]), stderr="")
        return Completed(code=1, stdout="[]\n", stderr=f"Error response from daemon: No such container: {argv[-1]}")

    def _list_ids(self, _argv: Sequence[str]) -> Completed:
        return Completed(code=0, stdout="".join(one["Id"] + "\n" for one in self._all), stderr="")

    def _list(self, argv: Sequence[str]) -> Completed:
        lines = [json.dumps([one["Id"], one["Name"], one["Config"]["Image"], ""]) for one in self._all if one["Id"] in argv]
        return Completed(code=0, stdout="\n".join(lines), stderr="")

    def cycle(self, *lines: str, ends: bool = False) -> FoundContainer:
        """Let events come, have one cycle, and return what is published then. ends: Docker goes after them.

        An event is of Plex's container, unless it names another: "kill", "kill 15", "kill ID 15".
        """
        told = [line if line.count(" ") == 2 else f"{line.partition(' ')[0]} {ID} {line.partition(' ')[2]}" for line in lines]
        self.stream.lines = [*told] if ends else [*told, None, None]
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


def test_the_follower_asks_for_what_matters_of_any_container(docker: Docker) -> None:
    docker.cycle()

    assert "--filter=type=container" in docker.host.ran[0]
    assert not any("--filter=container=" in word for word in docker.host.ran[0])
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


@pytest.mark.parametrize("code", [137, 143])
def test_an_end_that_was_heard_of_without_a_signal_of_docker_is_a_crash_for_good(docker: Docker, code: int) -> None:
    docker.cycle()
    docker.container = plex(Status="exited", ExitCode=code)

    assert not docker.cycle("die").stopped_on_purpose
    docker.clock.pass_time(30)
    assert not docker.cycle().stopped_on_purpose
    docker.start_watcher()
    assert not docker.cycle().stopped_on_purpose


def test_an_end_that_nothing_was_heard_of_is_judged_by_its_code(docker: Docker) -> None:
    docker.container = plex(Status="exited", ExitCode=137)

    assert docker.cycle().stopped_on_purpose


def test_a_plex_that_was_shut_down_from_within_is_no_crash(docker: Docker) -> None:
    docker.cycle()
    docker.container = plex(Status="exited", ExitCode=0)

    assert docker.cycle("die").stopped_on_purpose


def test_a_failed_start_of_our_own_restart_leaves_it_stopped_on_purpose(docker: Docker) -> None:
    # given: docker restart, whose start fails: Docker tells of no start, and has the exit code of the end
    docker.cycle()
    docker.container = plex(Status="exited", ExitCode=137)

    assert docker.cycle("kill 15", "kill 9", "die", "stop").stopped_on_purpose


def test_the_stop_of_another_container_is_nothing_to_ours(docker: Docker) -> None:
    # given: Docker's own filter by the name "plex" would tell of this one too
    docker.cycle()
    docker.others = [named("plex-exporter", id="b2", image="someone/plex-exporter", Status="exited")]
    docker.cycle("kill b2 15", "die b2 ", "stop b2 ")
    docker.container = plex(Status="exited", ExitCode=139)

    assert not docker.cycle("die").stopped_on_purpose


@pytest.mark.parametrize(
    ("lines", "waits_s"),
    [
        (["start b2 ", "die b2 ", "WARNING: not an event"], [30.0, 30.0, 30.0, 30.0]),
        ([f"die {ID} ", f"start {ID} "], [30.0, 0.0, 0.0]),
        ([f"die {ID} ", "start b2 "], [30.0, 0.0, 0.0]),
        (["start b2 ", "create b2 "], [30.0, 30.0, 0.0]),
        (["rename b2 "], [30.0, 0.0]),
        (["destroy b2 "], [30.0, 0.0]),
    ],
    ids=["others", "ours", "ours, then another", "a new one", "another name", "one less"],
)
def test_only_what_may_change_what_is_published_ends_the_wait(docker: Docker, lines: list[str], waits_s: list[float]) -> None:
    docker.cycle()
    docker.stream.lines = [*lines, None]

    docker.watcher.cycle()

    assert docker.stream.waits_s == waits_s


def test_the_wait_is_half_a_minute_however_much_other_containers_do(docker: Docker) -> None:
    docker.cycle()
    read_line = docker.stream.read_line

    def read_slowly(timeout_s: float) -> str | None:
        docker.clock.pass_time(12)
        return read_line(timeout_s)

    docker.stream.read_line = read_slowly  # type: ignore[method-assign]
    docker.stream.lines = ["start b2 ", "die b2 ", "start b2 ", None]
    docker.watcher.cycle()

    assert docker.stream.waits_s == [30.0, 18.0, 6.0, 0.0]


def test_nothing_is_kept_of_containers_that_are_gone(docker: Docker) -> None:
    docker.cycle()

    docker.cycle("create b2 ", "start b2 ", "die b2 ", "destroy b2 ")

    assert docker.watcher._heard == {}


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


def test_what_changes_while_the_discovery_is_at_work_is_discovered_after_it(docker: Docker) -> None:
    # given: it was started, and a start while it runs would be none
    docker.cycle()
    service = "plexguard-discover.service"
    docker.manager.units[service] = Unit(name=service, load_state="loaded", active_state="activating")
    docker.container = plex(StartedAt=LATER)
    docker.cycle(f"start {ID} ")
    docker.cycle()
    assert len(docker.manager.asked) == 1

    # when
    docker.manager.units[service] = Unit(name=service, load_state="loaded", active_state="inactive")
    docker.stream.waits_s.clear()
    docker.cycle()
    docker.cycle()

    # then
    assert docker.manager.asked == [("start", service)] * 2
    assert docker.stream.waits_s == [1.0, 30.0]


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


# -- another name -----------------------------------------------------------------------------------------------------


def test_a_container_with_another_name_is_found_by_its_image(docker: Docker) -> None:
    docker.container = None
    docker.others = [named("db", id="b2", image="postgres:16"), named("media-plex-1", id="c3", image="linuxserver/plex:latest")]

    found = docker.cycle()

    assert (found.name, found.id, found.status) == ("media-plex-1", "c3", "running")
    assert docker.journal.names == []


def test_its_end_is_judged_by_its_own_events(docker: Docker) -> None:
    docker.container = None
    docker.others = [named("media-plex-1", id="c3")]
    docker.cycle()
    docker.others = [named("media-plex-1", id="c3", Status="exited", ExitCode=1)]

    assert docker.cycle("kill c3 15", "die c3 ", "stop c3 ").stopped_on_purpose
    assert docker.journal.values("container.changed")["container"] == "media-plex-1"


def test_the_one_with_the_name_wins_and_its_image_does_not_matter(docker: Docker) -> None:
    docker.container = named("plex", image="my/own")
    docker.others = [named("media-plex-1", id="c3")]

    assert docker.cycle().name == "plex"
    assert ["docker", "ps"] not in [argv[:2] for argv in docker.host.ran]


def test_a_name_that_was_configured_is_never_replaced(docker: Docker) -> None:
    docker.start_watcher("plex-server", any_name=False)

    found = docker.cycle()

    assert (found.name, found.status, found.candidates) == ("plex-server", "absent", ())


def test_another_container_is_followed_when_the_first_is_gone(docker: Docker) -> None:
    docker.container = None
    docker.others = [named("old", id="a1")]
    docker.cycle()
    docker.others = []
    gone = docker.cycle("kill a1 9", "die a1 ", "destroy a1 ")
    docker.others = [named("new", id="c3", StartedAt=LATER)]

    assert (gone.name, gone.status) == ("plex", "absent")
    assert docker.cycle("create c3 ", "start c3 ").name == "new"
    assert len(docker.manager.asked) == 3


def test_several_are_told_once_and_none_is_taken(docker: Docker) -> None:
    docker.container = None
    docker.others = [named("two", id="b2"), named("one", id="a1")]

    found = docker.cycle()
    docker.cycle()
    docker.start_watcher()
    docker.cycle()

    assert (found.name, found.status, found.candidates) == ("plex", "absent", ("one", "two"))
    assert docker.journal.names == ["container.ambiguous"]
    assert docker.journal.values("container.ambiguous") == {"containers": "one, two"}


def test_one_more_of_several_is_told(docker: Docker) -> None:
    docker.container = None
    docker.others = [named("one", id="a1"), named("two", id="b2")]
    docker.cycle()
    docker.others.append(named("three", id="c3"))

    assert docker.cycle("create c3 ").candidates == ("one", "three", "two")
    assert docker.journal.names == ["container.ambiguous"] * 2
    assert len(docker.manager.asked) == 2


def test_the_one_that_is_left_of_several_is_taken(docker: Docker) -> None:
    docker.container = None
    docker.others = [named("one", id="a1"), named("two", id="b2")]
    docker.cycle()
    docker.others = [named("two", id="b2")]

    found = docker.cycle("destroy a1 ")

    assert (found.name, found.candidates) == ("two", ())
    assert docker.manager.asked == [("start", "plexguard-discover.service")] * 2
    assert docker.journal.names == ["container.ambiguous", "container.settled"]
    assert docker.journal.values("container.settled") == {"container": "two", "how": ""}


def test_that_none_is_left_of_several_is_told_also_by_the_next_start(docker: Docker) -> None:
    docker.container = None
    docker.others = [named("one", id="a1"), named("two", id="b2")]
    docker.cycle()
    docker.others = []
    docker.start_watcher()
    docker.cycle()
    docker.cycle()

    assert docker.journal.names == ["container.ambiguous", "container.settled"]
    assert docker.journal.values("container.settled") == {"container": "plex", "how": ", which is not there"}


def test_a_container_that_is_replaced_is_watched_until_it_is_gone(docker: Docker) -> None:
    # given: Compose makes the new one beside the old one, then stops and removes the old one
    docker.container = None
    docker.others = [named("media-plex-1", id="a1")]
    docker.cycle()
    docker.others.append(named("a1_media-plex-1", id="c3", Status="created"))
    docker.clock.pass_time(30)

    between = docker.cycle("create c3 ")
    docker.others = [named("media-plex-1", id="c3", StartedAt=LATER)]
    docker.clock.pass_time(30)
    after = docker.cycle("kill a1 15", "die a1 ", "stop a1 ", "destroy a1 ", "rename c3 ", "start c3 ")

    assert (between.id, after.id) == ("a1", "c3")
    assert "container.ambiguous" not in docker.journal.names


def test_several_for_good_are_not_guessed_among(docker: Docker) -> None:
    docker.container = None
    docker.others = [named("one", id="a1")]
    docker.cycle()
    docker.others.append(named("two", id="b2"))
    docker.cycle("create b2 ")
    docker.clock.pass_time(300)

    assert docker.cycle().candidates == ("one", "two")
    assert docker.journal.names == ["container.ambiguous"]


def test_a_container_that_goes_while_it_is_chosen_is_absent(docker: Docker) -> None:
    docker.container = None
    docker.host.answers["docker ps"] = Completed(code=0, stdout="a1\n", stderr="")
    docker.host.answers["docker container inspect --format"] = Completed(
        code=0, stdout='["a1", "/one", "hotio/plex", ""]\n', stderr=""
    )

    assert docker.cycle().status == "absent"
