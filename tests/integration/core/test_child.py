"""A process that can be given up: what it returns, raises, and what becomes of the parent when it dies or hangs."""

import os
import signal
import time
from typing import NoReturn

import psutil
import pytest

from plexguard.core.child import Child, end_child, in_child
from plexguard.core.errors import MissingInput, PlexguardError, SystemRefused, TryAgain
from plexguard.core.perms_request import Answer, Verdict
from tests.waiting import await_true

LARGE = "x" * (1 << 20)


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


def fail(error: Exception) -> NoReturn:
    raise error


def test_it_returns_what_the_function_returns() -> None:
    assert in_child(lambda: Answer(verdict=Verdict.REPAIRED, detail="a\udcff"), timeout_s=10) == Answer(
        verdict=Verdict.REPAIRED, detail="a\udcff"
    )
    assert in_child(lambda: None, timeout_s=10) is None


def test_an_answer_larger_than_a_pipe_arrives_whole() -> None:
    assert in_child(lambda: LARGE, timeout_s=10) == LARGE


def test_what_the_function_does_to_its_process_stays_there() -> None:
    before = os.getpid(), os.geteuid(), os.umask(0o022)
    os.umask(before[2])

    def change() -> int:
        os.umask(0o777)
        os.environ["PLEXGUARD_TEST"] = "1"
        return os.getpid()

    assert in_child(change, timeout_s=10) != os.getpid()
    assert "PLEXGUARD_TEST" not in os.environ
    assert os.umask(before[2]) == before[2]


@pytest.mark.parametrize("error", [FileNotFoundError(2, "No such file", "/a"), OSError(107, "Socket not connected")])
def test_a_system_error_arrives_as_it_was_raised(error: OSError) -> None:
    with pytest.raises(type(error)) as caught:
        in_child(lambda: fail(error), timeout_s=10)

    assert (caught.value.errno, caught.value.strerror) == (error.errno, error.strerror)


@pytest.mark.parametrize("error", [MissingInput("a: no such run", hint="list"), TryAgain("later")])
def test_an_error_of_ours_arrives_with_its_hint(error: PlexguardError) -> None:
    with pytest.raises(type(error), match=str(error)) as caught:
        in_child(lambda: fail(error), timeout_s=10)

    assert caught.value.hint == error.hint


def test_a_bug_is_an_error_and_its_traceback_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemRefused):
        in_child(lambda: fail(ZeroDivisionError("by zero")), timeout_s=10)

    assert "ZeroDivisionError" in capfd.readouterr().err


def test_one_that_hangs_is_given_up_in_time_and_leaves_no_process() -> None:
    began_s, before = time.monotonic(), children()

    with pytest.raises(TryAgain, match=r"no answer within 0\.3 s"):
        in_child(lambda: time.sleep(60), timeout_s=0.3)

    assert time.monotonic() - began_s < 5
    assert children() == before


def test_one_that_does_not_let_itself_be_asked_to_end_is_ended() -> None:
    def ignore() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)

    before = children()
    with pytest.raises(TryAgain):
        in_child(ignore, timeout_s=0.3)

    assert children() == before


def test_one_that_has_ended_and_was_waited_for_is_ended_all_the_same() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)

    end_child(pid)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV], ids=lambda number: number.name)
def test_one_that_is_killed_is_an_error(number: signal.Signals) -> None:
    with pytest.raises(SystemRefused):
        in_child(lambda: os.kill(os.getpid(), number), timeout_s=10)


@pytest.mark.parametrize("end", [SystemExit(0), KeyboardInterrupt()], ids=["exit", "interrupt"])
def test_nothing_of_the_parents_is_done_in_the_child(end: BaseException) -> None:
    # given: what the parent must do once, at the end
    reading, writing = os.pipe()

    def leave() -> NoReturn:
        raise end

    try:
        with pytest.raises(SystemRefused):
            in_child(leave, timeout_s=10)
    finally:
        os.write(writing, b"cleaned up ")
        os.close(writing)
    with os.fdopen(reading, "rb") as file:
        assert file.read() == b"cleaned up "


def test_bug_in_the_child_is_shown_without_its_secrets(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> NoReturn:
        raise ValueError("Invalid header value X-Plex-Token=abcdefghijkl")

    with pytest.raises(SystemRefused):
        in_child(fail, timeout_s=10)

    shown = capfd.readouterr().err
    assert "X-Plex-Token=***" in shown and "abcdefghijkl" not in shown


def test_descriptors_do_not_pile_up() -> None:
    before = len(os.listdir("/proc/self/fd"))

    for _ in range(5):
        in_child(lambda: 1, timeout_s=10)
        with pytest.raises(TryAgain):
            in_child(lambda: time.sleep(60), timeout_s=0.01)

    assert len(os.listdir("/proc/self/fd")) == before


def test_a_child_beside_us_answers_when_it_is_asked_for_it() -> None:
    child = Child(lambda: LARGE)
    assert await_true(child.take) == LARGE
    await_true(child.close)
    assert child.pid not in children()


def test_a_child_beside_us_that_hangs_is_not_waited_for_and_ends_when_it_is_closed() -> None:
    child = Child(lambda: time.sleep(60))
    assert child.take() is None
    await_true(child.close)
    assert child.pid not in children()


@pytest.mark.parametrize("error", [FileNotFoundError(2, "No such file", "/a"), TryAgain("later")])
def test_an_error_of_a_child_beside_us_arrives(error: Exception) -> None:
    child = Child(lambda: fail(error))
    with pytest.raises(type(error)):
        await_true(child.take)
    await_true(child.close)


def test_a_child_beside_us_that_dies_is_told() -> None:
    child = Child(lambda: os._exit(7))
    with pytest.raises(SystemRefused):
        await_true(child.take)
    await_true(child.close)


def test_a_child_beside_us_holds_nothing_of_ours_open() -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    child = Child(lambda: time.sleep(60))
    os.close(writer)
    try:
        # The end of the pipe is seen while the child goes on.
        assert os.read(reader, 1) == b""
        assert child.take() is None
    finally:
        os.close(reader)
        await_true(child.close)
