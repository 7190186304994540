"""How often Scaleway is asked while something is waited for: three times a minute at the most. All of the time is made up."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from plexguard.cloud_run.commands import phase
from plexguard.cloud_run.config import KEY_CREDENTIAL, Config
from plexguard.cloud_run.life.run_file import RunFile
from plexguard.cloud_run.phases.instance import SSH_S
from plexguard.cloud_run.providers.provider import NotGone
from plexguard.cloud_run.providers.scaleway.provider import Scaleway
from plexguard.cloud_run.rent import keys
from plexguard.cloud_run.rent.acquire import acquire
from plexguard.cloud_run.rent.lease import Leases
from plexguard.cloud_run.rent.resources import Resource
from plexguard.core.errors import Unavailable
from plexguard.core.program import Ports
from plexguard.core.secret import Secret
from plexguard.core.ssh import Login
from tests.fakes.ports import FakeClock, FakeHost, FakeJournal, FakeManager, FakeNotifier
from tests.fakes.scaleway import PROJECT, SECRET_KEY, FakeScaleway, Mishap
from tests.integration.cloud_run.child import OWNER, make_config, make_lease, make_order

MOST = 3
MINUTE = timedelta(minutes=1)
# All that there are.
ZONES = ("fr-par-1", "fr-par-2", "fr-par-3", "nl-ams-1", "nl-ams-2", "nl-ams-3", "pl-waw-1", "pl-waw-2", "pl-waw-3", "it-mil-1")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def cloud(clock: FakeClock) -> Iterator[FakeScaleway]:
    with FakeScaleway(clock=clock) as cloud:
        yield cloud


def rent(cloud: FakeScaleway, clock: FakeClock, state: Path, type_name: str) -> tuple[Scaleway, Resource]:
    provider, lease = open_scaleway(cloud, clock), make_lease(clock.now())
    lease = replace(lease, made=clock.moment())
    return provider, acquire(provider, Leases(state, FakeJournal()), lease, make_order(lease, type_name), FakeJournal())


def open_scaleway(cloud: FakeScaleway, clock: FakeClock) -> Scaleway:
    return Scaleway(make_config(cloud.url), Secret(SECRET_KEY), clock)


def find_most(cloud: FakeScaleway, *, after: int) -> int:
    """Return how many calls the busiest minute had, of those after the call that began the waiting."""
    times = [request.at for request in cloud.requests if request.number > after]
    assert times[-1] - times[0] > 2 * MINUTE, "it was not waited for"
    return max(sum(begin <= time < begin + MINUTE for time in times) for begin in times)


def find_first(cloud: FakeScaleway, method: str, words: str = "") -> int:
    """Return the number of the first call that asks for it."""
    return next(one.number for one in cloud.requests if one.method == method and words in f"{one.path} {one.body}")


@pytest.mark.parametrize("faults", [{"stuck": ("starting",)}, {"no_address": True}], ids=["never runs", "no address"])
def test_start_of_a_machine_is_waited_for(faults: dict[str, object], cloud: FakeScaleway, clock: FakeClock, tmp_path: Path) -> None:
    cloud.set(**faults)

    with pytest.raises(Unavailable):
        rent(cloud, clock, tmp_path, "DEV1-S")

    assert find_most(cloud, after=find_first(cloud, "POST", "poweron")) <= MOST


def test_machine_that_cannot_be_entered_yet_is_waited_for(
    cloud: FakeScaleway, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / KEY_CREDENTIAL).write_text(SECRET_KEY)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    closed = Login(name="closed", address="127.0.0.1", user="root", port=1)
    monkeypatch.setattr(keys.Keys, "login", lambda *_: closed)
    rent(cloud, clock, tmp_path, "DEV1-S")
    rented = cloud.requests[-1].number
    ports = Ports(journal=FakeJournal(), clock=clock, host=FakeHost(), manager=FakeManager(), notifier=FakeNotifier())
    config = Config(provider="scaleway", project=PROJECT, owner=OWNER, api=cloud.url)
    work = phase.open_work(config, ports, "delta", RunFile())

    with work.machine(patience_s=SSH_S) as machine, pytest.raises(Unavailable):
        machine.run(["true"], timeout_s=1)

    assert find_most(cloud, after=rented) <= MOST


def test_end_of_a_machine_is_waited_for(cloud: FakeScaleway, clock: FakeClock, tmp_path: Path) -> None:
    provider, server = rent(cloud, clock, tmp_path, "DEV1-S")
    cloud.set(stuck=("stopping",))

    with pytest.raises(NotGone):
        provider.destroy([server], make_lease(clock.now()).label, lambda _: None)

    assert find_most(cloud, after=find_first(cloud, "POST", "terminate")) <= MOST


def test_volume_that_is_not_let_go_is_waited_for(cloud: FakeScaleway, clock: FakeClock, tmp_path: Path) -> None:
    provider, server = rent(cloud, clock, tmp_path, "PRO2-S")
    cloud.set(mishaps=(Mishap(kind="in-use", method="DELETE", path="/block/"),))

    with pytest.raises(NotGone):
        provider.destroy([server], make_lease(clock.now()).label, lambda _: None)

    assert find_most(cloud, after=find_first(cloud, "DELETE", "/block/")) <= MOST


def test_reaper_asks_little_in_all_the_zones_that_there_are(cloud: FakeScaleway, clock: FakeClock) -> None:
    provider = open_scaleway(cloud, clock)

    for zone in ZONES:
        provider.list(zone)

    # Of the 15 min until it looks again.
    assert len(cloud.requests) <= MOST * 15
