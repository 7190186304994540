"""The loop of a service: what it tells, and when."""

import signal
from collections.abc import Iterator

import pytest

from plexguard.core.daemon import run_cycles
from tests.fakes.ports import FakeNotifier


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_ready_follows_the_first_cycle_and_every_cycle_feeds_the_watchdog() -> None:
    notifier = FakeNotifier()
    told_before: list[int] = []

    def cycle() -> str:
        told_before.append(len(notifier.told))
        if len(told_before) == 3:
            signal.raise_signal(signal.SIGTERM)
        return f"cycle\n{len(told_before)}"

    run_cycles(cycle, notifier)

    assert told_before == [0, 1, 2]
    assert notifier.told == [
        ("READY=1", "STATUS=cycle 1", "WATCHDOG=1"),
        ("STATUS=cycle 2", "WATCHDOG=1"),
        ("STOPPING=1",),
    ]


def test_service_that_is_stopped_in_its_first_cycle_was_never_ready() -> None:
    notifier = FakeNotifier()

    def cycle() -> str:
        signal.raise_signal(signal.SIGTERM)
        return "never"

    run_cycles(cycle, notifier)

    assert notifier.told == [("STOPPING=1",)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_cycle_cannot_catch_the_stop_by_accident_and_cleans_up(number: signal.Signals) -> None:
    notifier = FakeNotifier()
    cleaned: list[str] = []

    def cycle() -> str:
        try:
            signal.raise_signal(number)
        except Exception:
            return "caught"
        finally:
            # A second signal does not break into the clean-up.
            signal.raise_signal(number)
            cleaned.append("yes")
        return "never"

    run_cycles(cycle, notifier)

    assert cleaned == ["yes"]
    assert notifier.told == [("STOPPING=1",)]


def test_cycle_that_fails_ends_the_service_without_feeding_the_watchdog() -> None:
    notifier = FakeNotifier()

    def cycle() -> str:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        run_cycles(cycle, notifier)

    assert notifier.told == []


def test_a_service_that_proves_something_is_watched_over_before_it_is_ready_and_ready_once() -> None:
    notifier = FakeNotifier()
    cycles = iter(range(5))

    def cycle() -> str:
        number = next(cycles)
        if number == 4:
            signal.raise_signal(signal.SIGTERM)
        return f"cycle {number}"

    answers = iter([False, False, True])
    run_cycles(cycle, notifier, is_ready=lambda: next(answers))

    assert notifier.told == [
        ("STATUS=cycle 0", "WATCHDOG=1"),
        ("STATUS=cycle 1", "WATCHDOG=1"),
        ("READY=1", "STATUS=cycle 2", "WATCHDOG=1"),
        ("STATUS=cycle 3", "WATCHDOG=1"),
        ("STOPPING=1",),
    ]
