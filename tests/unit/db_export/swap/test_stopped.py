"""What proves that Plex is stopped, and what does not."""

from pathlib import Path

import pytest

from plexguard.core.errors import TryAgain
from plexguard.core.found import DOCKER_UNIT, FoundPlex, Server
from plexguard.core.host import CommandTimeout, Completed
from plexguard.core.manager import Unit
from plexguard.core.processes import Process
from plexguard.db_export.database.files import PlexData
from plexguard.db_export.swap import stopped
from plexguard.db_export.swap.containers import Holder, is_still
from plexguard.db_export.swap.users import User
from tests.fakes.ports import FakeClock, FakeHost, FakeManager

DATA = PlexData(folder=Path("/srv/plex/Plex Media Server"))
NATIVE = FoundPlex(server=Server.UNIT, name="plexmediaserver.service", preferences=str(DATA.preferences))
CONTAINER = FoundPlex(server=Server.CONTAINER, name="plex", preferences=str(DATA.preferences))
DOCKER = Unit(name=DOCKER_UNIT, load_state="loaded", active_state="active")
INSPECT = "docker container inspect"


@pytest.mark.parametrize("state", ["active", "activating", "reloading"])
def test_unit_that_runs_is_refused_at_once(state):
    manager, clock = FakeManager(Unit(name=NATIVE.name, load_state="loaded", active_state=state)), FakeClock()

    with pytest.raises(TryAgain, match=f"plexmediaserver.service is {state}") as refused:
        stopped.prove_stopped(DATA, NATIVE, manager=manager, host=FakeHost(), clock=clock)

    assert clock.slept == []
    assert refused.value.hint == "systemctl stop plexmediaserver.service"


def test_unit_that_is_being_stopped_is_waited_for_until_the_limit():
    manager, clock = FakeManager(Unit(name=NATIVE.name, load_state="loaded", active_state="deactivating")), FakeClock()

    with pytest.raises(TryAgain, match="is being stopped"):
        stopped.prove_stopped(DATA, NATIVE, manager=manager, host=FakeHost(), clock=clock, wait_s=5.0)

    assert sum(clock.slept) == pytest.approx(5.0, abs=0.3)


@pytest.mark.parametrize("status", ["running", "paused", "restarting", "removing", ""])
def test_container_that_is_not_still_is_refused(status):
    host = FakeHost({INSPECT: Completed(code=0, stdout=f"{status}\n", stderr="")})

    running = stopped.find_running(DATA, CONTAINER, manager=FakeManager(DOCKER), host=host)

    assert running is not None
    assert "container plex is" in running.reason
    assert running.hint == "docker stop plex"


@pytest.mark.parametrize("status", ["created", "exited", "dead"])
def test_container_that_runs_nothing_is_stopped(status):
    assert is_still(status)


@pytest.mark.parametrize(
    "answer",
    [CommandTimeout("docker: no end within 15 s"), Completed(code=1, stdout="", stderr="permission denied")],
    ids=["silent", "refused"],
)
def test_docker_that_does_not_tell_is_no_proof(answer):
    running = stopped.find_running(DATA, CONTAINER, manager=FakeManager(DOCKER), host=FakeHost({INSPECT: answer}))

    assert running is not None
    assert "can't tell" in running.reason


def test_users_and_servers_may_be_closing():
    running = stopped.judge_processes(
        (User(pid=7, name="Plex Media Serv", file="library.db"),),
        (Process(pid=8, name="Plex Media Server", state="running", uid=1),),
        None,
    )

    assert running == stopped.Running(
        reason="Plex Media Serv (pid 7) has open library.db; Plex Media Server (pid 8, running) runs", passes=True
    )
    assert stopped.judge_processes((), (), None) is None


def test_process_is_named_once_with_what_it_runs_in_and_how_to_stop_that():
    users = tuple(User(pid=7, name="Plex Media Serv", file=file) for file in ("library.db", "library.db-wal"))
    server = Process(pid=7, name="Plex Media Server", state="running", uid=1)

    running = stopped.judge_processes(users, (server,), Holder(name="container plex", stop="docker stop plex"))

    assert running == stopped.Running(
        reason="Plex Media Serv (pid 7) has open library.db, in container plex", passes=True, hint="docker stop plex"
    )


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        (b"PLEX_MEDIA_SERVER_APPLICATION_SUPPORT_DIR=/config/Library\0HOME=/root\0", "/config/Library/Plex Media Server"),
        (b"HOME=/var/lib/plex\0", "/var/lib/plex/Library/Application Support/Plex Media Server"),
        (b"PATH=/bin\0", None),
        (b"", None),
    ],
    ids=["named", "by home", "neither", "ending"],
)
def test_folder_of_a_server_is_in_its_environment(environment, folder):
    assert stopped.find_folder(stopped.parse_environment(environment)) == folder


def test_other_data_is_not_that_of_the_server_that_was_found():
    assert stopped.is_data_of(DATA, NATIVE)
    assert not stopped.is_data_of(PlexData(folder=Path("/srv/copy")), NATIVE)
    assert not stopped.is_data_of(DATA, FoundPlex(server=Server.NONE))
