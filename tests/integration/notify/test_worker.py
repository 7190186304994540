"""The process that sends: its signs, its end, and that it is ended when it hangs."""

import os
import select
import time
from collections.abc import Callable

from plexguard.core.child import in_child
from plexguard.core.errors import IoFailed
from plexguard.notify.worker import ForkedWorker, Work


def await_end(worker: ForkedWorker) -> bool:
    """Wait as the engine does, for the other end of the pipe to be closed; return whether there was a sign."""
    poll = select.poll()
    poll.register(worker.pipe, 0)
    assert poll.poll(10_000)
    return worker.look()


def start(work: Work) -> ForkedWorker:
    return ForkedWorker(work)


def test_worker_that_is_done_says_so() -> None:
    worker = start(lambda sign, go_on: sign())
    assert await_end(worker)
    assert (worker.ended, worker.failure) == (True, "")
    worker.end()


def test_expected_failure_comes_with_its_reason() -> None:
    def work(sign: Callable[[], None], go_on: Callable[[], bool]) -> None:
        raise IoFailed("Failed to write /x: No space left on device")

    worker = start(work)
    await_end(worker)
    assert worker.failure == "Failed to write /x: No space left on device"
    worker.end()


def test_bug_and_sudden_death_are_failures_too() -> None:
    def bug(sign: Callable[[], None], go_on: Callable[[], bool]) -> None:
        raise ValueError("a bug")

    def death(sign: Callable[[], None], go_on: Callable[[], bool]) -> None:
        sign()
        os.kill(os.getpid(), 9)

    for work in (bug, death):
        worker = start(work)
        await_end(worker)
        assert worker.failure == "the process that sends ended without a word"
        worker.end()


def test_worker_that_hangs_is_ended_and_gone() -> None:
    worker = start(lambda sign, go_on: time.sleep(60))
    assert not worker.look()
    pid = worker._pid
    worker.end()
    assert not os.path.exists(f"/proc/{pid}")


def test_more_signs_than_a_pipe_holds_block_nobody() -> None:
    def work(sign: Callable[[], None], go_on: Callable[[], bool]) -> None:
        for _ in range(200_000):
            sign()

    worker = start(work)
    time.sleep(0.5)
    while not worker.ended:
        worker.look()
        time.sleep(0.01)
    assert worker.failure == ""
    worker.end()


def test_worker_knows_whether_its_parent_is_still_there() -> None:
    ours, theirs = os.pipe()

    def work(sign: Callable[[], None], go_on: Callable[[], bool]) -> None:
        os.write(theirs, b"1" if go_on() else b"0")

    worker = start(work)
    await_end(worker)
    assert os.read(ours, 1) == b"1"
    worker.end()
    os.close(ours)
    os.close(theirs)


def test_worker_is_ended_with_all_that_it_started() -> None:
    ours, theirs = os.pipe()

    def work(sign: Callable[[], None], go_on: Callable[[], bool]) -> None:
        in_child(lambda: (os.write(theirs, b"."), time.sleep(60)), timeout_s=60)

    worker = start(work)
    os.close(theirs)
    assert os.read(ours, 1) == b"."

    worker.end()

    # Who has the other end is gone.
    assert select.select([ours], [], [], 10)[0] and os.read(ours, 1) == b""
    os.close(ours)
