"""A service tells its manager the truth: over a notify socket of ours, in a process of its own."""

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from plexguard.core.notify import SystemdNotifier
from tests.integration.core.conftest import environment, python
from tests.waiting import await_true

SERVICE = """
    import time
    from plexguard.core.daemon import run_cycles
    from plexguard.core.notify import SystemdNotifier

    count = 0

    def cycle():
        global count
        count += 1
        time.sleep({wait})
        return f"cycle {{count}}: 日本 is well"

    try:
        run_cycles(cycle, SystemdNotifier())
    finally:
        print("cleaned up")
"""


@contextmanager
def notify_socket(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address.replace("@", "\0", 1))
        listener.settimeout(10)
        yield listener


@contextmanager
def service(address: str, *, wait: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        python(SERVICE.format(wait=wait)), env=environment(NOTIFY_SOCKET=address), stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_service_tells_ready_status_and_watchdog_then_stopping(tmp_path: Path) -> None:
    address = f"{tmp_path}/notify"
    with notify_socket(address) as listener, service(address, wait="0.02") as process:
        told = [listener.recv(4096).decode("utf-8") for _ in range(3)]
        process.terminate()
        out, _ = process.communicate(timeout=10)
        listener.setblocking(False)
        rest: list[str] = []
        try:
            while True:
                rest.append(listener.recv(4096).decode("utf-8"))
        except BlockingIOError:
            pass

    assert told == [
        "READY=1\nSTATUS=cycle 1: 日本 is well\nWATCHDOG=1",
        "STATUS=cycle 2: 日本 is well\nWATCHDOG=1",
        "STATUS=cycle 3: 日本 is well\nWATCHDOG=1",
    ]
    assert rest[-1] == "STOPPING=1"
    assert (process.returncode, out) == (0, "cleaned up\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_means_stop_within_a_second_in_the_middle_of_a_wait(tmp_path: Path, number: signal.Signals) -> None:
    address = f"{tmp_path}/notify"
    with notify_socket(address) as listener, service(address, wait="60 if count > 1 else 0") as process:
        assert listener.recv(4096).startswith(b"READY=1")

        process.send_signal(number)
        asked = time.monotonic()
        out, _ = process.communicate(timeout=30)
        took = time.monotonic() - asked

        assert listener.recv(4096) == b"STOPPING=1"
    assert (process.returncode, out) == (0, "cleaned up\n")
    # The promise itself is a time: stop means stop within a second.
    assert took < 1.0


def test_stop_is_heard_while_the_manager_does_not_read(tmp_path: Path) -> None:
    address = f"{tmp_path}/notify"
    with notify_socket(address) as listener, service(address, wait="0") as process:
        assert listener.recv(4096).startswith(b"READY=1")
        # Nobody reads any more: the queue of the socket fills up, and the service waits in the middle of telling.
        stack = Path(f"/proc/{process.pid}/wchan")
        await_true(lambda: "unix" in stack.read_text(), what=stack.read_text)

        process.terminate()
        time.sleep(0.2)
        listener.setblocking(False)
        told: list[bytes] = []
        deadline = time.monotonic() + 10
        while process.poll() is None and time.monotonic() < deadline:
            try:
                told.append(listener.recv(4096))
            except BlockingIOError:
                time.sleep(0.01)
        while True:
            try:
                told.append(listener.recv(4096))
            except BlockingIOError:
                break

    assert process.returncode == 0
    assert told[-1] == b"STOPPING=1"


def test_notifier_knows_abstract_sockets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    address = f"@plexguard-test{tmp_path}"
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    with notify_socket(address) as listener:
        SystemdNotifier().tell("READY=1", "STATUS=Amélie")

        assert listener.recv(4096) == "READY=1\nSTATUS=Amélie".encode()


@pytest.mark.parametrize("address", ["/nowhere/at-all", "", "@", "relative", "/" + "x" * 300])
def test_notifier_does_not_fail_where_the_manager_is_gone(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)

    SystemdNotifier().tell("READY=1")
