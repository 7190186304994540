"""The storage of tests: it serves what is in its folder by S3 and WebDAV, and fails in each of the ways that it is told to."""

import asyncio
import gc
import http.client
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from tests.fakes.fault_proxy import CONTROL, DATA, KINDS, Proxy, Request
from tests.fakes.storage import ENVIRONMENT, RCLONE, Kind, Storage, find_newest_rclone, listens, make_library
from tests.loopback import free_port
from tests.waiting import await_true

REPOSITORY = Path(__file__).parents[3]
# Longer than whatever is meant to come, for what is not meant to.
IN_VAIN_S = 0.3
BYTES = 100_000


@pytest.fixture(scope="module")
def served() -> Iterator[Storage]:
    with Storage("webdav") as storage:
        make_library(storage.bucket, file_bytes=BYTES)
        yield storage


@pytest.fixture
def storage(served: Storage) -> Iterator[Storage]:
    """A storage that speaks plain HTTP, so that its faults can be looked at without rclone."""
    yield served
    served.faults.clear()


def rclone(storage: Storage, folder: Path, *arguments: str, program: str = RCLONE) -> "subprocess.CompletedProcess[bytes]":
    conf = folder / "rclone.conf"
    conf.write_text(storage.configuration(), encoding="utf-8")
    quick = ("--low-level-retries=1", "--retries=1", "--timeout=20s")
    return subprocess.run(
        [program, "--config", str(conf), *quick, *arguments], capture_output=True, env=ENVIRONMENT, timeout=60, check=False
    )


def ask(storage: Storage, target: str, *, method: str = "GET", timeout_s: float = 20.0) -> tuple[int, bytes]:
    host, _, port = storage.address.partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=timeout_s)
    try:
        connection.request(method, target, headers={"Depth": "1"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def url_of(name: str) -> str:
    return "/" + name.replace(" ", "%20")


@pytest.fixture
def film(storage: Storage) -> str:
    return url_of("Films/Film 3 (1983)/Film 3 (1983).mkv")


# -- what it serves ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["debian", "newest"])
@pytest.mark.parametrize("kind", get_args(Kind))
def test_both_rclones_list_and_read_what_is_in_its_folder(kind: Kind, program: str, tmp_path: Path) -> None:
    with Storage(kind) as storage:
        names = make_library(storage.bucket, file_bytes=BYTES)
        path = RCLONE if program == "debian" else str(find_newest_rclone())

        listed = rclone(storage, tmp_path, "lsf", "-R", "--files-only", storage.remote, program=path).stdout.decode()
        read = rclone(storage, tmp_path, "cat", f"{storage.remote}/{names[0]}", program=path).stdout

        assert sorted(listed.splitlines()) == sorted(names)
        assert read == (storage.bucket / names[0]).read_bytes()
        assert storage.faults.counts[DATA] == 1
        assert storage.faults.counts[CONTROL] >= 1


@pytest.mark.parametrize("kind", get_args(Kind))
def test_what_is_deleted_is_gone_for_who_asks_anew(kind: Kind, tmp_path: Path) -> None:
    with Storage(kind) as storage:
        make_library(storage.bucket, file_bytes=1)
        assert rclone(storage, tmp_path, "lsf", storage.remote).stdout.decode().split() == ["Films/", "Shows/"]

        storage.empty()

        await_true(lambda: rclone(storage, tmp_path, "lsf", storage.remote).stdout == b"")


def test_a_wrong_key_is_refused(tmp_path: Path) -> None:
    with Storage("s3") as storage:
        conf = tmp_path / "wrong.conf"
        conf.write_text(storage.configuration(secret="another-secret-key"), encoding="utf-8")
        argv = [RCLONE, "--config", str(conf), "--low-level-retries=1", "--retries=1", "lsf", storage.remote]
        done = subprocess.run(argv, capture_output=True, env=ENVIRONMENT, timeout=60, check=False)

    assert done.returncode != 0
    assert b"403" in done.stderr


def test_names_and_bytes_of_a_library_are_the_same_each_time(tmp_path: Path) -> None:
    names = make_library(tmp_path / "one", file_bytes=BYTES)

    assert make_library(tmp_path / "two", file_bytes=BYTES) == names
    contents = [(tmp_path / "one" / name).read_bytes() for name in names]
    assert contents == [(tmp_path / "two" / name).read_bytes() for name in names]
    assert len(set(contents)) == len(names)


# -- what is asked of it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "target", "about"),
    [
        ("GET", "/media/Films/a.mkv", DATA),
        ("GET", "/media/Films/a.mkv?x-id=GetObject", DATA),
        ("GET", "/media/prefix=a.mkv", DATA),
        ("HEAD", "/media/Films/a.mkv", CONTROL),
        ("GET", "/media?delimiter=%2F&list-type=2&prefix=Films%2F", CONTROL),
        ("GET", "/media/?prefix=a", CONTROL),
        ("PROPFIND", "/Films/a.mkv", CONTROL),
        ("GET", "/Films/", CONTROL),
    ],
)
def test_only_a_get_of_a_file_is_about_data(method: str, target: str, about: str) -> None:
    assert Request(method, target, b"").about == about


def test_requests_are_counted_by_what_they_are_about(storage: Storage, film: str) -> None:
    before = storage.faults.counts

    ask(storage, film)
    ask(storage, film, method="HEAD")
    ask(storage, "/Films/", method="PROPFIND")

    after = storage.faults.counts
    assert (after[DATA] - before[DATA], after[CONTROL] - before[CONTROL]) == (1, 2)
    assert [(about, method) for _, about, method, _ in storage.faults.log[-3:]] == [
        (DATA, "GET"),
        (CONTROL, "HEAD"),
        (CONTROL, "PROPFIND"),
    ]


# -- how it fails -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_it_answers_with_a_status_and_only_what_it_was_told_of(storage: Storage, film: str, status: int) -> None:
    storage.faults.set(DATA, "answer", status=status)

    assert ask(storage, film)[0] == status
    assert ask(storage, film, method="HEAD") == (200, b"")

    storage.faults.set(CONTROL, "answer", status=status)
    storage.faults.set(DATA)

    assert ask(storage, film)[0] == 200
    assert ask(storage, film, method="HEAD") == (status, b"")


def test_who_hangs_is_answered_when_the_fault_is_over(storage: Storage, film: str) -> None:
    storage.faults.set("all", "hang")
    with pytest.raises(TimeoutError):
        ask(storage, film, timeout_s=IN_VAIN_S)
    got: list[tuple[int, bytes]] = []
    thread = threading.Thread(target=lambda: got.append(ask(storage, film)))
    thread.start()
    await_true(lambda: storage.faults.held == 1, what="one who waits; the other left")
    assert got == []

    storage.faults.clear()

    thread.join()
    assert got[0][0] == 200
    assert len(got[0][1]) == BYTES


def test_a_slow_one_answers_late_and_whole(storage: Storage, film: str) -> None:
    storage.faults.set(DATA, "slow", seconds=IN_VAIN_S * 2)

    with pytest.raises(TimeoutError):
        ask(storage, film, timeout_s=IN_VAIN_S)
    assert len(ask(storage, film)[1]) == BYTES


def test_a_reset_reaches_the_client_as_one(storage: Storage, film: str) -> None:
    storage.faults.set(DATA, "reset")

    with pytest.raises(ConnectionResetError):
        ask(storage, film)


def test_a_body_stalls_in_the_middle_and_goes_on_when_the_fault_is_over(storage: Storage, film: str) -> None:
    storage.faults.set(DATA, "stall", after_bytes=BYTES // 2)
    host, _, port = storage.address.partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    connection.request("GET", film)
    # Afterwards the connection, which ends with the answer, no longer knows it.
    line = connection.sock
    answer = connection.getresponse()
    first = answer.read(BYTES // 2)
    await_true(lambda: storage.faults.held == 1)
    line.settimeout(IN_VAIN_S)
    with pytest.raises(TimeoutError):
        line.recv(1, socket.MSG_PEEK)

    storage.faults.clear()

    line.settimeout(20)
    assert len(first) == BYTES // 2
    assert len(answer.read()) == BYTES - BYTES // 2
    connection.close()


def test_a_body_breaks_off_with_a_reset(storage: Storage, film: str) -> None:
    storage.faults.set(DATA, "cut", after_bytes=BYTES // 2)

    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        ask(storage, film)


def test_a_trickle_is_whole_and_no_faster_than_told(storage: Storage, film: str) -> None:
    storage.faults.set(DATA, "trickle", bytes_per_s=int(BYTES / IN_VAIN_S))

    with pytest.raises(TimeoutError):
        ask(storage, film, timeout_s=IN_VAIN_S / 3)
    assert len(ask(storage, film)[1]) == BYTES


def test_a_stopped_one_refuses_connections_and_comes_back_on_its_port(storage: Storage, film: str) -> None:
    storage.faults.refuse()

    with pytest.raises(ConnectionRefusedError):
        ask(storage, film)

    storage.faults.clear()

    assert ask(storage, film)[0] == 200


def test_to_stop_it_ends_what_is_under_way(storage: Storage, film: str) -> None:
    storage.faults.set(DATA, "hang")
    got: list[BaseException] = []

    def fetch() -> None:
        try:
            ask(storage, film)
        except OSError as error:
            got.append(error)

    thread = threading.Thread(target=fetch)
    thread.start()
    await_true(lambda: storage.faults.held == 1)

    storage.faults.refuse()

    thread.join()
    assert isinstance(got[0], ConnectionResetError)


def test_a_frozen_one_takes_connections_and_answers_none_until_it_thaws(storage: Storage, film: str) -> None:
    storage.freeze()
    try:
        with pytest.raises(TimeoutError):
            ask(storage, film, timeout_s=IN_VAIN_S)
    finally:
        storage.thaw()

    assert ask(storage, film)[0] == 200


def test_an_unknown_fault_is_refused_and_nothing_changes(storage: Storage, film: str) -> None:
    with pytest.raises(ValueError, match=KINDS[0]):
        storage.faults.set(DATA, "explode")

    assert ask(storage, film)[0] == 200


# -- how it ends ------------------------------------------------------------------------------------------------------


def test_nothing_is_left_of_it() -> None:
    with Storage("webdav") as storage:
        port = int(storage.address.rpartition(":")[2])
        assert listens(port)

    assert not listens(port)
    assert not storage.folder.exists()


def test_nothing_serves_when_its_test_is_killed() -> None:
    code = """
        import time
        from tests.fakes.storage import Storage
        with Storage("webdav") as storage:
            print(storage.address.rpartition(":")[2], storage.folder, flush=True)
            time.sleep(60)
    """
    test = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], cwd=REPOSITORY, stdout=subprocess.PIPE)
    assert test.stdout is not None
    with test.stdout:
        port, folder = test.stdout.readline().decode().split()
    assert listens(int(port))

    os.kill(test.pid, signal.SIGKILL)
    test.wait()

    await_true(lambda: not listens(int(port)))
    # What a killed test leaves is a folder in /tmp, and no program.
    subprocess.run(["rm", "-r", folder], check=True)


def test_a_request_that_waits_is_not_collected_as_garbage():
    async def ask() -> bytes:
        is_asked = asyncio.Event()

        async def keep_waiting(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            is_asked.set()
            await is_collected.wait()
            writer.write(b"HTTP/1.1 200 OK\r\n\r\nbytes")
            writer.close()

        is_collected = asyncio.Event()
        server = await asyncio.start_server(keep_waiting, "127.0.0.1", 0)
        proxy = Proxy(("127.0.0.1", free_port()), server.sockets[0].getsockname())
        await proxy.listen()
        reader, writer = await asyncio.open_connection(*proxy.address)
        writer.write(b"GET /media/film HTTP/1.1\r\n\r\n")
        await is_asked.wait()
        gc.collect()
        await asyncio.sleep(0)
        is_collected.set()
        return await reader.read()

    assert asyncio.run(ask()).endswith(b"bytes")
