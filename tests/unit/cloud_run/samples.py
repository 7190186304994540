"""What the tests of the cloud share: a label, a lease, a machine, offers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from plexguard.cloud_run.providers.provider import Offer
from plexguard.cloud_run.rent.labels import Label, make_label
from plexguard.cloud_run.rent.lease import Lease
from plexguard.cloud_run.rent.resources import Key, Kind, Listing, Resource
from plexguard.core.clock import Moment
from tests.fakes.ports import BEGIN

ZONE = "fr-par-1"
GIB = 1 << 30
GB = 10**9
DEADLINE = BEGIN + timedelta(hours=96)
LABEL = make_label(owner="home", run="delta", deadline=DEADLINE)
MADE = Moment(wall=BEGIN, boot_id="boot-1", uptime_s=10_000.0)
LEASE = Lease(
    run="delta",
    owner="home",
    provider="scaleway",
    zone=ZONE,
    units=("plexguard-test@delta.service",),
    made=MADE,
    deadline=LABEL.deadline,
    type="GP1-S",
    hourly_euros=0.19074,
)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
DEV1_S = Offer(type="DEV1-S", cpus=2, ram_bytes=2 * GIB, hourly_euros=0.008976, local_disk_bytes=20 * GB)
GP1_S = Offer(type="GP1-S", cpus=8, ram_bytes=32 * GIB, hourly_euros=0.19074, local_disk_bytes=300 * GB)
PRO2_S = Offer(type="PRO2-S", cpus=8, ram_bytes=32 * GIB, hourly_euros=0.2234)
BASIC3 = Offer(type="BASIC3-X8C-32G", cpus=8, ram_bytes=32 * GIB, hourly_euros=0.2368)


def key(kind: Kind, name: str, zone: str = ZONE) -> Key:
    return Key(kind=kind, id=name, zone=zone)


def server(name: str = "s1", label: Label | None = LABEL, *, zone: str = ZONE, parts: tuple[Key, ...] = ()) -> Resource:
    return Resource(
        key=key(Kind.SERVER, name, zone), name=name, label=label, state="running", type="GP1-S", created=BEGIN, parts=parts
    )


def volume(name: str = "v1", label: Label | None = LABEL, *, kind: Kind = Kind.BLOCK_VOLUME, holder: str = "") -> Resource:
    return Resource(key=key(kind, name), name=name, label=label, size_bytes=100 * GB, created=BEGIN, holder=holder)


def listing(*resources: Resource, at: datetime = BEGIN + timedelta(hours=1), zone: str = ZONE) -> Listing:
    return Listing(zone=zone, at=at, resources=resources)


def labelled(run: str = "delta", owner: str = "home", *, hours: float = 96) -> Label:
    return replace(LABEL, run=run, owner=owner, deadline=BEGIN + timedelta(hours=hours))
