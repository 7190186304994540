"""What of all that is rented is to be given back, and why. Pure.

Only what bears this owner's label, or was noted in one of this machine's leases, is touched. What can't be told is left alone until
the deadline that is written on it is over, by the clock of whoever bills it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from plexguard.cloud_run.reap.observe import Hold, LeaseSeen, Observation
from plexguard.cloud_run.rent.labels import Label
from plexguard.cloud_run.rent.lease import Lease
from plexguard.cloud_run.rent.resources import Kind, Listing, Resource

# What a thing is called that bears no run's name.
UNLABELLED = "unlabelled"
# A machine that is being made has a volume some moments before it belongs to it.
_SETTLED = timedelta(minutes=10)
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """What of one label in one zone is to be given back. is_overdue: whoever holds it, since its deadline is over, or a person has
    said so. is_orphan: nobody has asked for it to be."""

    zone: str
    label: Label
    why: str
    resources: tuple[Resource, ...]
    is_overdue: bool = False
    is_orphan: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is in use, or may be."""

    zone: str
    label: Label
    why: str
    resources: tuple[Resource, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """give_back: in this order. forget: the leases of which nothing is left. kept: what stays.
    unclaimed: what bears no label and belongs to nothing, in a project that others may use too. strangers: what bears the
    label of another owner. unlisted: the zones of which nothing is known, with the reason."""

    give_back: tuple[Return, ...] = ()
    forget: tuple[Lease, ...] = ()
    kept: tuple[Kept, ...] = ()
    unclaimed: tuple[Resource, ...] = ()
    strangers: tuple[Resource, ...] = ()
    unlisted: tuple[tuple[str, str], ...] = ()


def decide(seen: Observation) -> Plan:
    give_back: list[Return] = []
    kept: list[Kept] = []
    unclaimed: list[Resource] = []
    strangers: list[Resource] = []
    # Another name was given to the owner since, and what was rented before is still ours.
    leased = {held.lease.label for held in seen.leases.values() if held.lease is not None}
    for listing in seen.listings.values():
        for label, resources in _group(seen, listing).items():
            if label.owner != seen.owner and label not in leased:
                strangers += resources
                continue
            why, is_overdue = find_reason(label, seen.leases.get(label.run), listing.at)
            if why:
                give_back.append(Return(zone=listing.zone, label=label, why=why, resources=tuple(resources), is_overdue=is_overdue))
            else:
                kept.append(Kept(zone=listing.zone, label=label, why=_show_hold(seen, label), resources=tuple(resources)))
        unclaimed += _find_unclaimed(seen, listing)
    if seen.own_project:
        give_back += (_claim(seen, resource) for resource in unclaimed)
        unclaimed = []
    used = {found.label.run for found in give_back} | {found.label.run for found in kept}
    return Plan(
        give_back=tuple(give_back),
        forget=tuple(_find_empty(seen, used)),
        kept=tuple(kept),
        unclaimed=tuple(unclaimed),
        strangers=tuple(strangers),
        unlisted=tuple(seen.unlisted.items()),
    )


def _group(seen: Observation, listing: Listing) -> dict[Label, list[Resource]]:
    """Return what is in a zone by the label that it bears, or that the lease has which its id was noted in."""
    noted = {key: held.lease.label for held in seen.leases.values() if held.lease is not None for key in held.lease.keys}
    grouped: dict[Label, list[Resource]] = {}
    for resource in listing.resources:
        label = resource.label or noted.get(resource.key)
        if label is not None:
            grouped.setdefault(label, []).append(resource)
    return grouped


def decide_destroy(seen: Observation, run: str, *, why: str) -> Plan:
    """Return what gives back all of one run, though something may hold it. why: that is so."""
    plan, lease = decide(seen), seen.leases.get(run)
    wanted = [replace(found, is_overdue=True, is_orphan=False) for found in plan.give_back if found.label.run == run]
    wanted += [
        Return(zone=kept.zone, label=kept.label, why=why, resources=kept.resources, is_overdue=True, is_orphan=False)
        for kept in plan.kept
        if kept.label.run == run
    ]
    held = lease.lease if lease is not None else None
    is_empty = not wanted and held is not None and held.zone in seen.listings and held.zone not in seen.unlisted
    return Plan(give_back=tuple(wanted), forget=(held,) if is_empty and held is not None else (), unlisted=plan.unlisted)


def belongs_to(task: Return, lease: Lease | None) -> Callable[[Resource], bool]:
    """Return what tells whether a thing is to go with a task: one of those that were found, of that label, or of its lease."""
    noted = lease.keys if lease is not None and lease.label == task.label else ()
    keys = {*noted, *(resource.key for resource in task.resources)}
    return lambda resource: resource.label == task.label or (resource.label is None and resource.key in keys)


def _find_unclaimed(seen: Observation, listing: Listing) -> Iterator[Resource]:
    """Yield the volumes and addresses of a zone that bear no label, were noted nowhere and belong to no machine: what a call left
    that was cut off in the provider's own midst."""
    noted = {key for held in seen.leases.values() if held.lease is not None for key in held.lease.keys}
    for resource in listing.resources:
        is_free = resource.key.kind is not Kind.SERVER and not resource.holder
        is_settled = resource.created is None or listing.at - resource.created >= _SETTLED
        if is_free and is_settled and resource.label is None and resource.key not in noted:
            yield resource


def _claim(seen: Observation, resource: Resource) -> Return:
    label = Label(owner=seen.owner, run=UNLABELLED, deadline=_LONG_AGO)
    why = "it bears no label and belongs to nothing, and the project is this owner's own"
    return Return(zone=resource.key.zone, label=label, why=why, resources=(resource,), is_overdue=True)


def find_reason(label: Label, held: LeaseSeen | None, at: datetime) -> tuple[str, bool]:
    """Return why what bears a label is to be given back, "" when it is not, and whether its deadline is over. at: by the provider's
    clock. held: the lease of its run."""
    if at >= label.deadline:
        return f"its time was over at {label.deadline:%Y-%m-%d %H:%M} UTC", True
    if held is None:
        return "no run on this machine holds it", False
    if held.lease is not None and held.lease.label != label:
        return "it is left of an earlier run of that name", False
    if held.hold is Hold.DEAD:
        return f"its run has ended: {held.why}", False
    return "", False


def _show_hold(seen: Observation, label: Label) -> str:
    held = seen.leases.get(label.run)
    return held.why if held is not None else ""


def _find_empty(seen: Observation, used: set[str]) -> Iterator[Lease]:
    """Yield the leases that hold nothing any more: nobody is about to rent by them, and their zones were listed without them."""
    for run, held in seen.leases.items():
        lease = held.lease
        if lease is None or run in used or lease.zone not in seen.listings or lease.zone in seen.unlisted:
            continue
        if held.hold is Hold.DEAD or seen.listings[lease.zone].at >= lease.deadline:
            yield lease
