"""What the reaper looks at: everything in every zone, every lease, and the unit that holds each."""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from plexguard.cloud_run.config import Config
from plexguard.cloud_run.providers.provider import Provider
from plexguard.cloud_run.rent.lease import Lease, LeaseRead, Leases
from plexguard.cloud_run.rent.resources import Listing
from plexguard.core.clock import Moment
from plexguard.core.errors import PlexguardError
from plexguard.core.manager import Manager

# Of a unit that holds what it has acquired, is about to, or gives it back itself.
_HOLDING = frozenset({"active", "activating", "reloading", "deactivating"})


class Hold(enum.Enum):
    """Who holds a lease."""

    HELD = "held"  # by its unit, or it is to stay until its deadline
    DEAD = "dead"  # by nobody: its unit has ended in this very boot
    OTHER_BOOT = "other boot"  # by nobody, since the machine has booted; a run may be taken up again
    UNKNOWN = "unknown"  # the lease can't be read, or the manager does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSeen:
    """A lease and who holds it. lease: None when it can't be read. why: in words, what is not plain."""

    hold: Hold
    lease: Lease | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """listings: of the zones that could be listed, by zone; unlisted: why others could not, or not whole. leases: by run.
    own_project: what bears no label and belongs to nothing is this owner's too."""

    owner: str
    listings: Mapping[str, Listing]
    unlisted: Mapping[str, str]
    leases: Mapping[str, LeaseSeen]
    own_project: bool = False


def observe(
    provider: Provider, leases: Leases, manager: Manager, *, config: Config, owner: str, now: Moment, zones: Iterable[str] = ()
) -> Observation:
    """Look at everything. zones: further ones to look in. Raises what reading the leases raises: without them nothing may be given
    back."""
    seen = {run: look_at_lease(read, manager, now) for run, read in leases.read_all().items()}
    known = [held.lease for held in seen.values() if held.lease is not None]
    listings: dict[str, Listing] = {}
    unlisted = {lease.zone: why for lease in known if (why := _find_elsewhere(lease, config))}
    for zone in dict.fromkeys((*provider.zones, *zones, *(lease.zone for lease in known if lease.provider == config.provider))):
        try:
            listings[zone] = provider.list(zone)
        except PlexguardError as error:
            unlisted[zone] = f"{error}" + (f" ({error.hint})" if error.hint else "")
    return Observation(owner=owner, listings=listings, unlisted=unlisted, leases=seen, own_project=config.own_project)


def _find_elsewhere(lease: Lease, config: Config) -> str:
    """Return why what a lease names is not seen with this configuration, "" when it is."""
    if lease.provider != config.provider:
        return f"what {lease.run} holds there is rented from {lease.provider}, and [cloud-run] names {config.provider}"
    if lease.project and lease.project != config.project:
        return f"what {lease.run} holds there is in project {lease.project}, and [cloud-run] names {config.project}"
    return ""


def look_at_lease(read: LeaseRead, manager: Manager, now: Moment) -> LeaseSeen:
    """Return who holds a lease just now."""
    lease = read.lease
    if lease is None:
        return LeaseSeen(hold=Hold.UNKNOWN, why=read.why)
    if lease.keep:
        return LeaseSeen(hold=Hold.HELD, lease=lease, why="it is kept")
    if not now.is_of_boot_of(lease.made):
        return LeaseSeen(hold=Hold.OTHER_BOOT, lease=lease, why="the machine has booted since")
    try:
        units = manager.look_up(lease.units)
    except PlexguardError as error:
        return LeaseSeen(hold=Hold.UNKNOWN, lease=lease, why=str(error))
    holding = next((unit for unit in units if unit.active_state in _HOLDING), None)
    if holding is None:
        return LeaseSeen(hold=Hold.DEAD, lease=lease, why="none of its units is active")
    return LeaseSeen(hold=Hold.HELD, lease=lease, why=f"{holding.name} is {holding.active_state}")
