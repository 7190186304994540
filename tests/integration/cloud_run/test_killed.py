"""A process that rents, or gives back, is killed before and after its calls: the reaper leaves nothing. At every one of them:
`make soak`."""

from pathlib import Path

import pytest

from tests.fakes.scaleway import FakeScaleway, Timing
from tests.integration.cloud_run.killing import TYPES, WHENS, find_calls, kill_at, prove_killed, run_whole

CREATE = ("POST", "/instance/v1/zones/fr-par-1/servers")
Calls = tuple[str, tuple[int, ...], tuple[int, ...]]


@pytest.fixture(scope="module", params=TYPES)
def calls(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Calls:
    """Return a type, and the numbers of the calls in which a machine of it is rented, and given back."""
    return (request.param, *find_calls(request.param, tmp_path_factory.mktemp("whole")))


@pytest.mark.parametrize("when", WHENS)
def test_machine_whose_renting_was_killed_is_given_back(calls: Calls, when: str, tmp_path: Path) -> None:
    type_name, renting, _ = calls
    for call in renting:
        prove_killed("rent", type_name, tmp_path / str(call), call=call, when=when)


@pytest.mark.parametrize("when", WHENS)
def test_machine_whose_return_was_killed_is_given_back(calls: Calls, when: str, tmp_path: Path) -> None:
    type_name, _, returning = calls
    for call in returning:
        prove_killed("reap", type_name, tmp_path / str(call), call=call, when=when)


def test_attempt_after_a_killed_one_adopts_what_that_has_made(calls: Calls, tmp_path: Path) -> None:
    type_name, renting, _ = calls
    for call in renting:
        state = tmp_path / str(call)
        with FakeScaleway(timing=Timing.none()) as cloud:
            kill_at("rent", cloud, state, type_name, call=call, when="hold_after")

            run_whole("rent", cloud, state, type_name)

            assert [left.kind for left in cloud.left()].count("server") == 1
            assert [(request.method, request.path) for request in cloud.requests].count(CREATE) == 1
