"""Rent a machine for a run: the lease first, then whatever the provider makes, each id into the lease as it comes back."""

from dataclasses import replace

from plexguard.cloud_run import events
from plexguard.cloud_run.providers.provider import Order, Provider
from plexguard.cloud_run.rent.lease import Lease, Leases
from plexguard.cloud_run.rent.resources import Key, Resource
from plexguard.core.errors import DataError, TryAgain
from plexguard.core.journal import Journal


def acquire(provider: Provider, leases: Leases, lease: Lease, order: Order, journal: Journal) -> Resource:
    """Return the machine of a lease: rented now, or by an attempt before this one that was cut off, with the same lease.

    Raises TryAgain when what an earlier run of that name held is not given back yet, and what the provider raises; then the lease
    stays, since something may have been made.
    """
    if order.label != lease.label:
        raise DataError(f"{lease.run}: the order bears another label than the lease")
    with leases.hold(lease.run):
        read = leases.read(lease.run)
        if read is not None and (read.lease is None or read.lease.label != lease.label):
            raise TryAgain(
                f"{lease.run}: what it rented before is not given back yet", hint=f"plexguard-cloud-run destroy {lease.run}"
            )
        if read is None:
            if not provider.is_rented:
                _refuse_others(leases, lease)
            leases.save(lease)

        def note(key: Key) -> None:
            leases.note(lease.run, key)

        is_made = read is not None and read.lease is not None and read.lease.has_server
        server = provider.rent(replace(order, is_made=is_made), note)
    # One that an earlier boot has rented was told of then.
    if not provider.is_rented or (read is not None and read.lease is not None and server.key in read.lease.keys):
        return server
    journal.send(
        events.INSTANCE_CREATED,
        run=lease.run,
        zone=lease.zone,
        type=server.type,
        server=server.key.id,
        hourly_euros=f"{lease.hourly_euros:g}",
        deadline=f"{lease.deadline:%Y-%m-%d %H:%M} UTC",
    )
    return server


def _refuse_others(leases: Leases, lease: Lease) -> None:
    """Raise TryAgain when another run works on that very machine: they would take each other's mount and container."""
    for run, read in leases.read_all().items():
        other = read.lease
        if run != lease.run and other is not None and (other.provider, other.zone) == (lease.provider, lease.zone):
            raise TryAgain(f"{lease.zone}: the run {run} works on that machine", hint=f"plexguard-cloud-run watch {run}")
