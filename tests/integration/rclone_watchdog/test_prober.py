"""Everything that is asked of a mount, by a real rclone, of a real storage that fails as it is told."""

import dataclasses
import shutil
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import psutil
import pytest

from plexguard.core.clock import SystemClock
from plexguard.core.host import LocalHost
from plexguard.core.journal import StderrJournal
from plexguard.rclone_watchdog.asking.kernel import find_lines
from plexguard.rclone_watchdog.asking.prober import MountProber, open_samples
from plexguard.rclone_watchdog.asking.rc import HttpRc
from plexguard.rclone_watchdog.asking.samples import Known, Sample
from plexguard.rclone_watchdog.config import Config, Mount
from plexguard.rclone_watchdog.observe import Outcome, Question
from tests.fakes.storage import Storage, make_library
from tests.integration.rclone_watchdog.support import VERSIONS, Running, abort, run_rclone, unmount
from tests.waiting import await_true

CONFIG = Config(patience=timedelta(seconds=20), answer_limit=timedelta(seconds=3))
EACH_VERSION = pytest.mark.parametrize("version", VERSIONS)
ENDED = (Outcome.GOOD, Outcome.REFUSED, Outcome.FAILED, Outcome.MISSING, Outcome.STALE)


class Asked:
    """A prober of a mount, asked one question at a time."""

    def __init__(self, rclone: Running, folder, mount: Mount | None = None, connect=HttpRc) -> None:
        self.rclone = rclone
        self.prober = MountProber(
            mount or rclone.mount,
            CONFIG,
            clock=SystemClock(),
            host=LocalHost(),
            runtime=rclone.runtime,
            samples=open_samples(folder, StderrJournal()),
            rng=Random(1),
            connect=connect,
        )

    def ask(self, question: Question, *outcomes: Outcome):
        """Ask, and wait for an answer, of these kinds if any are given."""
        asked_s = SystemClock().monotonic_s()
        self.prober.ask([question])
        name = "listing_answer" if question is Question.LISTING else question.value
        wanted = outcomes or ENDED

        def answered():
            found = getattr(self.prober.look(), name)
            return found if found is not None and found.outcome in wanted and found.asked_s >= asked_s else None

        return await_true(answered, what=lambda: f"{question}: {getattr(self.prober.look(), name)}", timeout_s=40.0)

    def device(self) -> str:
        text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
        return find_lines(text, str(self.rclone.mount_point))[-1].device


@pytest.fixture
def asked(storage, tmp_path, version) -> Iterator[Asked]:
    with run_rclone(storage, tmp_path, version=version) as rclone:
        asked = Asked(rclone, tmp_path)
        try:
            yield asked
        finally:
            rclone.process.kill()
            asked.prober.close()


@EACH_VERSION
def test_a_mount_that_is_well_answers_each_question(asked, storage):
    for question in (Question.PROCESS, Question.DATA, Question.CONTROL, Question.LISTING, Question.THROUGH, Question.DIRECT):
        assert asked.ask(question).outcome is Outcome.GOOD, question
    seen = await_true(lambda: (found := asked.prober.look()).errors is not None and found)
    assert (seen.kernel.is_expected, seen.listing and seen.listing.entries) == (True, len(list(storage.bucket.iterdir())))
    assert (storage.bucket / seen.data.about).is_file()


@EACH_VERSION
@pytest.mark.parametrize(
    ("status", "outcome"),
    [(401, Outcome.REFUSED), (403, Outcome.REFUSED), (429, Outcome.REFUSED), (500, Outcome.FAILED), (404, Outcome.MISSING)],
)
def test_a_storage_that_gives_no_bytes_is_known_by_its_reason(asked, storage, status, outcome):
    assert asked.ask(Question.DATA).outcome is Outcome.GOOD
    storage.faults.set("data", "answer", status=status)

    answer = asked.ask(Question.DATA, *(set(ENDED) - {Outcome.GOOD}))

    assert (answer.outcome, asked.ask(Question.CONTROL).outcome) == (outcome, Outcome.GOOD)


@EACH_VERSION
@pytest.mark.parametrize(
    ("status", "outcome"), [(401, Outcome.REFUSED), (403, Outcome.REFUSED), (429, Outcome.REFUSED), (500, Outcome.FAILED)]
)
def test_a_storage_that_refuses_everything_is_known_by_its_reason_from_the_beginning(asked, storage, status, outcome):
    storage.faults.set(kind="answer", status=status)
    for question in (Question.DATA, Question.CONTROL, Question.LISTING, Question.DIRECT):
        assert asked.ask(question).outcome is outcome, question


@EACH_VERSION
def test_a_storage_that_is_gone_or_resets_fails(asked, storage):
    assert asked.ask(Question.DATA).outcome is Outcome.GOOD
    storage.faults.set(kind="reset")
    assert asked.ask(Question.DATA, Outcome.FAILED)
    storage.faults.refuse()
    assert asked.ask(Question.DATA, Outcome.FAILED)
    assert asked.ask(Question.CONTROL, Outcome.FAILED)
    assert asked.ask(Question.DIRECT, Outcome.FAILED)
    assert asked.ask(Question.PROCESS).outcome is Outcome.GOOD


@EACH_VERSION
def test_half_a_file_is_no_proof(asked, storage):
    assert asked.ask(Question.DATA).outcome is Outcome.GOOD
    storage.faults.set("data", "cut", after_bytes=100)
    assert asked.ask(Question.DATA, Outcome.FAILED)


@EACH_VERSION
def test_a_storage_that_hangs_is_late_and_can_be_asked_anew_at_once(asked, storage):
    assert asked.ask(Question.DATA).outcome is Outcome.GOOD
    storage.faults.set(kind="hang")
    late = asked.ask(Question.DATA, Outcome.LATE)
    assert late.is_pending
    await_true(lambda: storage.faults.held)

    # What is held stays held: only a new question can be answered.
    asked.prober.ask([Question.DATA], renew=[Question.DATA])
    await_true(lambda: storage.faults.counts["data"] + storage.faults.counts["control"] >= 4)
    storage.faults.clear()
    assert await_true(lambda: asked.prober.look().data.outcome is Outcome.GOOD)


@EACH_VERSION
def test_nothing_is_asked_twice_at_once(asked, storage):
    assert asked.ask(Question.CONTROL).outcome is Outcome.GOOD
    storage.faults.set(kind="hang")
    before = threading.active_count()
    for _ in range(5):
        asked.prober.ask([Question.CONTROL, Question.LISTING])
        asked.prober.look()
    assert threading.active_count() <= before + 2


@EACH_VERSION
def test_a_storage_that_lost_everything_misses_all_and_is_well_when_it_has_it_again(asked, storage, tmp_path):
    assert asked.ask(Question.DATA).outcome is Outcome.GOOD
    shutil.copytree(storage.bucket, tmp_path / "kept")
    storage.empty()
    await_true(lambda: asked.ask(Question.DATA).outcome is Outcome.MISSING)
    seen = asked.ask(Question.LISTING)
    assert (seen.outcome, asked.prober.look().listing.entries) == (Outcome.GOOD, 0)

    shutil.copytree(tmp_path / "kept", storage.bucket, dirs_exist_ok=True)
    await_true(lambda: asked.ask(Question.DATA).outcome is Outcome.GOOD)


@EACH_VERSION
def test_one_file_that_its_owner_deletes_is_no_fault(asked, storage):
    first = asked.ask(Question.DATA)
    (storage.bucket / first.about).unlink()
    # The server itself has to see that first, and answers 500 until then.
    seen = [asked.ask(Question.DATA) for _ in range(20)]
    assert Outcome.MISSING not in {answer.outcome for answer in seen}
    last = await_true(
        lambda: (found := asked.ask(Question.DATA)).outcome is Outcome.GOOD and found, what=lambda: asked.prober.look().data
    )
    assert last.about != first.about


@EACH_VERSION
def test_a_dead_rclone_is_stale_through_the_mount_and_asked_directly(asked):
    assert asked.ask(Question.DATA).outcome is Outcome.GOOD
    asked.rclone.process.kill()
    asked.rclone.process.wait()
    assert asked.ask(Question.THROUGH, Outcome.STALE)
    assert asked.ask(Question.PROCESS, Outcome.FAILED)
    assert asked.ask(Question.DIRECT).outcome is Outcome.GOOD
    seen = asked.prober.look().kernel
    assert (seen.is_mounted, seen.rclone_pid) == (True, 0)


@EACH_VERSION
def test_a_frozen_rclone_is_late_and_leaves_no_reader_behind(asked):
    assert asked.ask(Question.THROUGH).outcome is Outcome.GOOD
    asked.rclone.freeze()
    for question in (Question.PROCESS, Question.THROUGH):
        assert asked.ask(question, Outcome.LATE).is_pending
    assert asked.ask(Question.DIRECT).outcome is Outcome.GOOD
    stuck = asked.prober.stuck_pid
    assert psutil.pid_exists(stuck)
    # It is not asked again beside the one that hangs.
    asked.prober.ask([Question.THROUGH])
    assert asked.prober.stuck_pid == stuck
    asked.prober.close()
    await_true(lambda: not psutil.pid_exists(stuck) or psutil.Process(stuck).status() == psutil.STATUS_ZOMBIE)


@EACH_VERSION
def test_a_reader_on_a_storage_that_hangs_is_freed_by_abort(asked, storage):
    assert asked.ask(Question.THROUGH).outcome is Outcome.GOOD
    storage.faults.set(kind="hang")

    def is_stuck() -> bool:
        # A question that waits for the process of the one before is begun at a look; what rclone has read ahead, it still gives.
        asked.prober.ask({Question.THROUGH})
        return bool(asked.prober.look().kernel.waiting and storage.faults.held)

    await_true(is_stuck)
    abort(asked.device())
    answer = await_true(lambda: (found := asked.prober.look().through).outcome is Outcome.STALE and found)
    assert not answer.is_pending
    await_true(lambda: asked.prober.look() and not asked.prober.stuck_pid)


@EACH_VERSION
def test_an_empty_folder_where_the_mount_was_misses_all(asked):
    assert asked.ask(Question.DATA).outcome is Outcome.GOOD
    unmount(asked.rclone.mount_point)
    assert asked.ask(Question.THROUGH, Outcome.MISSING)
    # What is known of the storage is not forgotten for it.
    asked.rclone.process.kill()
    assert not asked.prober.look().kernel.is_mounted


@EACH_VERSION
def test_a_mount_of_others_is_only_read_through(storage, tmp_path, version):
    with run_rclone(storage, tmp_path, version=version) as rclone:
        asked = Asked(rclone, tmp_path, Mount(mount_point=str(rclone.mount_point)))
        try:
            asked.prober.ask(set(Question) - {Question.THROUGH})
            for _ in range(3):
                assert asked.ask(Question.THROUGH).outcome is Outcome.GOOD
            seen = asked.prober.look()
            assert (seen.process, seen.control, seen.data, seen.listing_answer, seen.direct) == (None,) * 5
            # Deleted, but for one: those that are gone are left out.
            kept = seen.through.about
            for path in storage.bucket.rglob("*.mkv"):
                if path != storage.bucket / kept:
                    path.unlink()
            assert asked.ask(Question.THROUGH, Outcome.GOOD, Outcome.MISSING)
        finally:
            asked.prober.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_canary_that_is_named_is_the_only_proof(storage, tmp_path, version):
    (storage.bucket / "canary #1.bin").write_bytes(b"tweet" * 10)
    with run_rclone(storage, tmp_path, version=version) as rclone:
        mount = Mount(remote=rclone.remote, mount_point=str(rclone.mount_point), canary="/canary #1.bin")
        asked = Asked(rclone, tmp_path, mount)
        try:
            for question in (Question.DATA, Question.CONTROL, Question.THROUGH):
                assert asked.ask(question).about == "canary #1.bin"
                assert asked.ask(question).outcome is Outcome.GOOD
            (storage.bucket / "canary #1.bin").unlink()
            await_true(lambda: asked.ask(Question.DATA).outcome is Outcome.MISSING)
        finally:
            asked.prober.close()


@EACH_VERSION
def test_rclone_that_logs_all_it_answers_is_told_no_secret_and_asked_for_none(storage, tmp_path, version):
    """At DEBUG the answers of its remote control are in the journal, which more people read than rclone.conf."""
    with run_rclone(storage, tmp_path, "-vv", version=version) as rclone:
        asked = Asked(rclone, tmp_path)
        try:
            # Files are found by the first question for data.
            for question in (Question.DATA, *(set(Question) - {Question.DATA, Question.CACHE})):
                assert asked.ask(question).outcome is Outcome.GOOD, question
        finally:
            asked.prober.close()
    said = (tmp_path / "rclone.log").read_text(encoding="utf-8")
    assert '"operations/stat": reply' in said
    assert not [word for word in ("secret-key-of-tests", "Signature=") if word in said]


class Detour(HttpRc):
    """A remote control whose signed addresses lead to somebody who never answers: its storage is reached by rclone alone."""

    silent = ""

    def call(self, command, values, *, timeout_s, line=None):
        found = super().call(command, values, timeout_s=timeout_s, line=line)
        return {**found, "url": urlsplit(found["url"])._replace(netloc=self.silent).geturl()} if "url" in found else found


def test_a_storage_that_only_rclone_can_reach_is_read_by_rclone(s3, tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener, run_rclone(s3, tmp_path) as rclone:
        monkeypatch.setattr(Detour, "silent", f"127.0.0.1:{listener.getsockname()[1]}")
        asked = Asked(rclone, tmp_path, connect=Detour)
        try:
            answer = asked.ask(Question.DATA)
            assert (answer.outcome, asked.prober.data_requests) == (Outcome.GOOD, 2)
            # And not tried each time anew.
            assert asked.ask(Question.DATA).latency_s < answer.latency_s
        finally:
            asked.prober.close()


def test_many_questions_of_a_storage_that_comes_and_goes_leave_nothing_behind(s3, tmp_path):
    def count() -> tuple[int, int, int]:
        process = psutil.Process()
        return process.num_fds(), threading.active_count(), len(process.children())

    every = set(Question) - {Question.DIRECT}
    with run_rclone(s3, tmp_path) as rclone:
        asked = Asked(rclone, tmp_path)
        try:
            for question in every - {Question.CACHE}:
                asked.ask(question)
            before = await_true(count)
            for fault in ("hang", "reset", "answer", "cut"):
                for _ in range(100):
                    asked.prober.ask(every)
                    asked.prober.look()
                s3.faults.set(kind=fault, **({"status": 503} if fault == "answer" else {}))
                for _ in range(20):
                    asked.prober.ask(every, renew=every - {Question.THROUGH})
                    asked.prober.look()
                s3.faults.clear()
            await_true(lambda: asked.prober.look() and count() <= before, what=lambda: f"{before} {count()}")
        finally:
            asked.prober.close()


@pytest.mark.parametrize(("kind", "requests"), [("s3", 1), ("webdav", 2)])
@EACH_VERSION
def test_data_costs_as_many_requests_as_is_said(kind, requests, tmp_path, version):
    with Storage(kind) as storage:
        make_library(storage.bucket)
        with run_rclone(storage, tmp_path, version=version) as rclone:
            asked = Asked(rclone, tmp_path)
            try:
                for _ in range(3):  # finds files first, and S3 checks the bucket once
                    asked.ask(Question.DATA)
                before = sum(storage.faults.counts.values())
                for _ in range(5):
                    assert asked.ask(Question.DATA).outcome is Outcome.GOOD
                assert sum(storage.faults.counts.values()) - before == 5 * requests
                assert asked.prober.data_requests == requests
                for question in (Question.CONTROL, Question.LISTING):
                    before = sum(storage.faults.counts.values())
                    assert asked.ask(question).outcome is Outcome.GOOD
                    assert sum(storage.faults.counts.values()) - before == 1
            finally:
                asked.prober.close()


@pytest.mark.parametrize("mode", ["off", "full"])
def test_a_read_through_the_mount_costs_one_request_of_a_file_that_rclone_knows(storage, tmp_path, mode):
    path = storage.bucket / "film.mkv"
    with path.open("wb") as file:
        file.truncate(300 << 20)
    known = Known(remote=storage.remote, samples=(Sample(path="film.mkv", size=300 << 20),))
    open_samples(tmp_path, StderrJournal()).save(known)
    with run_rclone(storage, tmp_path, "--dir-cache-time=1h", f"--vfs-cache-mode={mode}") as rclone:
        asked = Asked(rclone, tmp_path, dataclasses.replace(rclone.mount, cache_mode=mode))
        try:
            assert asked.ask(Question.THROUGH).outcome is Outcome.GOOD
            before = sum(storage.faults.counts.values())
            for _ in range(5):
                assert asked.ask(Question.THROUGH).outcome is Outcome.GOOD
            assert sum(storage.faults.counts.values()) - before <= 5
        finally:
            asked.prober.close()


def test_what_s3_refuses_is_known_at_once_and_costs_no_more_when_it_is_back(s3, tmp_path):
    """rclone tries again by itself, and goes on until the storage is back: that says nothing against our own way."""
    with run_rclone(s3, tmp_path) as rclone:
        asked = Asked(rclone, tmp_path)
        try:
            assert asked.ask(Question.DATA).outcome is Outcome.GOOD
            s3.faults.set(kind="answer", status=500)
            for _ in range(2):
                assert asked.ask(Question.DATA).outcome is Outcome.FAILED
            before = s3.faults.counts["control"]
            asked.prober.ask([Question.DATA])
            await_true(lambda: s3.faults.counts["control"] > before, what="rclone asks in its own way")
            s3.faults.clear()
            await_true(lambda: not asked.prober.look().data.is_pending, what=lambda: asked.prober.look().data)
            await_true(lambda: asked.ask(Question.DATA).outcome is Outcome.GOOD)
            assert asked.prober.data_requests == 1
        finally:
            asked.prober.close()


@pytest.mark.parametrize(("size", "files"), [(300 << 20, 2), (1 << 20, 20)], ids=["large", "small"])
def test_large_files_are_read_through_the_mount_some_times_each(size, files, tmp_path):
    """The storage is asked for the folder and the time of each new one."""
    with Storage("webdav") as storage:
        for number in range(20):
            path = storage.bucket / f"{number}" / "film.mkv"
            path.parent.mkdir()
            with path.open("wb") as file:
                file.truncate(size)
        known = Known(remote=storage.remote, samples=tuple(Sample(path=f"{n}/film.mkv", size=size) for n in range(20)))
        open_samples(tmp_path, StderrJournal()).save(known)
        with run_rclone(storage, tmp_path) as rclone:
            asked = Asked(rclone, tmp_path)
            try:
                assert len({asked.ask(Question.THROUGH).about for _ in range(20)}) == files
            finally:
                asked.prober.close()
