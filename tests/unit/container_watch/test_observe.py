"""Docker's word on one container, parsed to what the others need."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from plexguard.container_watch.observe import ContainerEvent, Listed, inspect, list_containers, parse_event, parse_inspect
from plexguard.core.errors import PeerError
from plexguard.core.found import FoundContainer, Mount
from plexguard.core.host import CommandFailed, Completed
from plexguard.core.records import encode
from tests.fakes.ports import FakeHost
from tests.unit.container_watch.samples import plex


def parse(found: dict[str, Any] | None) -> FoundContainer:
    return parse_inspect("plex", found, seen_s=12.5)


def ended(code: int, **state: object) -> dict[str, Any]:
    return plex(Status="exited", Pid=0, ExitCode=code, FinishedAt="2026-03-01T10:00:00.5Z", **state)


def test_a_container_that_runs_is_read_whole() -> None:
    assert parse(plex()) == FoundContainer(
        name="plex",
        id="3f1c9e0b6f4e",
        status="running",
        image="plexinc/pms-docker:1.43.4",
        started=datetime(2026, 3, 1, 9, 30, 0, 123456, tzinfo=UTC),
        seen_s=12.5,
        uid=1000,
        gid=1001,
        mounts=(
            Mount(source="/srv/plex/config", destination="/config"),
            Mount(source="/mnt/tank/tv", destination="/data/tv"),
            Mount(source="/var/lib/docker/volumes/transcode/_data", destination="/transcode"),
        ),
    )


def test_no_secret_of_its_environment_is_kept() -> None:
    assert "SECRET" not in json.dumps(encode(parse(plex())))


@pytest.mark.parametrize("name", ["/media-plex-1", "media-plex-1"], ids=["docker", "podman"])
def test_the_name_is_dockers_own(name: str) -> None:
    assert parse(plex() | {"Name": name}).name == "media-plex-1"


def test_a_container_that_does_not_exist_is_absent() -> None:
    assert parse(None) == FoundContainer(name="plex", status="absent", seen_s=12.5)


@pytest.mark.parametrize("code", [0, 137, 143])
def test_an_end_that_was_asked_for_is_known_by_its_exit_code(code: int) -> None:
    assert parse(ended(code)).stopped_on_purpose


@pytest.mark.parametrize("code", [1, 2, 126, 127, 134, 139, 255])
def test_a_crash_is_known_by_its_exit_code(code: int) -> None:
    assert not parse(ended(code)).stopped_on_purpose


@pytest.mark.parametrize("status", ["running", "paused", "restarting"])
def test_a_container_that_has_not_ended_was_not_stopped(status: str) -> None:
    assert not parse(plex(Status=status)).stopped_on_purpose


def test_an_end_for_want_of_memory_is_nobodys_purpose() -> None:
    assert not parse(ended(137, OOMKilled=True)).stopped_on_purpose


@pytest.mark.parametrize("status", ["created", "running", "paused", "restarting", "removing", "exited", "dead"])
def test_dockers_word_for_the_state_is_kept(status: str) -> None:
    assert parse(plex(Status=status)).status == status


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-03-01T09:30:00.123456789Z", datetime(2026, 3, 1, 9, 30, 0, 123456, tzinfo=UTC)),
        ("2026-03-01T09:30:00.5Z", datetime(2026, 3, 1, 9, 30, 0, 500000, tzinfo=UTC)),
        ("2026-03-01T09:30:00Z", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        ("2026-03-01T09:30:00.123456789+01:00", datetime(2026, 3, 1, 9, 30, 0, 123456, tzinfo=timezone(timedelta(hours=1)))),
        ("2026-03-01T09:30:00+01:00", datetime(2026, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=1)))),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
    ],
    ids=["nanoseconds", "tenths", "whole seconds", "another zone", "another zone, whole seconds", "never", "nothing"],
)
def test_times_are_read_as_docker_and_podman_write_them(text: str, time: datetime | None) -> None:
    assert parse(plex(StartedAt=text)).started == time


@pytest.mark.parametrize(
    ("lines", "ids"),
    [
        (["PUID=1000", "PGID=100"], (1000, 100)),
        (["PLEX_UID=1", "PUID=2", "PLEX_GID=3", "PGID=4"], (1, 3)),
        (["PLEX_UID=", "PUID=2"], (2, -1)),
        (["PLEX_UID=plex", "PLEX_GID=-5"], (-1, -1)),
        ([], (-1, -1)),
        (None, (-1, -1)),
    ],
    ids=["linuxserver", "both kinds", "empty", "no numbers", "none", "null"],
)
def test_user_and_group_come_from_the_images_own_variables(lines: list[str] | None, ids: tuple[int, int]) -> None:
    found = plex()
    found["Config"]["Env"] = lines

    container = parse(found)

    assert (container.uid, container.gid) == ids


def without(*path: str) -> dict[str, Any]:
    found: Any = plex()
    inner = found
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return found


@pytest.mark.parametrize(
    "found",
    [
        {},
        without("Id"),
        without("Name"),
        without("State"),
        without("State", "Status"),
        without("State", "ExitCode"),
        without("Config"),
        without("Config", "Image"),
        plex(ExitCode="many"),
        plex(ExitCode=None),
        plex(StartedAt="yesterday"),
        plex(StartedAt="2026-03-01T09:30:00"),
        plex() | {"State": "running"},
        plex() | {"Config": None},
        plex() | {"Mounts": ["/config"]},
        plex() | {"Mounts": [{"Source": "/a"}]},
    ],
    ids=lambda found: str(found)[:30],
)
def test_an_answer_that_is_not_dockers_is_a_fault_of_the_peer(found: dict[str, Any]) -> None:
    with pytest.raises(PeerError, match="plex"):
        parse(found)


def test_a_container_without_mounts_has_none() -> None:
    assert parse(plex() | {"Mounts": None}).mounts == ()


# -- asking -----------------------------------------------------------------------------------------------------------


def ask(code: int, stdout: str = "[]\n", stderr: str = "") -> dict[str, Any] | None:
    return inspect(FakeHost({"docker container inspect": Completed(code=code, stdout=stdout, stderr=stderr)}), "plex")


def test_inspect_returns_the_one_container() -> None:
    assert ask(0, json.dumps([plex()])) == plex()


@pytest.mark.parametrize(
    "stderr",
    [
        "Error response from daemon: No such container: plex",
        "Error: No such container: plex",
        'no container with name or ID "plex" found: no such container',
    ],
    ids=["docker 28", "docker 20", "podman"],
)
def test_inspect_knows_a_container_that_does_not_exist(stderr: str) -> None:
    assert ask(1, stderr=stderr) is None


@pytest.mark.parametrize(
    "stderr",
    [
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        "failed to connect to the docker API at unix:///var/run/docker.sock; check if the path is correct and if the daemon is "
        "running: dial unix /var/run/docker.sock: connect: no such file or directory",
        "error during connect: Get http://%2Fvar%2Frun%2Fdocker.sock/v1.24/info: dial unix /var/run/docker.sock: "
        "no such file or directory",
        "permission denied while trying to connect to the Docker daemon socket",
        "",
    ],
    ids=["docker 28", "docker 29", "older", "permission", "nothing"],
)
def test_a_docker_that_is_away_says_nothing_about_the_container(stderr: str) -> None:
    with pytest.raises(CommandFailed):
        ask(1, stderr=stderr)


@pytest.mark.parametrize(
    "stdout", ["", "[]", "[{}, {}]", "null", "5", '"plex"', '["plex"]', "[5]", "<html>", '[{"State"', "[" * 100_000]
)
def test_an_answer_that_is_no_list_of_one_container_is_a_fault_of_the_peer(stdout: str) -> None:
    with pytest.raises(PeerError):
        ask(0, stdout)


def test_the_name_cannot_become_an_option() -> None:
    host = FakeHost({"docker container inspect": Completed(code=0, stdout="[{}]", stderr="")})

    inspect(host, "plex")

    assert host.ran == [["docker", "container", "inspect", "--", "plex"]]


# -- events -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ("kill 3f1c 15\n", ContainerEvent(action="kill", id="3f1c", signal="15")),
        ("die 3f1c \n", ContainerEvent(action="die", id="3f1c")),
        ("die 3f1c", ContainerEvent(action="die", id="3f1c")),
        ("die", None),
        ("", None),
        ("WARNING: Error loading config file", None),
        ("unexpected EOF", None),
    ],
)
def test_a_line_is_an_event_or_nothing(line: str, event: ContainerEvent | None) -> None:
    assert parse_event(line) == event


# -- the list of all --------------------------------------------------------------------------------------------------

LIST = """\
["a1", "/plex-server", "plexinc/pms-docker", ""]
["b2", "/db", "postgres:16", ""]
["c3", "/plexguard-run", "plexinc/pms-docker", "plexguard.home.delta.20261101T000000Z"]
"""


def list_all(ids: str, inspected: Completed | None = None) -> tuple[FakeHost, tuple[Listed, ...]]:
    host = FakeHost({"docker ps": Completed(code=0, stdout=ids, stderr="")})
    if inspected is not None:
        host.answers["docker container inspect"] = inspected
    return host, list_containers(host)


def test_all_containers_but_those_of_runs_are_listed_with_the_image_they_were_made_from() -> None:
    host, found = list_all("a1\nb2\n", Completed(code=0, stdout=LIST, stderr=""))

    assert found == (
        Listed(id="a1", name="plex-server", image="plexinc/pms-docker"),
        Listed(id="b2", name="db", image="postgres:16"),
    )
    assert host.ran[0] == ["docker", "ps", "--all", "--quiet", "--no-trunc"]
    assert host.ran[1][-3:] == ["--", "a1", "b2"]


def test_an_engine_without_containers_is_not_asked_about_none() -> None:
    host, found = list_all("\n")

    assert found == ()
    assert len(host.ran) == 1


def test_a_container_that_goes_while_all_are_listed_takes_no_other_with_it() -> None:
    _, found = list_all("c3\na1\n", Completed(code=1, stdout=LIST, stderr="Error: No such container: c3"))

    assert [c.name for c in found] == ["plex-server", "db"]


def test_an_engine_that_goes_while_all_are_listed_is_no_empty_list() -> None:
    with pytest.raises(CommandFailed, match="daemon"):
        list_all("a1\n", Completed(code=1, stdout="", stderr="Cannot connect to the Docker daemon"))


@pytest.mark.parametrize("line", ["<html>", "5", "null", '["a1"]', '["a1", "/plex", "image"]', "[" * 100_000])
def test_a_list_that_is_not_dockers_is_a_fault_of_the_peer(line: str) -> None:
    with pytest.raises(PeerError):
        list_all("a1\n", Completed(code=0, stdout=line, stderr=""))
