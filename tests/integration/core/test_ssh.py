"""Commands on another machine: a real sshd and a real rsync."""

import random
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from plexguard.core import rsync
from plexguard.core.clock import SystemClock
from plexguard.core.errors import IoFailed, NoPermission, Unavailable
from plexguard.core.host import CommandFailed, CommandMissing, CommandTimeout, Completed, LocalHost
from plexguard.core.ssh import ConnectionLost, HostKeyRefused, Login, Reconnecting, SshHost, connect
from tests.fakes.sshd import Sshd, running_sshd
from tests.waiting import await_true


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("ssh") / "sshd") as made:
        yield made


@pytest.fixture(scope="module")
def there(sshd: Sshd) -> Iterator[SshHost]:
    with connect(sshd.login) as host:
        yield host


@pytest.mark.parametrize(
    "argv",
    [
        ("printf", "%s|", "a b", "", "'", '"', "$HOME", "`id`", "*", "a\nb", "é", "\\", "-n"),
        ("sh", "-c", "echo out; echo err >&2; exit 3"),
        ("sh", "-c", 'echo "$LANG $LC_ALL"; cat'),
        ("head", "-c", "300000", "/dev/zero"),
    ],
    ids=["words", "both outputs and a code", "language and no input", "much"],
)
def test_the_same_list_gives_the_same_result_on_both_machines(there: SshHost, argv: tuple[str, ...]) -> None:
    assert there.run(argv, timeout_s=20, check=False) == LocalHost().run(argv, timeout_s=20, check=False)


def test_the_same_errors_are_raised_on_both_machines(there: SshHost) -> None:
    for host in (there, LocalHost()):
        with pytest.raises(CommandFailed, match=r"exit code 4: last words"):
            host.run(("sh", "-c", "echo last words >&2; exit 4"), timeout_s=20)
        with pytest.raises(CommandMissing):
            host.run(("no-such-command-anywhere",), timeout_s=20)
        with pytest.raises(CommandTimeout, match=r"sleep 60: no end within 0.3 s"):
            host.run(("sleep", "60"), timeout_s=0.3)


def test_what_overran_its_time_is_ended_there_with_its_children(there: SshHost, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(CommandTimeout):
        there.run(("sh", "-c", f"sleep 60 & echo $! > {pid_file}; wait"), timeout_s=1.0)

    pid = int(pid_file.read_text())
    await_true(lambda: not Path(f"/proc/{pid}").exists() or "State:\tZ" in Path(f"/proc/{pid}/status").read_text())


def test_what_a_long_command_prints_comes_as_it_is_printed(there: SshHost, tmp_path: Path) -> None:
    goes_on, heard = tmp_path / "goes on", bytearray()
    script = f'echo one; while [ ! -e "{goes_on}" ]; do sleep 0.05; done; echo two; exit 5'
    ended: list[int] = []

    def run() -> None:
        ended.append(there.run_through(("sh", "-c", script), out=heard.extend, err=heard.extend))

    thread = threading.Thread(target=run)
    thread.start()
    await_true(lambda: bytes(heard) == b"one\n")
    goes_on.touch()
    thread.join(20)

    assert (bytes(heard), ended) == (b"one\ntwo\n", [5])


def test_a_machine_that_is_not_known_or_another_is_not_talked_to(sshd: Sshd, tmp_path: Path) -> None:
    before = sshd.known_hosts.read_text()
    try:
        sshd.known_hosts.write_text("")
        with pytest.raises(HostKeyRefused, match=r"in no known_hosts") as caught, connect(sshd.login):
            pass
        assert f"ssh -p {sshd.port} root@127.0.0.1" in caught.value.hint
        sshd.know("other")
        with pytest.raises(HostKeyRefused, match=r"not the one in known_hosts"), connect(sshd.login):
            pass
        (tmp_path / "file").write_text("x")
        with pytest.raises(CommandFailed):
            rsync.send(LocalHost(), sshd.login, str(tmp_path / "file"), str(tmp_path / "copy"))
        assert not (tmp_path / "copy").exists()
    finally:
        sshd.known_hosts.write_text(before)


def test_who_is_not_let_in_and_who_is_not_there_are_told_apart(sshd: Sshd) -> None:
    authorized = sshd.folder / "authorized"
    before = authorized.read_text()
    try:
        authorized.write_text("")
        with pytest.raises(NoPermission, match="refuses root"), connect(sshd.login):
            pass
    finally:
        authorized.write_text(before)
    away = sshd.login.__class__(name="away", address="127.0.0.1", user="root", port=1)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1 port 1"), connect(away):
        pass


def test_a_connection_that_ends_in_the_middle_is_no_end_of_the_command(tmp_path: Path) -> None:
    with running_sshd(tmp_path / "sshd") as sshd, connect(sshd.login) as there:
        threading.Timer(0.5, sshd.kill).start()
        with pytest.raises(ConnectionLost):
            there.run(("sleep", "60"), timeout_s=50)
        with pytest.raises(ConnectionLost):
            there.run(("true",), timeout_s=5)


def test_a_command_that_was_under_way_is_lost_and_the_next_one_finds_the_machine_again(tmp_path: Path) -> None:
    asked: list[Login] = []
    with running_sshd(tmp_path / "sshd") as sshd:

        def find() -> Login:
            asked.append(sshd.login)
            return sshd.login

        told: list[str] = []
        there = Reconnecting(find, clock=SystemClock(), patience_s=30, tell=lambda _, why: told.append(why))
        assert there.run(("echo", "one"), timeout_s=20).stdout == "one\n"
        threading.Timer(0.5, sshd.kill).start()
        with pytest.raises(ConnectionLost):
            there.run(("sh", "-c", f"echo begun >> {tmp_path}/begun; sleep 60"), timeout_s=50)
        threading.Timer(1.0, sshd.start).start()
        assert there.run(("echo", "two"), timeout_s=20).stdout == "two\n"
        there.close()

    # Reached, away for a second, and reached again.
    assert (told[0], told[-1]) == ("", "") and all(told[1:-1]) and len(told) > 2
    # Once for each connection, and the command that was lost was not run again.
    assert len(asked) == 2
    assert (tmp_path / "begun").read_text() == "begun\n"


def test_a_machine_that_stays_away_is_tried_for_so_long_and_one_that_is_another_not_at_all(sshd: Sshd, tmp_path: Path) -> None:
    away = Login(name="away", address="127.0.0.1", user="root", port=1)
    told: list[str] = []
    with pytest.raises(Unavailable, match="port 1"):
        Reconnecting(lambda: away, clock=SystemClock(), patience_s=0.1, tell=lambda _, why: told.append(why)).run(
            ("true",), timeout_s=5
        )
    assert told and all("port 1" in why for why in told)
    asked: list[int] = []
    unknown = sshd.login.__class__(name="x", address="127.0.0.1", user="root", port=sshd.port, keys=sshd.login.keys)
    with pytest.raises(HostKeyRefused):
        Reconnecting(lambda: (asked.append(1), unknown)[1], clock=SystemClock(), patience_s=60).run(("true",), timeout_s=5)
    assert asked == [1]


def test_a_transfer_tells_how_far_it_is_and_why_it_failed(sshd: Sshd, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(range(256)) * 16_384)  # 4 MiB
    told: list[rsync.Progress] = []

    rsync.send(LocalHost(), sshd.login, str(source), str(target), limit_bytes_per_s=1 << 21, tell=told.append)

    assert target.read_bytes() == source.read_bytes()
    assert told[-1] == rsync.Progress(done_bytes=4 << 20, percent=100) and any(one.percent < 100 for one in told)
    with pytest.raises(CommandFailed, match=r"exit code 23: .*No such file"):
        rsync.fetch(LocalHost(), sshd.login, str(tmp_path / "absent"), str(target), tell=told.append)


def test_a_transfer_that_broke_off_is_taken_up_where_it_was(sshd: Sshd, tmp_path: Path) -> None:
    class Counting(LocalHost):
        """Has rsync say what it has carried."""

        said = ""

        def run(self, argv: Sequence[str], *, timeout_s: float, check: bool = True) -> Completed:
            done = super().run([argv[0], "--stats", *argv[1:]], timeout_s=timeout_s, check=check)
            self.said = done.stdout
            return done

    source, target, whole_bytes = tmp_path / "source", tmp_path / "target", 8 << 20
    source.write_bytes(random.Random(5).randbytes(whole_bytes))

    def break_off(progress: rsync.Progress) -> None:
        if progress.done_bytes >= whole_bytes // 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rsync.send(LocalHost(), sshd.login, str(source), str(target), limit_bytes_per_s=1 << 21, tell=break_off)
    # The other end keeps what came when it notices.
    await_true(target.exists)
    kept_bytes = target.stat().st_size
    host = Counting()
    rsync.send(host, sshd.login, str(source), str(target))

    carried = re.search(r"Literal data: ([\d,]+) bytes", host.said)
    assert carried is not None and 0 < kept_bytes < whole_bytes
    assert int(carried[1].replace(",", "")) <= whole_bytes - kept_bytes + (1 << 16)
    assert target.read_bytes() == source.read_bytes()


def test_a_peer_that_is_gone_is_noticed_after_five_signs_of_life_without_an_answer(there: SshHost) -> None:
    transport = there._client.get_transport()
    assert transport is not None

    assert transport.packetizer._Packetizer__keepalive_interval == 30
    assert transport.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5 * 30 * 1000


def test_a_small_file_is_written_for_its_owner_alone_and_over_none(there: SshHost, tmp_path: Path) -> None:
    there.put(b"secret", str(tmp_path / "a b"))

    assert (tmp_path / "a b").read_bytes() == b"secret"
    assert (tmp_path / "a b").stat().st_mode & 0o777 == 0o600
    with pytest.raises(IoFailed):
        there.put(b"other", str(tmp_path / "a b"))
    assert (tmp_path / "a b").read_bytes() == b"secret"


def test_files_go_there_and_come_back_whatever_they_are_called(sshd: Sshd, tmp_path: Path) -> None:
    source = tmp_path / "it's a $(name) *"
    source.write_bytes(bytes(range(256)) * 1000)
    folder = tmp_path / "folder of two"
    folder.mkdir()
    (folder / "x").write_text("x")

    rsync.send(LocalHost(), sshd.login, str(source), str(tmp_path / "there it's"))
    rsync.fetch(LocalHost(), sshd.login, str(tmp_path / "there it's"), str(tmp_path / "back"))
    rsync.fetch(LocalHost(), sshd.login, f"{folder}/", f"{tmp_path / 'fetched'}/")

    assert (tmp_path / "back").read_bytes() == source.read_bytes()
    assert (tmp_path / "fetched" / "x").read_text() == "x"
