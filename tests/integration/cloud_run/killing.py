"""Kill a process that rents, or gives back, at one of its calls, and have the reaper clear up after it."""

import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from tests.fakes.scaleway import FakeScaleway, Timing
from tests.integration.cloud_run.child import cost_of, make_world, reap

# With a disk of its own; without.
TYPES = ("DEV1-S", "PRO2-S")
# A call is held before it takes effect, or after that and before its answer.
WHENS = ("hold_before", "hold_after")
_LIMIT_S = 60.0


def start(what: str, cloud: FakeScaleway, state: Path, type_name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.cloud_run.child", what, cloud.url, str(state), type_name],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def run_whole(what: str, cloud: FakeScaleway, state: Path, type_name: str, *, every: bool = False) -> tuple[int, ...]:
    """Let a process do its work, and return the numbers of its calls at which it is to be killed: every one, or those that change
    something and those right after them."""
    before = len(cloud.requests)
    child = start(what, cloud, state, type_name)
    _, told = child.communicate(timeout=_LIMIT_S)
    assert child.returncode == 0, told.decode()
    methods = [request.method for request in cloud.requests[before:]]
    return tuple(
        number
        for number, method in enumerate(methods, 1)
        if every or method != "GET" or (number > 1 and methods[number - 2] != "GET")
    )


def kill_at(what: str, cloud: FakeScaleway, state: Path, type_name: str, *, call: int, when: str) -> None:
    """Start a process, and kill it when its call of that number is held, before or after it takes effect."""
    number = len(cloud.requests) + call
    cloud.set(**{when: number})
    child = start(what, cloud, state, type_name)
    deadline = time.monotonic() + _LIMIT_S
    while number not in cloud.held:
        assert child.poll() is None and time.monotonic() < deadline, child.communicate()[1].decode()
        time.sleep(0.005)
    child.kill()
    child.communicate()
    while number in cloud.held:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    cloud.heal()


def find_calls(type_name: str, folder: Path, *, every: bool = False) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Rent a machine and give it back, and return the numbers of the calls of both at which they are to be killed."""
    with FakeScaleway(timing=Timing.none()) as cloud:
        renting = run_whole("rent", cloud, folder, type_name, every=every)
        assert [left.kind for left in cloud.left()].count("server") == 1
        returning = run_whole("reap", cloud, folder, type_name, every=every)
        assert cloud.left() == []
    assert len(renting) >= 4 and len(returning) >= 4
    return renting, returning


def prove_killed(what: str, type_name: str, state: Path, *, call: int, when: str) -> None:
    """Kill a process at a call, let the reaper run once, and prove that nothing is left, and little was spent. what: "rent" or "reap"."""
    with FakeScaleway(timing=Timing.none()) as cloud:
        if what == "reap":
            run_whole("rent", cloud, state, type_name)
        kill_at(what, cloud, state, type_name, call=call, when=when)

        world = make_world(cloud.url, state)
        assert reap(world, cloud.url) == 0

        assert cloud.left() == [], f"{what} {type_name} {when} {call}"
        # An hour is the least that is billed, and the unit of it.
        assert cloud.spent_eur() <= 2 * cost_of(world, type_name, timedelta(hours=1)), f"{what} {type_name} {when} {call}"
        assert not (state / "delta/lease.json").exists()
