"""What a run would be: asked of the provider, and told where it is other than was wanted."""

import functools

from plexguard.cloud_run import events
from plexguard.cloud_run.choosing.choose import Choice, Planned, Refused, choose_machine, make_plan, take_machine
from plexguard.cloud_run.config import Config
from plexguard.cloud_run.life.run_file import RunFile
from plexguard.cloud_run.providers.provider import Provider
from plexguard.cloud_run.rent.money import show_euros
from plexguard.core.errors import PlexguardError
from plexguard.core.journal import Journal

_MIB = 1 << 20


class TooDear(PlexguardError):
    """A run may cost more than it is allowed to."""

    exit_code = 1


def plan_affordable(name: str, file: RunFile, config: Config, provider: Provider, *, refused: Refused = frozenset()) -> Planned:
    """Return what a run gets, where that may not cost too much. Raises TooDear, and what plan_run() does."""
    planned = plan_run(file, config, provider, refused=refused)
    if not planned.is_affordable:
        raise TooDear(
            f"it may cost {show_euros(planned.estimate.total)} EUR, and may not cost more than {show_euros(planned.max_cost)}",
            hint=f"a shorter limit, a smaller instance or a higher max_cost, see: plexguard-cloud-run plan {name}",
        )
    return planned


def plan_run(file: RunFile, config: Config, provider: Provider, *, refused: Refused = frozenset()) -> Planned:
    """Return the machine that a run would get now, and what it costs. Raises NoMachine, and what the provider raises."""
    choice = _choose(file, config, provider, refused)
    prices = provider.price(choice.offer, is_local_disk=choice.is_local_disk)
    return make_plan(file, choice, prices, max_cost=file.cost_limit_in(config))


def _choose(file: RunFile, config: Config, provider: Provider, refused: Refused) -> Choice:
    if provider.is_rented:
        return choose_machine(file, file.zones_in(config), functools.cache(provider.find_offers), refused=refused)
    (zone,) = provider.zones
    (offer,) = provider.find_offers(zone).values()
    return take_machine(file, zone, offer)


def show_memory(size_bytes: int) -> str:
    """Return an amount of memory as the run's file has it: "24G", "3.5G"."""
    return f"{size_bytes / _MIB / 1024:.1f}G" if size_bytes % (_MIB * 1024) else f"{size_bytes // _MIB // 1024}G"


def tell_choice(name: str, file: RunFile, choice: Choice, journal: Journal) -> None:
    """Tell what of a choice is other than was wanted."""
    if choice.is_other:
        journal.send(events.TYPE_REPLACED, run=name, zone=choice.zone, wanted=choice.wanted, type=choice.offer.type)
    if choice.limits != file.limits:
        journal.send(
            events.LIMITS_LOWERED,
            run=name,
            type=choice.offer.type,
            wanted=f"{show_memory(file.limits.memory_bytes)} and {file.limits.cpus} processors",
            memory=show_memory(choice.limits.memory_bytes),
            cpus=choice.limits.cpus,
        )
