"""The health check of Plex's container, run by a shell against answers of every kind."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.plex.messages import MIGRATING
from tests.fakes.receiver import Receiver, cuts, running, says
from tests.loopback import free_port
from tests.static.tree import health_command

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

_IDENTITY = b'<?xml version="1.0" encoding="UTF-8"?>\n<MediaContainer size="0" claimed="1"/>'


@pytest.fixture
def server() -> Iterator[Receiver]:
    """A server that gives one answer to everything: a healthy Plex's, unless it is told another."""
    with running(Receiver(says(200, _IDENTITY))) as server:
        yield server


@pytest.fixture
def health(tmp_path: Path) -> Path:
    """The folder of the flag as plexguard makes it."""
    (tmp_path / "README").touch()
    return tmp_path


@pytest.fixture
def check(health: Path) -> Callable[[int], subprocess.CompletedProcess[str]]:
    """Run the check as Docker does, with its folder and port replaced; curl waits 1 s instead of 5."""

    def run(port: int) -> subprocess.CompletedProcess[str]:
        command = health_command().replace("/run/plexguard/health", str(health)).replace("-m 5 ", "-m 1 ")
        command = command.replace("localhost:32400", f"127.0.0.1:{port}")
        env = {"PATH": os.environ["PATH"]}
        return subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=20, check=False, env=env)

    return run


def test_plex_that_answers_is_healthy(check, server):
    done = check(server.port)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (503, MIGRATING.encode(), 0),
        (503, b"<html><body><h1>503 Service Unavailable</h1></body></html>", 1),
        (500, b"<html><body><h1>500 Internal Server Error</h1></body></html>", 1),
        (404, b"", 1),
    ],
    ids=["migrates its database", "is deadlocked", "fails", "is another server"],
)
def test_plex_that_answers_with_an_error_is_told_apart(check, server, status, body, code):
    server.usual = says(status, body)
    assert check(server.port).returncode == code


def test_answer_that_breaks_off_is_unhealthy(check, server):
    server.usual = cuts(_IDENTITY, len(_IDENTITY) + 1)
    assert check(server.port).returncode != 0


def test_port_that_refuses_is_unhealthy(check):
    assert check(free_port()).returncode != 0


def test_plex_that_takes_connections_and_is_silent_is_unhealthy(check):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert check(silent.getsockname()[1]).returncode != 0


@pytest.mark.parametrize("mode", [0o644, 0o000], ids=["readable", "closed"])
def test_flag_makes_it_unhealthy_whatever_plex_says(check, server, health, mode):
    flag = health / "unreadable"
    flag.write_text("2 films stay unreadable\n")
    flag.chmod(mode)

    done = check(server.port)

    assert done.returncode == 1
    # The tests may run as root, who reads it all the same.
    assert done.stdout in ("2 films stay unreadable\n", "")


def test_nobody_who_keeps_the_flag_is_said_and_harms_nobody(check, server, health):
    (health / "README").unlink()
    done = check(server.port)
    assert (done.returncode, "plexguard is not there" in done.stdout) == (0, True)
