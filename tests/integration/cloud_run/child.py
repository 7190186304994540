"""A process that rents a machine, or gives back what is left, from a fake of Scaleway; the tests end it at any call.

python3 -m tests.integration.cloud_run.child (rent|reap) URL STATE TYPE
"""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from plexguard.cloud_run.choosing.estimate import estimate_cost
from plexguard.cloud_run.config import Config
from plexguard.cloud_run.providers.provider import Order
from plexguard.cloud_run.providers.scaleway.provider import Scaleway
from plexguard.cloud_run.reap.act import carry_out
from plexguard.cloud_run.reap.decide import decide
from plexguard.cloud_run.reap.observe import observe
from plexguard.cloud_run.reap.world import SCHEMA, State, World
from plexguard.cloud_run.rent.acquire import acquire
from plexguard.cloud_run.rent.labels import make_label
from plexguard.cloud_run.rent.lease import Lease, Leases
from plexguard.cloud_run.rent.money import open_spent
from plexguard.core.clock import SystemClock
from plexguard.core.journal import StderrJournal
from plexguard.core.manager import Unit
from plexguard.core.secret import Secret
from plexguard.core.state import StateFile
from tests.fakes.scaleway import PROJECT, SECRET_KEY

ZONE = "fr-par-1"
OWNER = "home"
RUN = "delta"
UNIT = "plexguard-test@delta.service"
GB = 10**9
DISK_BYTES = 20 * GB


class QuickClock(SystemClock):
    """The real time, in which nobody waits long: the fake's steps are as fast."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds / 1000)


class OneUnit:
    """A service manager that knows how one unit is."""

    def __init__(self, active_state: str) -> None:
        self.active_state = active_state

    def look_up(self, names: Sequence[str]) -> tuple[Unit, ...]:
        return tuple(Unit(name=name, load_state="loaded", active_state=self.active_state) for name in names)

    def is_stopping(self) -> bool:
        return False


def make_config(url: str, **more: object) -> Config:
    return Config(provider="scaleway", project=PROJECT, zones=(ZONE,), owner=OWNER, api=url, **more)


def make_lease(now: datetime, *, run: str = RUN, hours: float = 96, keep: bool = False) -> Lease:
    label = make_label(owner=OWNER, run=run, deadline=now + timedelta(hours=hours))
    return Lease(
        run=run,
        owner=OWNER,
        provider="scaleway",
        zone=ZONE,
        units=(UNIT,),
        made=SystemClock().moment(),
        deadline=label.deadline,
        keep=keep,
    )


def has_local_disk(type_name: str) -> bool:
    return type_name.startswith(("DEV1", "GP1"))


def make_order(lease: Lease, type_name: str) -> Order:
    return Order(
        label=lease.label,
        zone=ZONE,
        type=type_name,
        image="",
        disk_bytes=DISK_BYTES,
        is_local_disk=has_local_disk(type_name),
        user_data=b"#cloud-config\n",
    )


def make_world(url: str, state: Path, *, active_state: str = "inactive", journal: object = None, **more: object) -> World:
    told = journal or StderrJournal()
    return World(
        provider=Scaleway(make_config(url, **more), Secret(SECRET_KEY), QuickClock()),
        leases=Leases(state, told),
        manager=OneUnit(active_state),
        journal=told,
        clock=QuickClock(),
        state=StateFile(state / "reaper.json", State, schema=SCHEMA, journal=told),
        spent=open_spent(state),
    )


def cost_of(world: World, type_name: str, time: timedelta) -> float:
    """Return what a plan would tell of such a machine for such a time."""
    offer = world.provider.find_offers(ZONE)[type_name]
    prices = world.provider.price(offer, is_local_disk=has_local_disk(type_name))
    return estimate_cost(prices, disk_bytes=DISK_BYTES, time=time).total


def look(world: World, url: str, **more: object):
    return observe(
        world.provider, world.leases, world.manager, config=make_config(url, **more), owner=OWNER, now=world.clock.moment()
    )


def reap(world: World, url: str, **more: object) -> int:
    """Let the reaper run once."""
    return carry_out(decide(look(world, url, **more)), world)


def rent(url: str, state: Path, type_name: str) -> None:
    world = make_world(url, state, active_state="active")
    read = world.leases.read(RUN)
    lease = read.lease if read is not None else make_lease(datetime.now(UTC))
    acquire(world.provider, world.leases, lease, make_order(lease, type_name), world.journal)


def main() -> int:
    what, url, state, type_name = sys.argv[1:]
    Path(state).mkdir(exist_ok=True)
    if what == "rent":
        rent(url, Path(state), type_name)
        return 0
    return reap(make_world(url, Path(state)), url)


if __name__ == "__main__":
    os._exit(main())
