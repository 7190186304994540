"""The run's machine: rented here, ready at the end, and given back when no phase needs it any more.

On a shutdown of this machine it is kept, since what it has done is paid for: the run is taken up again at boot.
"""

from dataclasses import replace

from plexguard.cloud_run import events
from plexguard.cloud_run.choosing.choose import Choice, Refused
from plexguard.cloud_run.choosing.planning import plan_affordable, tell_choice
from plexguard.cloud_run.first_boot.readiness import await_ready
from plexguard.cloud_run.first_boot.user_data import Told, make_user_data
from plexguard.cloud_run.life.chain import holding_units
from plexguard.cloud_run.phases.work import Work
from plexguard.cloud_run.providers.provider import Order, OutOfStock, QuotaExceeded
from plexguard.cloud_run.reap.act import carry_out, give_back_all
from plexguard.cloud_run.reap.decide import decide_destroy
from plexguard.cloud_run.reap.world import look
from plexguard.cloud_run.rent.acquire import acquire
from plexguard.cloud_run.rent.labels import make_label
from plexguard.cloud_run.rent.lease import Lease
from plexguard.cloud_run.rent.owner import find_owner
from plexguard.cloud_run.rent.resources import Resource
from plexguard.core.errors import DataError, PlexguardError, Unavailable
from plexguard.core.notify import one_line

# For how long ssh is tried: a start was seen to take minutes.
SSH_S = 180.0
# For how long the provider may be away when a machine is there already.
_AWAY_S, _PAUSE_S = 3600.0, 20.0


def work(run: Work) -> None:
    """Raises what renting raises, and what waiting for the machine does."""
    server = _rent(run)
    if run.book.state.rented is None:
        run.book.change(rented=run.ports.clock.now())
    with run.machine(patience_s=SSH_S) as host:
        if not run.world.provider.is_rented:
            run.tell(f"ready: {host.run(['uname', '-srn'], timeout_s=20.0).stdout.strip()}")
            return
        run.tell(f"waiting for {server.type} at {' '.join(server.addresses)}")
        verdict = await_ready(host, run.ports.clock)
    run.world.provider.forget_user_data(server.key)
    run.keys.hand_over()
    versions = verdict.ready.versions if verdict.ready else {}
    problems = f"; cloud-init says: {verdict.problems}" if verdict.problems else ""
    run.tell(f"ready: {', '.join(f'{name} {version}' for name, version in versions.items())}{problems}")


def _rent(run: Work) -> Resource:
    """Return the machine: rented now or by an attempt before this one. Where it is refused, the next that will do is asked for."""
    refused: Refused = frozenset()
    until_s = run.ports.clock.monotonic_s() + _AWAY_S
    while True:
        lease = _find_lease(run)
        run.tell(f"renting {lease.type} in {lease.zone}")
        try:
            return acquire(run.world.provider, run.world.leases, lease, _order(run, lease), run.ports.journal)
        except (OutOfStock, QuotaExceeded) as error:
            refused |= {(lease.type, lease.zone)}
            _choose_again(run, lease, refused, error)
        except Unavailable as error:
            # One that is there, with what it has done: at boot the line may be slower than this machine.
            if not lease.has_server or run.ports.clock.monotonic_s() >= until_s:
                raise
            run.tell(f"trying again: {one_line(str(error))}")
            run.ports.clock.sleep(_PAUSE_S)


def _choose_again(run: Work, lease: Lease, refused: Refused, error: PlexguardError) -> None:
    """Choose another machine than those that were refused. Raises what was said when something of the last may be there, NoMachine
    when no other will do, and TooDear."""
    run.ports.journal.send(events.MACHINE_REFUSED, run=run.name, zone=lease.zone, type=lease.type, reason=one_line(str(error)))
    carry_out(decide_destroy(look(run.config, run.world), run.name, why="it was refused"), run.world)
    if run.world.leases.read(run.name) is not None:
        raise error
    planned = plan_affordable(run.name, run.file, run.config, run.world.provider, refused=refused)
    tell_choice(run.name, run.file, planned.choice, run.ports.journal)
    run.book.change(choice=planned.choice, hourly_euros=planned.estimate.hourly)


def _find_lease(run: Work) -> Lease:
    """Return the lease that an attempt before this one has made, or a new one, with new keys."""
    read = run.world.leases.read(run.name)
    if read is not None and read.lease is not None:
        return read.lease
    choice, now = _choice(run), run.ports.clock.moment()
    run.keys.forget()
    # From now on it is paid for; what came before may have taken hours.
    label = make_label(owner=find_owner(run.config.owner), run=run.name, deadline=now.wall + run.file.limit)
    # As it is written on what is rented, by which the run is known again after a boot.
    run.book.change(deadline=label.deadline)
    return Lease(
        run=run.name,
        owner=label.owner,
        provider=run.config.provider,
        zone=choice.zone,
        units=holding_units(run.name),
        made=now,
        deadline=label.deadline,
        keep=run.file.keep,
        type=choice.offer.type,
        hourly_euros=choice.offer.hourly_euros,
        project=run.config.project if run.world.provider.is_rented else "",
    )


def _order(run: Work, lease: Lease) -> Order:
    choice = _choice(run)
    order = Order(
        label=lease.label,
        zone=lease.zone,
        type=lease.type,
        image="",
        disk_bytes=choice.disk_bytes,
        is_local_disk=choice.is_local_disk,
    )
    if not run.world.provider.is_rented:
        return order
    # Before the machine is asked for, and kept with its lease: without them it could be paid for, and not entered.
    run.keys.make(run.ports.host, run=run.name)
    return replace(order, user_data=_user_data(run, lease), client_key=run.keys.client_public)


def _user_data(run: Work, lease: Lease) -> bytes:
    """Return what the machine is told, nothing when it has been told: then its private key is its own."""
    private = run.keys.read_host()
    if not private:
        return b""
    told = Told(
        host_private=private,
        host_public=run.keys.host_public,
        client_public=run.keys.client_public,
        deadline=lease.deadline,
        image=run.book.state.image,
    )
    return make_user_data(told)


def _choice(run: Work) -> Choice:
    choice = run.book.state.choice
    if choice is None:
        raise DataError("no machine was chosen: the preflight has not ended")
    return choice


def release(run: Work) -> int:
    """Give the machine back, and return the exit code: where it could not be, the reaper tries again."""
    read = run.world.leases.read(run.name)
    lease = read.lease if read is not None else None
    if lease is not None and run.is_shut_down:
        run.ports.journal.send(events.INSTANCE_LEFT, run=run.name, zone=lease.zone)
        return 0
    if lease is not None and lease.keep and lease.has_server:
        run.ports.journal.send(events.INSTANCE_KEPT, run=run.name, zone=lease.zone, deadline=f"{lease.deadline:%Y-%m-%d %H:%M} UTC")
        return 0
    run.ports.notifier.tell("STATUS=giving back what was rented")
    return give_back_all(run.name, run.world, look(run.config, run.world), why="its run has ended")
