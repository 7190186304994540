"""Give back what is to be given back, one run after the other, and tell it. One that fails keeps no other from being given back."""

import contextlib
import os
from dataclasses import replace

from plexguard.cloud_run import events
from plexguard.cloud_run.reap.decide import Plan, Return, belongs_to, decide_destroy
from plexguard.cloud_run.reap.observe import Hold, Observation, look_at_lease
from plexguard.cloud_run.reap.world import State, World
from plexguard.cloud_run.rent.give_back import give_back
from plexguard.cloud_run.rent.lease import Lease
from plexguard.cloud_run.rent.money import find_prices, find_spent, show_euros
from plexguard.cloud_run.rent.resources import Key, describe
from plexguard.core.clock import Moment
from plexguard.core.errors import IoFailed, PlexguardError, TryAgain, Unavailable
from plexguard.core.program import FOUND_PROBLEMS


def carry_out(plan: Plan, world: World) -> int:
    """Carry a plan out and return the exit code: 69 when not all could be told, 1 when something was left that
    should not be, 75 when another is just giving it back."""
    state = world.state.load() or State()
    state = _tell_zones(plan, state, world)
    is_left = is_busy = False
    for task in plan.give_back:
        key, now = f"{task.label.run} in {task.zone}", world.clock.moment()
        if task.is_orphan and key not in state.found:
            world.journal.send(events.ORPHAN_FOUND, **_place(task), what=describe(task.resources), why=task.why)
            state = _keep(replace(state, found={**state.found, key: now}), world)
        try:
            is_done = give_back_one(task, world)
        except TryAgain:
            is_done, is_busy = False, True  # another is at it just now
        except PlexguardError as error:
            is_left = True
            if key not in state.failed:
                world.journal.send(
                    events.DESTROY_FAILED, **_place(task), reason=str(error), hint=f"{error.hint or 'The provider says more.'}"
                )
                state = _keep(replace(state, failed={**state.failed, key: now}), world)
            continue
        if is_done:
            state = _keep(replace(state, found=_without(state.found, key), failed=_without(state.failed, key)), world)
    for lease in plan.forget:
        _forget(lease, world)
    if plan.unlisted:
        return os.EX_UNAVAILABLE
    if is_left:
        return FOUND_PROBLEMS
    return os.EX_TEMPFAIL if is_busy else 0


def give_back_all(run: str, world: World, seen: Observation, *, why: str) -> int:
    """Give back all of a run, whoever holds it, and return the exit code. why: for who reads of it."""
    return carry_out(decide_destroy(seen, run, why=why), world)


def give_back_one(task: Return, world: World) -> bool:
    """Give back what bears one label, and return whether it was: a run may hold it by now. Raises TryAgain when another is at it,
    NotGone, and what the provider raises."""
    label = task.label
    with world.leases.hold(label.run):
        read = world.leases.read(label.run)
        held = look_at_lease(read, world.manager, world.clock.moment()) if read is not None else None
        is_its = held is not None and held.lease is not None and held.lease.label == label
        # Looked at again at the moment of acting.
        if held is not None and not task.is_overdue and held.hold is not Hold.DEAD and (is_its or held.lease is None):
            return False
        lease = held.lease if held is not None else None
        try:
            prices = find_prices(world.provider, task.resources)
        except PlexguardError:
            prices = None  # what it has cost is worth less than to have it end
        noted: set[Key] = set()

        def note(key: Key) -> None:
            noted.add(key)
            # It bears the label, too: a disk that is full keeps nothing alive.
            with contextlib.suppress(IoFailed):
                if is_its:
                    world.leases.note(label.run, key)

        is_of_lease = belongs_to(task, lease)
        try:
            returned = give_back(
                world.provider,
                task.resources,
                zone=task.zone,
                label=label,
                belongs=lambda resource: is_of_lease(resource) or resource.key in noted,
                note=note,
                clock=world.clock,
            )
        except TryAgain as error:
            # The provider's; not to be taken for another who is at it.
            raise Unavailable(str(error), hint=error.hint) from error
        spent = find_spent(label.run, returned.resources, prices, returned.at)
        world.journal.send(
            events.INSTANCE_DESTROYED,
            **_place(task),
            what=describe(returned.resources),
            why=task.why,
            cost_euros=show_euros(sum(one.euros for one in spent if one.euros is not None) if prices is not None else None),
        )
        if is_its and lease is not None and lease.zone == task.zone:
            world.leases.forget(label.run)
        with contextlib.suppress(IoFailed):  # what it has cost was told
            for one in spent:
                world.spent.append(one)
    return True


def _keep(state: State, world: World) -> State:
    """Keep what was told, where the disk takes it: else it is told again."""
    with contextlib.suppress(IoFailed):
        world.state.save(state)
    return state


def _forget(lease: Lease, world: World) -> None:
    """Remove a lease that holds nothing, unless it is another by now."""
    try:
        with world.leases.hold(lease.run):
            read = world.leases.read(lease.run)
            if read is not None and read.lease is not None and read.lease.label == lease.label:
                world.leases.forget(lease.run)
    except TryAgain:
        return  # a new run of that name begins just now


def _tell_zones(plan: Plan, state: State, world: World) -> State:
    now, unlisted = world.clock.moment(), dict(plan.unlisted)
    for zone, reason in plan.unlisted:
        if zone not in state.unlisted:
            world.journal.send(events.ZONE_UNKNOWN, zone=zone, reason=reason)
    for zone, since in state.unlisted.items():
        if zone not in unlisted:
            world.journal.send(events.ZONE_KNOWN, zone=zone, unknown_h=now.seconds_since(since) / 3600)
    told = {zone: state.unlisted.get(zone, now) for zone in unlisted}
    if told != state.unlisted:
        state = _keep(replace(state, unlisted=told), world)
    return state


def _place(task: Return) -> dict[str, object]:
    return {"run": task.label.run, "zone": task.zone}


def _without(known: dict[str, Moment], key: str) -> dict[str, Moment]:
    return {name: moment for name, moment in known.items() if name != key}
