"""The root side of a request, over a real socket: what it looks into, what it refuses, and what it leaves behind."""

import contextlib
import dataclasses
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from plexguard.core.daemon import StopAsked
from plexguard.core.errors import DataError
from plexguard.core.guarded import NONE_GUARDED, Guarded, Unproven
from plexguard.core.perms_request import MAX_PACKET_BYTES, Answer, Verdict, ask, parse_answer, to_packet
from plexguard.core.unreadable import Record, open_record
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.request.act import LONGEST_LOOK, WAIT_S, Server
from plexguard.perms_audit.roots import RootFault
from plexguard.perms_audit.runs import RunLog, list_runs, read_run
from plexguard.perms_audit.undo import Undone, undo
from tests.fakes.ports import FakeClock, FakeJournal, fake_ports
from tests.integration.perms_audit.support import (
    READER,
    become_nobody,
    make_file,
    make_folder,
    mode_of,
    needs_mounts,
    run_child,
    set_acl,
    slow_disk,
    snapshot,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root answers requests")


class Bell:
    """The server behind its socket, with everything it reaches. Each `ring` is a packet of a peer and one cycle."""

    def __init__(self, folder: Path, config: Config, *, longest_look: timedelta = LONGEST_LOOK) -> None:
        self.folder, self.config, self.longest_look = folder, config, longest_look
        self.address = folder / "socket"
        self.journal, self.clock = FakeJournal(), FakeClock()
        self.guarded = NONE_GUARDED
        make_folder(folder / "state")
        make_folder(folder / "run/health")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.bind(str(self.address))
        self.address.chmod(0o666)
        self._socket.listen()
        self.start()

    def start(self) -> None:
        ports = fake_ports(journal=self.journal, clock=self.clock)
        self.server = Server(
            self._socket,
            self.config,
            ports,
            folder=self.folder / "state",
            runtime=self.folder / "run",
            longest_look=self.longest_look,
            read_guarded=lambda _now: self.guarded,
        )

    def close(self) -> None:
        self._socket.close()

    def ring(self, packet: bytes) -> Answer | None:
        """Return the answer to a packet, None when there was none."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
            peer.connect(str(self.address))
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
            peer.sendall(packet)
            try:
                self.server.cycle()
            finally:
                peer.settimeout(5)
                answer = peer.recv(MAX_PACKET_BYTES)
        return parse_answer(answer) if answer else None

    def ask(self, path: Path | str) -> Answer:
        answer = self.ring(json.dumps({"path": str(path)}).encode())
        assert answer is not None
        return answer

    def verdict(self, path: Path | str) -> Verdict:
        return self.ask(path).verdict

    @property
    def flag(self) -> Path:
        return self.folder / "run/health/unreadable"

    @property
    def runs(self) -> Path:
        return self.folder / "state/runs"

    @property
    def flagged(self) -> list[str]:
        record = open_record(self.journal, self.folder / "state/unreadable.json").load() or Record()
        return list(record.paths)


@pytest.fixture
def film(public: Path) -> Path:
    make_file(public / "root/Show/film.mkv")
    (public / "root/Show/film.mkv").write_bytes(b"film")
    for folder in ("root/Show", "root"):
        (public / folder).chmod(0o755)
    make_file(public / "root2/film.mkv", 0o600)
    make_file(public / "outside/film.mkv", 0o600)
    return public / "root/Show/film.mkv"


@pytest.fixture
def root(film: Path) -> Path:
    return film.parents[1]


@pytest.fixture
def config(root: Path) -> Config:
    return Config(
        roots=(str(root),), as_uid=READER.uid, as_gid=READER.gids[0], stall_timeout=timedelta(seconds=10), excludes=("*.part",)
    )


@pytest.fixture
def bell(tmp_path: Path, config: Config) -> Iterator[Bell]:
    bell = Bell(tmp_path, config)
    yield bell
    bell.close()


# -- mounts that are guarded ------------------------------------------------------------------------------------------


def test_what_lies_on_a_mount_that_is_not_proven_is_not_looked_at(bell: Bell, film: Path, root: Path) -> None:
    film.chmod(0o600)
    film.parent.chmod(0o700)
    dead = Unproven(name="show", mount_point=str(film.parent), verdict="hung", why="hung")
    bell.guarded = Guarded(mount_points={"show": str(film.parent)}, unproven=(dead,))
    before = snapshot(root)

    assert bell.ask(film) == Answer(verdict=Verdict.UNKNOWN, detail=RootFault.NOT_PROVEN.value)

    assert snapshot(root) == before
    assert bell.journal.names == []


# -- verdicts ---------------------------------------------------------------------------------------------------------


def test_what_plex_can_read_is_not_touched_whatever_a_log_says(bell: Bell, film: Path, root: Path) -> None:
    film.chmod(0o604)
    before = snapshot(root)

    assert bell.ask(film) == Answer(verdict=Verdict.READABLE)

    assert snapshot(root) == before
    assert bell.journal.names == []
    assert list_runs(bell.runs) == []


def test_what_plex_cannot_read_is_repaired_with_the_folders_above_and_proven(bell: Bell, film: Path, root: Path) -> None:
    make_file(root / "Show/other.mkv", 0o600)
    film.chmod(0o600)
    film.parent.chmod(0o700)

    assert bell.verdict(film) is Verdict.REPAIRED

    assert (mode_of(film), mode_of(film.parent)) == (0o644, 0o755)
    assert mode_of(root / "Show/other.mkv") == 0o600


def test_a_repair_by_request_has_its_list_and_can_be_undone(bell: Bell, film: Path, root: Path) -> None:
    film.chmod(0o600)
    before = snapshot(root)
    bell.ask(film)

    (run,) = list_runs(bell.runs)
    found = read_run(bell.runs, run)
    assert found.head.by == "request"
    assert [(c.full_path, c.old.mode, c.new.mode) for c in found.changes] == [(str(film), 0o600, 0o644)]
    with contextlib.closing(RunLog(bell.runs, "undo", bell.clock)) as runs:
        # The fake clock is long past: for it the file was made in the future.
        assert undo(found.changes, runs, bell.clock, dry_run=True).counts[Undone.GONE] == 1
    assert snapshot(root) != before


def test_what_stays_unreadable_is_flagged_told_once_and_cleared_when_it_is_cured(bell: Bell, film: Path) -> None:
    set_acl(film, users={READER.uid: 0})

    answer = bell.ask(film)

    assert (answer.verdict, answer.detail) == (Verdict.UNREADABLE, f"{film}: its ACL (getfacl) keeps 54322 (uid 54322) out")
    assert bell.flagged == [str(film)]
    assert bell.flag.read_text() == f"1 unreadable, such as {film}\n"
    bell.clock.pass_time(3601)
    assert bell.verdict(film) is Verdict.UNREADABLE
    assert bell.journal.names.count("perms.unhealthy") == 1

    os.removexattr(film, "system.posix_acl_access")
    film.chmod(0o644)
    bell.clock.pass_time(3601)
    assert bell.verdict(film) is Verdict.READABLE
    assert bell.journal.values("perms.healthy") == {"path": str(film), "state": "readable again", "downtime_s": 7202.0}
    assert bell.flagged == []
    assert not bell.flag.exists()


def test_what_a_folder_above_the_roots_keeps_closed_is_unreadable_and_that_folder_is_left(
    bell: Bell, film: Path, root: Path
) -> None:
    root.parent.chmod(0o700)

    answer = bell.ask(film)

    assert answer.verdict is Verdict.UNREADABLE
    assert answer.detail.startswith(f"{root.parent}: no x for others")
    assert mode_of(root.parent) == 0o700


def test_what_is_not_there_is_missing_and_is_not_flagged(bell: Bell, root: Path) -> None:
    assert bell.verdict(root / "Show/gone.mkv") is Verdict.MISSING
    assert bell.verdict(root / "gone/gone.mkv") is Verdict.MISSING
    assert bell.flagged == []


def test_a_folder_can_be_asked_for_and_so_can_a_root(bell: Bell, film: Path, root: Path) -> None:
    film.parent.chmod(0o700)
    root.chmod(0o711)

    assert bell.verdict(film.parent) is Verdict.REPAIRED
    assert (mode_of(root), mode_of(film.parent)) == (0o755, 0o755)
    root.chmod(0o700)
    bell.start()
    bell.clock.pass_time(3601)
    assert bell.verdict(root) in (Verdict.REPAIRED, Verdict.UNREADABLE)


def test_a_dry_run_repairs_nothing(tmp_path: Path, config: Config, film: Path) -> None:
    film.chmod(0o600)
    with contextlib.closing(Bell(tmp_path, dataclasses.replace(config, dry_run=True))) as bell:
        assert bell.verdict(film) is Verdict.UNREADABLE

    assert mode_of(film) == 0o600
    assert list_runs(bell.runs) == []


def test_what_is_left_out_of_the_audit_is_left_alone(bell: Bell, root: Path) -> None:
    make_file(root / "Show/film.part", 0o600)

    assert bell.verdict(root / "Show/film.part") is Verdict.UNREADABLE
    assert mode_of(root / "Show/film.part") == 0o600


def test_set_id_files_and_files_with_other_names_are_left(bell: Bell, root: Path, film: Path) -> None:
    make_file(root / "tool", 0o4700)
    os.link(root.parent / "outside/film.mkv", root / "linked.mkv")

    assert bell.verdict(root / "tool") is Verdict.UNREADABLE
    # Only a full audit can tell where its other names are, and it is started for that.
    assert bell.verdict(root / "linked.mkv") is Verdict.UNKNOWN
    assert (mode_of(root / "tool"), mode_of(root.parent / "outside/film.mkv")) == (0o4700, 0o600)


def test_a_path_that_plex_knows_by_a_link_is_repaired_behind_it(tmp_path: Path, config: Config, film: Path, root: Path) -> None:
    (root.parent / "media").symlink_to("root")
    (root.parent).chmod(0o755)
    film.chmod(0o600)
    with contextlib.closing(Bell(tmp_path, dataclasses.replace(config, roots=(str(root.parent / "media"),)))) as bell:
        assert bell.verdict(root.parent / "media/Show/film.mkv") is Verdict.REPAIRED

    assert mode_of(film) == 0o644


@needs_mounts
@pytest.mark.parametrize("spoil", ["hang", "die", "empty"])
def test_on_a_mount_that_is_not_proven_alive_nothing_is_known_and_nothing_changed(
    tmp_path: Path, public: Path, config: Config, spoil: str
) -> None:
    content = b"" if spoil == "empty" else b"film"
    given = dataclasses.replace(config, roots=(str(public),), stall_timeout=timedelta(seconds=1))
    with slow_disk(public, {"film.mkv": content}) as disk, contextlib.closing(Bell(tmp_path, given)) as bell:
        if spoil != "empty":
            getattr(disk, spoil)()
        began_s = time.monotonic()

        answer = bell.ask(disk.target / "film.mkv")

        assert answer.verdict is (Verdict.UNREADABLE if spoil == "empty" else Verdict.UNKNOWN)
        assert {"hang": "hangs", "die": "not connected", "empty": "no r for others"}[spoil] in answer.detail
        assert time.monotonic() - began_s < 6
        assert bell.flagged == ([str(disk.target / "film.mkv")] if spoil == "empty" else [])
        disk.recover()
        if spoil != "die":
            assert mode_of(disk.target / "film.mkv") == 0o600


@needs_mounts
def test_a_hung_mount_is_not_waited_for_until_the_watchdog_ends_the_service(tmp_path: Path, public: Path, config: Config) -> None:
    given = dataclasses.replace(config, roots=(str(public),), stall_timeout=timedelta(hours=1))
    look = timedelta(seconds=0.5)
    with slow_disk(public, {"film.mkv": b"film"}) as disk, contextlib.closing(Bell(tmp_path, given, longest_look=look)) as bell:
        disk.hang()

        answer = bell.ask(disk.target / "film.mkv")

        assert (answer.verdict, answer.detail) == (Verdict.UNKNOWN, "no answer within 0.5 s: its file system hangs")
        disk.recover()


# -- hostile paths ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/etc/shadow",
        "/",
        "",
        "film.mkv",
        "{root}/../outside/film.mkv",
        "{root}/Show/../../outside/film.mkv",
        "{root}/./Show/film.mkv",
        "{root}//Show/film.mkv",
        "{root}/Show/",
        "{root}2/film.mkv",
        "{root}/Show\0/film.mkv",
        "\0",
        "\n" * 4096,
        "{outside}/film.mkv",
        "//etc/shadow",
        "/proc/self/root{root}/Show/film.mkv",
    ],
    ids=lambda path: repr(path[:24]),
)
def test_a_path_outside_the_roots_is_not_looked_at(bell: Bell, root: Path, path: str) -> None:
    (root / "Show/film.mkv").chmod(0o600)
    before = snapshot(root.parent)

    assert bell.verdict(path.format(root=root, outside=root.parent / "outside")) is Verdict.OUTSIDE

    assert snapshot(root.parent) == before
    assert bell.journal.values("perms.request-refused") == {"uid": 0, "reason": "the path lies below no root"}


@pytest.mark.parametrize(
    "name", ["/film.mkv", "/Show/film.mkv", "/Show", "/film"], ids=["file", "through a folder", "a folder", "dangling"]
)
def test_links_lead_nowhere(bell: Bell, root: Path, name: str) -> None:
    links = {"/film.mkv": "../outside/film.mkv", "/Show/film.mkv": "../outside", "/Show": "../outside", "/film": "/nowhere"}
    target = root / name.split("/")[1]
    if name.startswith("/Show"):
        (root / "Show").rename(root / "moved")
    target.symlink_to(links[name])
    before = snapshot(root.parent)

    assert bell.verdict(f"{root}{name}") in (Verdict.UNKNOWN, Verdict.MISSING)

    assert snapshot(root.parent) == before
    assert bell.flagged == []


def test_what_is_neither_file_nor_folder_is_not_opened(bell: Bell, root: Path) -> None:
    os.mkfifo(root / "pipe", 0o600)
    os.mknod(root / "device", 0o020600, os.makedev(1, 5))

    assert bell.verdict(root / "pipe") is Verdict.UNKNOWN
    assert bell.verdict(root / "device") is Verdict.UNKNOWN
    assert (mode_of(root / "pipe"), mode_of(root / "device")) == (0o600, 0o600)


@pytest.mark.parametrize(
    "name",
    ["x" * 5000, "/".join(["x"] * 2500), "\udcff\udcfe", "a\nb", "\u2028", "%s{path}", "x" * 256],
    ids=["a long name", "a long path", "no UTF-8", "a newline", "a line separator", "a format", "256 bytes"],
)
def test_odd_names_below_a_root_are_names_like_others(bell: Bell, root: Path, name: str) -> None:
    assert bell.verdict(f"{root}/{name}") in (Verdict.MISSING, Verdict.UNKNOWN)


def test_a_name_that_is_no_utf8_is_repaired_and_flagged_like_any_other(bell: Bell, root: Path) -> None:
    path = os.fsencode(root) + b"/a\n\xff.mkv"
    make_file(path, 0o600)

    assert bell.verdict(os.fsdecode(path)) is Verdict.REPAIRED
    assert mode_of(path) == 0o644


@pytest.mark.parametrize(
    "packet",
    [
        b"{",
        b"\x00" * 100,
        b"[]",
        b'"/etc/shadow"',
        b"null",
        b'{"path": 5}',
        b'{"path": null}',
        b"{}",
        b'{"path": ["/etc"]}',
        b"\xff\xfe\xfd",
        b"[" * 20_000,
        b'{"path": "/' + b"a" * 100_000 + b'"}',
        b'{"path": NaN}',
    ],
    ids=lambda packet: repr(packet[:16]),
)
def test_what_is_no_request_is_refused_and_the_server_lives(bell: Bell, film: Path, packet: bytes) -> None:
    answer = bell.ring(packet)

    assert answer is not None
    assert answer.verdict is Verdict.OUTSIDE
    assert bell.journal.names == ["perms.request-refused"]
    assert bell.verdict(film) is Verdict.READABLE


def test_a_flood_of_refusals_is_told_once_a_minute(bell: Bell) -> None:
    for _ in range(20):
        bell.ask("/etc/shadow")
    assert bell.journal.names == ["perms.request-refused"]

    bell.clock.pass_time(60)
    bell.ask("/etc/shadow")
    assert bell.journal.names == ["perms.request-refused"] * 2


def test_who_connects_and_says_nothing_does_not_hold_the_others_up(bell: Bell, film: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
        silent.connect(str(bell.address))
        began_s = time.monotonic()
        bell.server.cycle()
        assert time.monotonic() - began_s < 3

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as gone:
        gone.connect(str(bell.address))
    bell.server.cycle()

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as deaf:
        deaf.connect(str(bell.address))
        deaf.sendall(json.dumps({"path": str(film)}).encode())
    bell.server.cycle()

    bell.clock.pass_time(60)
    assert bell.verdict(film) is Verdict.READABLE


def test_another_user_is_not_answered(bell: Bell, film: Path, public: Path) -> None:
    # given: nobody, at a socket that everybody can come to
    film.chmod(0o600)
    reached = public / "socket"
    os.link(bell.address, reached)

    def attempt() -> bytes:
        become_nobody()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
            peer.connect(str(reached))
            peer.settimeout(10)
            with contextlib.suppress(BrokenPipeError):
                peer.sendall(json.dumps({"path": str(film)}).encode())
            try:
                return peer.recv(MAX_PACKET_BYTES)
            except ConnectionResetError:
                return b""

    # The first wait is too short for a thread to be in time.
    assert bell.server.cycle() == "0 requests answered"
    server = threading.Thread(target=bell.server.cycle)
    server.start()
    try:
        assert run_child(attempt) == b""
    finally:
        server.join(30)

    assert mode_of(film) == 0o600
    assert bell.journal.values("perms.request-refused") == {"uid": 65534, "reason": "this user may not ask"}


# -- how often --------------------------------------------------------------------------------------------------------


def test_the_same_path_is_not_looked_into_again_at_once(bell: Bell, film: Path) -> None:
    assert bell.verdict(film) is Verdict.READABLE
    film.chmod(0o600)

    answer = bell.ask(film)
    assert (answer.verdict, answer.retry_s) == (Verdict.LATER, 30.0)
    assert mode_of(film) == 0o600

    bell.clock.pass_time(30)
    assert bell.verdict(film) is Verdict.REPAIRED


def test_a_log_that_names_a_thousand_paths_has_thirty_a_minute_looked_into(bell: Bell, root: Path) -> None:
    verdicts = [bell.verdict(root / f"{number}.mkv") for number in range(100)]

    assert verdicts == [Verdict.MISSING] * 30 + [Verdict.LATER] * 70


def test_what_was_repaired_by_another_run_lately_is_left_by_a_request_too(bell: Bell, film: Path) -> None:
    film.chmod(0o600)
    bell.ask(film)
    film.chmod(0o600)
    bell.start()
    (run,) = list_runs(bell.runs)
    os.utime(bell.runs / f"{run}.jsonl", (bell.clock.now().timestamp(),) * 2)

    assert bell.verdict(film) is Verdict.UNREADABLE
    assert mode_of(film) == 0o600


# -- no way back, and other trouble -----------------------------------------------------------------------------------


def test_where_no_list_can_be_made_nothing_is_changed(bell: Bell, film: Path) -> None:
    film.chmod(0o600)
    bell.runs.write_text("a file is in its place")

    assert bell.verdict(film) in (Verdict.UNREADABLE, Verdict.UNKNOWN)

    assert mode_of(film) == 0o600


def test_a_record_that_cannot_be_written_costs_no_answer_and_is_told_once_a_minute(bell: Bell, film: Path, root: Path) -> None:
    set_acl(film, users={READER.uid: 0})
    make_file(root / "Show/other.mkv")
    (bell.folder / "state/unreadable.lock").mkdir()

    assert bell.verdict(film) is Verdict.UNREADABLE
    assert bell.verdict(root / "Show/other.mkv") is Verdict.READABLE

    told = bell.journal.values("perms.not-recorded")
    assert told["path"] == str(film)
    assert "unreadable.lock" in str(told["reason"])

    bell.clock.pass_time(60)
    assert bell.verdict(root / "Show/other.mkv") is Verdict.READABLE
    assert bell.journal.names == ["perms.not-recorded"] * 2


def test_a_server_that_nobody_asks_ends(bell: Bell) -> None:
    bell._socket.settimeout(0.1)
    bell.server._socket = _Impatient(bell._socket)  # type: ignore[assignment]

    assert bell.server.cycle() == "0 requests answered"
    bell.clock.pass_time(121)
    with pytest.raises(StopAsked):
        bell.server.cycle()


def test_the_first_wait_is_short_since_the_service_is_ready_after_it(bell: Bell) -> None:
    impatient = _Impatient(bell._socket)
    bell.server._socket = impatient  # type: ignore[assignment]

    for _ in range(3):
        bell.server.cycle()

    assert impatient.waits[0] < 1
    assert impatient.waits[1:] == [WAIT_S, WAIT_S]


class _Impatient:
    """A socket to which nobody comes, without the wait."""

    def __init__(self, real: socket.socket) -> None:
        self._real = real
        self.waits: list[float] = []

    def settimeout(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._real.settimeout(0.01)

    def accept(self) -> object:
        return self._real.accept()


# -- the other side ---------------------------------------------------------------------------------------------------


def test_who_asks_gets_the_answer(bell: Bell, film: Path) -> None:
    # The first wait is too short for a thread to be in time.
    assert bell.server.cycle() == "0 requests answered"
    server = threading.Thread(target=bell.server.cycle)
    server.start()
    try:
        assert ask(str(film), timeout_s=20, address=bell.address) == Answer(verdict=Verdict.READABLE)
    finally:
        server.join(30)


@pytest.mark.parametrize(
    "packet", [b"", b"{", b'{"verdict": "splendid"}', b'{"verdict": 5}', b'{"verdict": "later", "retry_s": NaN}']
)
def test_an_answer_that_makes_no_sense_is_an_error(packet: bytes) -> None:
    with pytest.raises(DataError):
        parse_answer(packet)


@pytest.mark.parametrize("verdict", list(Verdict), ids=lambda verdict: verdict.name)
def test_an_answer_arrives_as_it_was_sent(verdict: Verdict) -> None:
    answer = Answer(verdict=verdict, detail="a\udcff\n\u2028", retry_s=1.5)

    assert parse_answer(to_packet(answer)) == answer
