"""Which machine a run gets: the type that it names, or one that may stand in for it, where one is free. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from plexguard.cloud_run.choosing.estimate import Estimate, Prices, estimate_cost
from plexguard.cloud_run.choosing.profiles import Limits, fit_limits
from plexguard.cloud_run.life.run_file import RunFile
from plexguard.cloud_run.providers.provider import Offer
from plexguard.core.errors import Unavailable

# Types in zones, which were asked for and could not be had.
Refused = frozenset[tuple[str, str]]


class NoMachine(Unavailable):
    """No machine that will do can be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A machine in a zone. wanted: the type that was asked for first. is_local_disk: its disk is its own. limits: of the container,
    lowered to what the machine has."""

    zone: str
    offer: Offer
    wanted: str
    disk_bytes: int
    is_local_disk: bool
    limits: Limits

    @property
    def is_other(self) -> bool:
        return self.offer.type != self.wanted


def choose_machine(
    run: RunFile, zones: tuple[str, ...], find_offers: Callable[[str], Mapping[str, Offer]], *, refused: Refused = frozenset()
) -> Choice:
    """Return the machine for a run: of the best type of which one is free, in the first zone that has one. Raises NoMachine.

    find_offers: is asked for a zone when it is looked at, and no zone is that need not be.
    """
    reasons: list[str] = []
    for name in run.types:
        for zone in zones:
            if (name, zone) in refused:
                reasons.append(f"{name} in {zone}: refused when it was asked for")
                continue
            offer = find_offers(zone).get(name)
            against = "; ".join(_find_against(run, offer))
            if offer is not None and not against:
                return _take(run, zone, offer)
            reasons.append(f"{name} in {zone}: {against}")
    raise NoMachine(
        f"No machine can be had: {', '.join(reasons)}", hint="name other zones in [cloud-run], or a type in the run's file"
    )


def take_machine(run: RunFile, zone: str, offer: Offer) -> Choice:
    """Return the machine that is there anyway, however large it is."""
    limits = fit_limits(run.limits, cpus=offer.cpus, ram_bytes=offer.ram_bytes)
    return Choice(zone=zone, offer=offer, wanted=offer.type, disk_bytes=0, is_local_disk=True, limits=limits)


def _find_against(run: RunFile, offer: Offer | None) -> Iterator[str]:
    if offer is None:
        yield "not offered"
        return
    if offer.is_ending:
        yield "about to be withdrawn"
    if not offer.is_free:
        yield "none is free"
    # Whoever names a type knows how large it is.
    if not run.type and (offer.cpus < run.profile.cpus or offer.ram_bytes < run.profile.ram_bytes):
        yield "smaller than what it stands in for"


def _take(run: RunFile, zone: str, offer: Offer) -> Choice:
    return Choice(
        zone=zone,
        offer=offer,
        wanted=run.types[0],
        disk_bytes=run.disk_bytes,
        is_local_disk=offer.local_disk_bytes >= run.disk_bytes,
        limits=fit_limits(run.limits, cpus=offer.cpus, ram_bytes=offer.ram_bytes),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What a run would be, and cost at the most."""

    choice: Choice
    prices: Prices
    estimate: Estimate
    max_cost: float

    @property
    def is_affordable(self) -> bool:
        return self.estimate.total <= self.max_cost


def make_plan(run: RunFile, choice: Choice, prices: Prices, *, max_cost: float) -> Planned:
    estimate = estimate_cost(prices, disk_bytes=choice.disk_bytes, time=run.limit)
    return Planned(choice=choice, prices=prices, estimate=estimate, max_cost=max_cost)
