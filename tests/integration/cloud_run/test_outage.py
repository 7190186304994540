"""The provider is away for an hour while a machine is given back, or home is, until the machine's time is over: nothing is left, and what
it has cost is within what was told. All of the time is made up."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from plexguard.cloud_run.providers.scaleway.provider import Scaleway
from plexguard.cloud_run.reap.world import World
from plexguard.cloud_run.rent.acquire import acquire
from plexguard.core.secret import Secret
from tests.fakes.ports import FakeClock, FakeJournal
from tests.fakes.scaleway import SECRET_KEY, FakeScaleway
from tests.integration.cloud_run.child import cost_of, make_config, make_lease, make_order, make_world, reap
from tests.integration.cloud_run.killing import TYPES

TICK = timedelta(minutes=15)
HOUR = timedelta(hours=1)
LIMIT = timedelta(hours=96)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def cloud(clock: FakeClock) -> Iterator[FakeScaleway]:
    with FakeScaleway(clock=clock) as cloud:
        yield cloud


def open_world(cloud: FakeScaleway, clock: FakeClock, state: Path) -> World:
    world = make_world(cloud.url, state, journal=FakeJournal())
    return replace(world, provider=Scaleway(make_config(cloud.url), Secret(SECRET_KEY), clock), clock=clock)


def rent(cloud: FakeScaleway, clock: FakeClock, world: World, type_name: str) -> None:
    lease = replace(make_lease(clock.now(), hours=LIMIT / HOUR), made=clock.moment())
    acquire(world.provider, world.leases, lease, make_order(lease, type_name), world.journal)


def go_down_at(cloud: FakeScaleway, number: int, how: str) -> None:
    """Have an hour without an answer begin with the request of that number."""

    def look(one: int) -> None:
        if one == number:
            cloud.set(down_s=HOUR.total_seconds(), down_how=how)

    cloud.before = look


@pytest.mark.parametrize("how", ["503", "drop"])
@pytest.mark.parametrize("type_name", TYPES)
def test_outage_that_begins_at_any_call_of_a_return_leaves_nothing(
    type_name: str, how: str, cloud: FakeScaleway, clock: FakeClock, tmp_path: Path
) -> None:
    world = open_world(cloud, clock, tmp_path / "whole")
    rent(cloud, clock, world, type_name)
    before = len(cloud.requests)
    assert reap(world, cloud.url) == 0
    calls = len(cloud.requests) - before
    assert calls > 8

    for call in range(1, calls + 1):
        world = open_world(cloud, clock, tmp_path / str(call))
        rent(cloud, clock, world, type_name)
        go_down_at(cloud, len(cloud.requests) + call, how)
        codes = [reap(world, cloud.url)]
        for _ in range(HOUR // TICK + 1):
            clock.pass_time(TICK.total_seconds())
            codes.append(reap(world, cloud.url))
        cloud.heal()

        assert cloud.left() == [], f"call {call}"
        assert codes[0] != 0 and codes[-1] == 0, f"call {call}: {codes}"
        assert world.leases.read_all() == {}


@pytest.mark.parametrize("type_name", TYPES)
def test_machine_that_only_its_deadline_ends_costs_no_more_than_was_told_and_an_hour(
    type_name: str, cloud: FakeScaleway, clock: FakeClock, tmp_path: Path
) -> None:
    world = open_world(cloud, clock, tmp_path)
    rent(cloud, clock, world, type_name)
    # Of its units one is active, for ever.
    world.manager.active_state = "active"  # type: ignore[attr-defined]
    clock.pass_time((LIMIT - TICK).total_seconds())
    assert reap(world, cloud.url) == 0 and cloud.left()

    for _ in range(2):
        clock.pass_time(TICK.total_seconds())
        reap(world, cloud.url)

    assert cloud.left() == []
    assert 0 < cloud.spent_eur() <= cost_of(world, type_name, LIMIT) + cost_of(world, type_name, HOUR)


def test_key_that_is_taken_back_is_told_once_and_another_ends_what_is_left(
    cloud: FakeScaleway, clock: FakeClock, tmp_path: Path
) -> None:
    world = open_world(cloud, clock, tmp_path)
    rent(cloud, clock, world, TYPES[1])
    cloud.set(key_expired=True)

    assert [reap(world, cloud.url), reap(world, cloud.url)] == [69, 69]
    journal = world.journal
    assert isinstance(journal, FakeJournal)
    assert "The key is expired" in str(journal.values("cloud.zone-unknown")["reason"])
    assert cloud.left()
    cloud.heal()

    assert reap(world, cloud.url) == 0 and cloud.left() == []


def test_answer_without_a_time_is_no_proof_that_a_deadline_is_over(
    cloud: FakeScaleway, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = open_world(cloud, clock, tmp_path)
    rent(cloud, clock, world, TYPES[0])
    clock.pass_time((LIMIT + HOUR).total_seconds())

    with monkeypatch.context() as patched:
        patched.setattr(cloud, "date", lambda: "soon")
        assert reap(world, cloud.url) == 69
    assert cloud.left()

    assert reap(world, cloud.url) == 0 and cloud.left() == []
