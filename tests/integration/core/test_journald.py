"""What a program does for its last entries, with a socket in journald's place."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from plexguard.core.journal import await_journald


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "socket"))
        yield receiver


def test_a_program_ends_after_journald_has_taken_its_last_entry(journald: socket.socket) -> None:
    address = journald.getsockname()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as program:
        program.sendto(b"MESSAGE=the last words", address)
    ends = threading.Thread(target=await_journald, args=(address,), kwargs={"timeout_s": 60.0})
    ends.start()

    assert journald.recv(100) == b"MESSAGE=the last words"
    ends.join(0.1)
    assert ends.is_alive()

    assert journald.recv(100) == b""
    ends.join(20)
    assert not ends.is_alive()


def test_a_journald_that_takes_nothing_keeps_no_program_from_ending(journald: socket.socket, tmp_path: Path) -> None:
    await_journald(journald.getsockname(), timeout_s=0.05)
    await_journald(str(tmp_path / "no-socket"), timeout_s=60.0)
