"""Give all of a run back, and prove by listing that nothing of it is left."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from plexguard.cloud_run.providers.provider import Note, NotGone, Provider
from plexguard.cloud_run.rent.labels import Label
from plexguard.cloud_run.rent.resources import Listing, Resource, describe
from plexguard.core.clock import Clock

# A listing may lag behind what was done; how long to wait before it is taken at its word.
_LOOKS_S = (0.0, 5.0, 10.0, 20.0, 40.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What was given back, and when the listing was made that shows nothing of it."""

    resources: tuple[Resource, ...]
    at: datetime


def give_back(
    provider: Provider,
    found: tuple[Resource, ...],
    *,
    zone: str,
    label: Label,
    belongs: Callable[[Resource], bool],
    note: Note,
    clock: Clock,
) -> Returned:
    """Give back what was found, then whatever else a new listing shows of it. belongs: which that is. Raises NotGone, and what the
    provider raises; what is not gone then is still labelled, or noted."""
    provider.destroy(found, label, note)
    gone = {resource.key: resource for resource in found}
    listing: Listing | None = None
    left: tuple[Resource, ...] = ()
    for pause_s in _LOOKS_S:
        clock.sleep(pause_s)
        listing = provider.list(zone)
        left = tuple(resource for resource in listing.resources if belongs(resource))
        if not left:
            return Returned(resources=tuple(gone.values()), at=listing.at)
        gone |= {resource.key: resource for resource in left}
        provider.destroy(left, label, note)
    raise NotGone(f"{describe(left)} of {label.run} still there: {', '.join(resource.key.id for resource in left)}")
