"""Unit tests reach nothing: who opens a connection or starts a process fails. What needs either is an integration test."""

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import configuration, settings

# Examples are the same in every run, and nothing is kept of them. The table of Unicode that hypothesis makes for itself
# goes where all that is built goes.
configuration.set_hypothesis_home_dir(Path(__file__).parents[2] / "build" / "hypothesis")
settings.register_profile("plexguard", deadline=None, database=None, derandomize=True)
settings.load_profile("plexguard")


class OutsideReached(AssertionError):
    """A unit test reached for the network or for another process."""


def _refuse(what: str) -> Callable[..., NoReturn]:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OutsideReached(f"{what} in a unit test")

    return refuse


@pytest.fixture(autouse=True)
def _nothing_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", _refuse("socket.create_connection"))
    monkeypatch.setattr(socket, "getaddrinfo", _refuse("socket.getaddrinfo"))
    for call in ("connect", "connect_ex", "sendto", "sendmsg"):
        monkeypatch.setattr(socket.socket, call, _refuse(f"socket.{call}"))
    monkeypatch.setattr(subprocess.Popen, "__init__", _refuse("subprocess.Popen"))
    for call in ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system"):
        monkeypatch.setattr(os, call, _refuse(f"os.{call}"))
