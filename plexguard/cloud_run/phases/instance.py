"""The run's machine: rented here, ready at the end, and given back when no phase needs it any more.

On a shutdown of this machine it is kept, since what it has done is paid for: the run is taken up again at boot.
"""

from plexguard.cloud_run import events
from plexguard.cloud_run.acquire import acquire
from plexguard.cloud_run.chain import holding_units
from plexguard.cloud_run.commands.begin import look
from plexguard.cloud_run.commands.destroy import give_back_all
from plexguard.cloud_run.labels import make_label
from plexguard.cloud_run.lease import Lease
from plexguard.cloud_run.owner import find_owner
from plexguard.cloud_run.phases.work import Work
from plexguard.cloud_run.providers.provider import Order
from plexguard.core.errors import DataError


def work(run: Work) -> None:
    """Raises what renting raises, and what waiting for the machine does."""
    lease = _find_lease(run)
    run.tell(f"renting {lease.type} in {lease.zone}")
    acquire(run.world.provider, run.world.leases, lease, _order(run, lease), run.ports.journal)
    with run.machine() as host:
        done = host.run(["uname", "-srn"], timeout_s=20.0)
    run.tell(f"ready: {done.stdout.strip()}")


def _find_lease(run: Work) -> Lease:
    """Return the lease that an attempt before this one has made, or a new one."""
    read = run.world.leases.read(run.name)
    if read is not None and read.lease is not None:
        return read.lease
    state, now = run.book.state, run.ports.clock.moment()
    if state.choice is None:
        raise DataError("no machine was chosen: the preflight has not ended")
    label = make_label(owner=find_owner(run.config.owner), run=run.name, deadline=state.deadline)
    return Lease(
        run=run.name,
        owner=label.owner,
        provider=run.config.provider,
        zone=state.choice.zone,
        units=holding_units(run.name),
        made=now,
        deadline=label.deadline,
        keep=run.file.keep,
        type=state.choice.offer.type,
        hourly_euros=state.choice.offer.hourly_euros,
    )


def _order(run: Work, lease: Lease) -> Order:
    choice = run.book.state.choice
    if choice is None:
        raise DataError("no machine was chosen: the preflight has not ended")
    return Order(
        label=lease.label,
        zone=lease.zone,
        type=lease.type,
        image="",
        disk_bytes=choice.disk_bytes,
        is_local_disk=choice.is_local_disk,
    )


def release(run: Work) -> int:
    """Give the machine back, and return the exit code: where it could not be, the reaper tries again."""
    read = run.world.leases.read(run.name)
    lease = read.lease if read is not None else None
    if lease is not None and run.is_shut_down:
        run.ports.journal.send(events.INSTANCE_LEFT, run=run.name, zone=lease.zone)
        return 0
    if lease is not None and lease.keep:
        run.ports.journal.send(events.INSTANCE_KEPT, run=run.name, zone=lease.zone, deadline=f"{lease.deadline:%Y-%m-%d %H:%M} UTC")
        return 0
    run.ports.notifier.tell("STATUS=giving back what was rented")
    code = give_back_all(run.name, run.world, look(run.config, run.world))
    if run.world.leases.read(run.name) is None:
        run.keys.forget()
    return code
