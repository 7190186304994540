"""Giving back: what is told, what is kept, and that one that fails keeps no other from it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from plexguard.cloud_run.choosing.estimate import Prices
from plexguard.cloud_run.config import Config
from plexguard.cloud_run.providers.provider import NotGone, Offer
from plexguard.cloud_run.reap.act import carry_out
from plexguard.cloud_run.reap.decide import Plan, Return, decide
from plexguard.cloud_run.reap.observe import observe
from plexguard.cloud_run.reap.world import SCHEMA, State, World
from plexguard.cloud_run.rent.lease import Leases
from plexguard.cloud_run.rent.money import open_spent
from plexguard.core.errors import Unavailable
from plexguard.core.manager import Unit
from plexguard.core.state import StateFile
from tests.fakes.ports import BEGIN, FakeClock, FakeJournal
from tests.unit.cloud_run.samples import GP1_S, LABEL, LEASE, ZONE, labelled, listing, server, volume


class Cloud:
    """A provider in memory. stays: ids that can't be given back; lags: how often a listing still shows what is gone."""

    zones = (ZONE,)
    is_rented = True

    def __init__(self, *resources, stays=(), lags=0, at=BEGIN + timedelta(hours=2)):
        self.resources, self.gone, self.stays, self.lags, self.at = list(resources), [], stays, lags, at
        self.destroyed = []

    def find_offers(self, zone) -> dict[str, Offer]:
        return {"GP1-S": GP1_S}

    def price(self, offer, *, is_local_disk):
        return Prices(machine=offer.hourly_euros, disk_gb=0.0, address=0.0)

    def list(self, zone):
        shown = [*self.resources, *(self.gone if self.lags > 0 else ())]
        self.lags -= bool(self.gone)
        return listing(*shown, at=self.at)

    def destroy(self, resources, label, note):
        for resource in resources:
            note(resource.key)
            if resource.key.id in self.stays:
                raise NotGone(f"{resource.key.id}: still there")
            self.destroyed.append(resource.key.id)
            if resource in self.resources:
                self.resources.remove(resource)
                self.gone.append(resource)


class Manager:
    active_state = "inactive"

    def look_up(self, names):
        return tuple(Unit(name=name, active_state=self.active_state) for name in names)


@pytest.fixture
def world(tmp_path):
    journal = FakeJournal()
    return World(
        provider=Cloud(server()),
        leases=Leases(tmp_path, journal),
        manager=Manager(),
        journal=journal,
        clock=FakeClock(),
        state=StateFile(tmp_path / "reaper.json", State, schema=SCHEMA, journal=journal),
        spent=open_spent(tmp_path),
    )


def run(world, provider=None):
    world = replace(world, provider=provider or world.provider)
    config = Config(provider="scaleway")
    seen = observe(world.provider, world.leases, world.manager, config=config, owner="home", now=world.clock.moment())
    return carry_out(decide(seen), world)


def test_lease_goes_with_what_it_held_and_the_cost_is_kept(world):
    world.leases.save(LEASE)

    assert run(world) == 0

    assert world.provider.resources == []
    assert world.leases.read_all() == {}
    assert world.journal.names == ["cloud.orphan-found", "cloud.instance-destroyed"]
    (spent,) = world.spent.read()
    # Two hours.
    assert (spent.run, spent.type, round(spent.euros, 5)) == ("delta", "GP1-S", 0.38148)
    assert world.state.load() == State()


def test_listing_that_lags_is_looked_at_again(world):
    assert run(world, Cloud(server(), lags=3)) == 0

    assert world.journal.names[-1] == "cloud.instance-destroyed"
    assert sum(world.clock.slept) > 0


def test_what_cannot_be_given_back_keeps_its_lease_and_no_other_from_it(world):
    world.leases.save(LEASE)
    cloud = Cloud(server(), server("other", labelled("full")), stays=("s1",))

    assert run(world, cloud) == 1
    assert run(world, cloud) == 1

    assert [resource.key.id for resource in cloud.resources] == ["s1"]
    assert world.leases.read("delta").lease.keys == (server().key,)
    assert world.journal.names.count("cloud.destroy-failed") == 1
    assert world.journal.names.count("cloud.orphan-found") == 2


def test_end_of_a_failure_is_told_when_it_is_over(world):
    run(world, Cloud(server(), stays=("s1",)))

    assert run(world, Cloud(server())) == 0

    assert world.journal.names[-1] == "cloud.instance-destroyed"
    assert world.state.load() == State()


def test_run_that_holds_it_by_now_is_left_alone(world):
    # Between the look and the act its unit has been started.
    world.leases.save(LEASE)
    task = Return(zone=ZONE, label=LABEL, why="its run has ended", resources=(server(),))
    world.manager.active_state = "activating"

    assert carry_out(Plan(give_back=(task,)), world) == 0

    assert world.provider.resources == [server()]


def test_lease_stays_until_what_it_holds_in_its_own_zone_is_gone(world):
    # An attempt in another zone, with the same label.
    world.leases.save(replace(LEASE, zone="nl-ams-1"))
    task = Return(zone=ZONE, label=LABEL, why="its run has ended", resources=(server(),))

    assert carry_out(Plan(give_back=(task,)), world) == 0

    assert world.leases.read("delta") is not None


def test_who_is_at_it_already_is_left_alone(world):
    with world.leases.hold("delta"):
        assert run(world) == 75

    assert world.provider.resources == [server()]
    assert "cloud.destroy-failed" not in world.journal.names


def test_zone_that_cannot_be_listed_is_told_once_and_so_is_its_end(world):
    class Away(Cloud):
        def list(self, zone):
            raise Unavailable("no answer")

    world.leases.save(LEASE)
    for _ in range(3):
        assert run(world, Away()) == 69
        world.clock.pass_time(900)
    assert world.leases.read("delta") is not None
    assert run(world, Cloud()) == 0

    assert world.journal.names == ["cloud.zone-unknown", "cloud.zone-known"]
    assert world.journal.values("cloud.zone-known")["unknown_h"] == pytest.approx(0.75)
    assert world.leases.read("delta") is None


def test_price_that_is_not_known_keeps_nothing_from_being_given_back(world):
    class Priceless(Cloud):
        def find_offers(self, zone):
            raise Unavailable("no answer")

    assert run(world, Priceless(server(), volume())) == 0

    assert world.journal.values("cloud.instance-destroyed")["cost_euros"] == "unknown"
    assert world.spent.read()[0].euros is None


def test_plan_is_carried_out_again_from_wherever_it_was_cut_off(world):
    # Each prefix of what a destroy does, by an error after so many things.
    for done in range(3):
        world.leases.save(LEASE)
        things = [server(), volume("v1"), volume("v2")]
        run(world, Cloud(*things, stays=(things[done].key.id,)))

        cloud = Cloud(*things[done:])
        assert run(world, cloud) == 0
        assert cloud.resources == [] and world.leases.read_all() == {}
