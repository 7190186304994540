"""A process that rents, or gives back, is killed before and after each of its calls: the reaper leaves nothing."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fakes.scaleway import FakeScaleway, Timing
from tests.integration.cloud_run.child import make_world, reap

# Each process takes half a second: by default the calls are those that change something, and those right after them.
EVERY_CALL = bool(os.environ.get("PLEXGUARD_EVERY_CALL"))
# With a disk of its own; without.
TYPES = ("DEV1-S", "PRO2-S")
_LIMIT_S = 30.0
Calls = tuple[str, tuple[int, ...], tuple[int, ...]]


def start(what: str, cloud: FakeScaleway, state: Path, type_name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.cloud_run.child", what, cloud.url, str(state), type_name],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def run_whole(what: str, cloud: FakeScaleway, state: Path, type_name: str) -> tuple[int, ...]:
    """Let a process do its work, and return the numbers of its calls at which it is to be killed."""
    before = len(cloud.requests)
    child = start(what, cloud, state, type_name)
    _, told = child.communicate(timeout=_LIMIT_S)
    assert child.returncode == 0, told.decode()
    methods = [request.method for request in cloud.requests[before:]]
    return tuple(
        number
        for number, method in enumerate(methods, 1)
        if EVERY_CALL or method != "GET" or (number > 1 and methods[number - 2] != "GET")
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


@pytest.fixture(scope="module", params=TYPES)
def calls(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Calls:
    """Return a type, and the numbers of the calls in which a machine of it is rented, and given back."""
    state = tmp_path_factory.mktemp("whole")
    with FakeScaleway(timing=Timing.none()) as cloud:
        renting = run_whole("rent", cloud, state, request.param)
        assert {left.kind for left in cloud.left()} >= {"server"}
        returning = run_whole("reap", cloud, state, request.param)
        assert cloud.left() == []
    return request.param, renting, returning


@pytest.mark.parametrize("when", ["hold_before", "hold_after"])
def test_machine_whose_renting_was_killed_at_any_call_is_given_back(calls: Calls, when: str, tmp_path: Path) -> None:
    type_name, renting, _ = calls
    assert len(renting) >= 4
    for call in renting:
        state = tmp_path / str(call)
        with FakeScaleway(timing=Timing.none()) as cloud:
            kill_at("rent", cloud, state, type_name, call=call, when=when)

            assert reap(make_world(cloud.url, state), cloud.url) == 0

            assert cloud.left() == [], f"{when} {call} of {renting}"
            assert not (state / "delta/lease.json").exists()


@pytest.mark.parametrize("when", ["hold_before", "hold_after"])
def test_machine_whose_return_was_killed_at_any_call_is_given_back(calls: Calls, when: str, tmp_path: Path) -> None:
    type_name, _, returning = calls
    assert len(returning) >= 4
    for call in returning:
        state = tmp_path / str(call)
        with FakeScaleway(timing=Timing.none()) as cloud:
            run_whole("rent", cloud, state, type_name)
            kill_at("reap", cloud, state, type_name, call=call, when=when)

            assert reap(make_world(cloud.url, state), cloud.url) == 0

            assert cloud.left() == [], f"{when} {call} of {returning}"
            assert not (state / "delta/lease.json").exists()


def test_attempt_after_a_killed_one_adopts_what_that_has_made(calls: Calls, tmp_path: Path) -> None:
    type_name, renting, _ = calls
    for call in renting:
        state = tmp_path / str(call)
        with FakeScaleway(timing=Timing.none()) as cloud:
            kill_at("rent", cloud, state, type_name, call=call, when="hold_after")

            run_whole("rent", cloud, state, type_name)

            assert [left.kind for left in cloud.left()].count("server") == 1
            assert [request.path for request in cloud.requests if request.method == "POST"].count(
                "/instance/v1/zones/fr-par-1/servers"
            ) == 1
