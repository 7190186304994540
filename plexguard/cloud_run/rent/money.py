"""What runs cost: until now, and in the past. Amounts are of the provider's prices, not of its bill."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from plexguard.cloud_run.choosing.estimate import Prices, estimate_cost
from plexguard.cloud_run.providers.provider import Provider
from plexguard.cloud_run.rent.resources import Key, Kind, Resource
from plexguard.core.state import History

_KEPT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a machine has cost. euros: None where its price is not known."""

    run: str
    zone: str
    type: str
    began: datetime
    ended: datetime
    euros: float | None = None


def open_spent(folder: Path) -> History[Spent]:
    return History(folder / "costs.jsonl", Spent, keep=_KEPT)


def find_spent(run: str, resources: tuple[Resource, ...], prices: Prices | None, at: datetime) -> tuple[Spent, ...]:
    """Return what the machines among things have cost until a time. A volume without one is some cents, and not counted."""
    sizes = {resource.key: resource.size_bytes for resource in resources}
    return tuple(
        Spent(
            run=run,
            zone=server.key.zone,
            type=server.type,
            began=server.created,
            ended=at,
            euros=None if prices is None else _cost(server, sizes, prices, at),
        )
        for server in resources
        if server.key.kind is Kind.SERVER and server.created is not None
    )


def _cost(server: Resource, sizes: Mapping[Key, int], prices: Prices, at: datetime) -> float:
    assert server.created is not None
    disk_bytes = sum(sizes.get(volume, 0) for volume in server.volumes)
    return estimate_cost(prices, disk_bytes=disk_bytes, time=at - server.created).total


def find_prices(provider: Provider, resources: tuple[Resource, ...]) -> Prices | None:
    """Return the prices of the machine among things, None when there is none, or it is of a type that is no longer offered. Raises
    what the provider raises."""
    server = next((resource for resource in resources if resource.key.kind is Kind.SERVER), None)
    offer = provider.find_offers(server.key.zone).get(server.type) if server is not None else None
    if server is None or offer is None:
        return None
    is_local_disk = all(volume.kind is Kind.LOCAL_VOLUME for volume in server.volumes)
    return provider.price(offer, is_local_disk=is_local_disk)


def show_euros(euros: float | None) -> str:
    return "unknown" if euros is None else f"{euros:.2f}"
