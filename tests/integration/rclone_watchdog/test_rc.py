"""Questions to a real rclone by its remote control."""

import dataclasses
import socket
import threading

import pytest

from plexguard.core.secret import Secret
from plexguard.rclone_watchdog.asking.answers import judge_text
from plexguard.rclone_watchdog.asking.rc import HttpRc, Line, RcAddress, RcClosed, RcFailed, RcGone, RcLate, RcStranger
from plexguard.rclone_watchdog.observe import Outcome
from tests.fakes.storage import BUCKET, Storage
from tests.integration.rclone_watchdog.support import VERSIONS, run_rclone
from tests.loopback import free_port
from tests.waiting import await_true

FILM = "Films/Alien/alien.mkv"
BYTES = bytes(range(256)) * 400
ODD = ["a b/#1 %41 [x] {y}.mkv", "100%/?&=+;:,'.mkv", 'quote"d/\\back.mkv', "d\xe9j\xe0 vu/\u6620\u753b.mkv"]


@pytest.fixture(scope="module", params=["s3", "webdav"])
def storage(request):
    with Storage(request.param) as served:
        for name in (FILM, *ODD):
            path = served.bucket / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(BYTES)
        yield served


@pytest.fixture(scope="module", params=VERSIONS)
def rclone(request, storage, tmp_path_factory):
    with run_rclone(storage, tmp_path_factory.mktemp("rclone"), version=request.param, is_mounted=False) as running:
        yield running


@pytest.fixture(autouse=True)
def _well_again(storage):
    yield
    storage.faults.clear()


def stat(rclone, path=FILM, timeout_s=20.0):
    return rclone.rc.call("operations/stat", {"fs": rclone.remote, "remote": path}, timeout_s=timeout_s)


@pytest.mark.parametrize("name", [FILM, *ODD], ids=repr)
def test_a_file_of_any_name_is_found_and_read(rclone, name):
    assert stat(rclone, name)["item"]["Size"] == len(BYTES)
    assert rclone.rc.read(rclone.remote, name, offset=1000, count=64, timeout_s=20.0) == BYTES[1000:1064]


def test_a_name_that_is_not_utf8_is_missing_and_no_error(rclone):
    assert stat(rclone, "Films/\udce9.mkv")["item"] is None
    with pytest.raises(RcFailed) as caught:
        rclone.rc.read(rclone.remote, "Films/\udce9.mkv", offset=0, count=64, timeout_s=20.0)
    assert judge_text(caught.value.text) is Outcome.MISSING


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (401, Outcome.REFUSED),
        (403, Outcome.REFUSED),
        (429, Outcome.REFUSED),
        (500, Outcome.FAILED),
        (502, Outcome.FAILED),
    ],
)
@pytest.mark.parametrize("command", ["operations/stat", "operations/list"])
def test_what_a_storage_answers_is_known_from_what_rclone_says(rclone, storage, status, outcome, command):
    storage.faults.set(kind="answer", status=status)
    values = {"fs": rclone.remote, "remote": FILM if command == "operations/stat" else ""}

    with pytest.raises(RcFailed) as caught:
        rclone.rc.call(command, values, timeout_s=60.0)

    assert judge_text(caught.value.text) is outcome


def test_a_connection_that_is_reset_is_a_failure(rclone, storage):
    storage.faults.set(kind="reset")
    with pytest.raises(RcFailed) as caught:
        stat(rclone, timeout_s=60.0)
    assert judge_text(caught.value.text) is Outcome.FAILED


def test_a_folder_that_is_not_there_is_missing_but_with_s3_which_has_no_folders(rclone, storage):
    values = {"fs": rclone.remote, "remote": "no/such/folder"}
    if storage.kind == "s3":
        assert not rclone.rc.call("operations/list", values, timeout_s=20.0)["list"]
        return
    with pytest.raises(RcFailed) as caught:
        rclone.rc.call("operations/list", values, timeout_s=20.0)
    assert judge_text(caught.value.text) is Outcome.MISSING


def test_a_storage_that_hangs_holds_a_question_no_longer_than_its_deadline(rclone, storage):
    storage.faults.set(kind="hang")
    with pytest.raises(RcLate):
        stat(rclone, timeout_s=0.3)
    assert rclone.rc.call("rc/noop", {"a": 1}, timeout_s=20.0) == {"a": 1}


def test_a_question_that_hangs_ends_when_it_is_given_up_by_another_thread(rclone, storage):
    storage.faults.set(kind="hang")
    line, ended = Line(), []

    def ask():
        with pytest.raises(RcClosed):
            rclone.rc.call("operations/stat", {"fs": rclone.remote, "remote": FILM}, timeout_s=60.0, line=line)
        ended.append(True)

    thread = threading.Thread(target=ask)
    thread.start()
    await_true(lambda: storage.faults.held)
    line.cut()
    thread.join(20.0)
    assert ended
    # rclone has given it up, too.
    await_true(lambda: not storage.faults.held)


def test_a_frozen_rclone_is_late_and_a_wrong_password_a_stranger(rclone):
    rclone.freeze()
    try:
        with pytest.raises(RcLate):
            rclone.rc.call("rc/noop", {}, timeout_s=0.3)
    finally:
        rclone.thaw()
    with pytest.raises(RcStranger):
        HttpRc(dataclasses.replace(rclone.address, password=Secret("another"))).call("rc/noop", {}, timeout_s=20.0)


def address_of(port):
    return RcAddress(url=f"http://127.0.0.1:{port}", user="u", password=Secret("some-password"))


def test_nobody_there_is_gone_on_a_port_and_on_a_socket(tmp_path):
    for address in (address_of(free_port()), dataclasses.replace(address_of(1), url=f"unix://{tmp_path}/none")):
        with pytest.raises(RcGone):
            HttpRc(address).call("rc/noop", {}, timeout_s=20.0)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 9_000_000,
        b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["nothing", "no HTTP", "no JSON", "cut", "no object", "endless header", "endless", "refused"],
)
def test_whatever_else_listens_there_is_a_typed_error(answer):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                try:
                    peer.sendall(answer)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises((RcStranger, RcClosed)):
            HttpRc(address_of(listener.getsockname()[1])).call("rc/noop", {}, timeout_s=20.0)
        thread.join(20.0)


def test_the_newest_rclone_listens_on_a_socket_of_its_folder(storage, tmp_path):
    with run_rclone(storage, tmp_path, version="newest", is_mounted=False, socket=True) as rclone:
        assert stat(rclone)["item"]["Name"] == "alien.mkv"
        assert rclone.rc.call("rc/noop", {"b": BUCKET}, timeout_s=20.0) == {"b": BUCKET}
