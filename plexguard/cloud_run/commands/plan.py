"""`plan`: which machine a run gets, and what it costs at the most. Nothing is rented."""

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from plexguard.cloud_run.commands import begin
from plexguard.cloud_run.config import Config
from plexguard.core import program
from plexguard.core.program import FOUND_PROBLEMS, Ports
from plexguard.core.spans import show_span

if TYPE_CHECKING:  # --help needs none of it
    from plexguard.cloud_run.choose import Planned
    from plexguard.cloud_run.providers.provider import Provider
    from plexguard.cloud_run.run_file import RunFile

_MIB = 1 << 20


@click.command()
@click.argument("name", metavar="NAME")
@program.format_option
@click.pass_obj
def plan(config_path: Path, name: str, output: str) -> int:
    """Tell which machine a run gets, and what it costs."""
    config, ports = begin.load(config_path)
    return run(config, ports, name, output=output)


def run(config: Config, ports: Ports, name: str, *, output: str) -> int:
    from plexguard.cloud_run.providers.open import open_provider
    from plexguard.cloud_run.run_file import read_run

    wanted = read_run(name)
    provider = open_provider(config, clock=ports.clock, host=ports.host)
    planned = _plan(wanted, config, provider)
    _tell(name, wanted, planned, ports)
    if output == "json":
        click.echo(json.dumps(_encode(name, wanted, planned, config), indent=1))
    else:
        for line in show(name, wanted, planned, config):
            click.echo(line)
    return 0 if planned.is_affordable else FOUND_PROBLEMS


def _plan(wanted: "RunFile", config: Config, provider: "Provider") -> "Planned":
    from plexguard.cloud_run.choose import choose_machine, make_plan, take_machine

    if provider.is_rented:
        choice = choose_machine(wanted, wanted.zones_in(config), functools.cache(provider.find_offers))
    else:
        (zone,) = provider.zones
        (offer,) = provider.find_offers(zone).values()
        choice = take_machine(wanted, zone, offer)
    prices = provider.price(choice.offer, is_local_disk=choice.is_local_disk)
    return make_plan(wanted, choice, prices, max_cost=wanted.cost_limit_in(config))


def _tell(name: str, wanted: "RunFile", planned: "Planned", ports: Ports) -> None:
    from plexguard.cloud_run import events

    choice = planned.choice
    if choice.is_other:
        ports.journal.send(events.TYPE_REPLACED, run=name, zone=choice.zone, wanted=choice.wanted, type=choice.offer.type)
    if choice.limits != wanted.limits:
        ports.journal.send(
            events.LIMITS_LOWERED,
            run=name,
            type=choice.offer.type,
            wanted=f"{_mib(wanted.limits.memory_bytes)} and {wanted.limits.cpus} processors",
            memory=_mib(choice.limits.memory_bytes),
            cpus=choice.limits.cpus,
        )


def show(name: str, wanted: "RunFile", planned: "Planned", config: Config) -> list[str]:
    """Return the plan, a line for each part of it."""
    from plexguard.cloud_run.profiles import MONITORING

    choice, estimate, patience = planned.choice, planned.estimate, MONITORING[wanted.monitoring]
    disk = f", {choice.disk_bytes / 1e9:.0f} GB of {'local disk' if choice.is_local_disk else 'block storage'}"
    rows = {
        "run": name,
        "machine": f"{choice.offer.type} in {choice.zone}, from {config.provider}: {choice.offer.cpus} processors, "
        f"{_mib(choice.offer.ram_bytes)} of memory{disk if choice.disk_bytes else ''}",
        "container": f"{_mib(choice.limits.memory_bytes)} of memory, {_mib(choice.limits.swap_bytes)} of swap, "
        f"{choice.limits.cpus} processors",
        "monitoring": f"{wanted.monitoring}: every {show_span(patience.interval)}, a stall after {show_span(patience.stall)}, "
        f"over after {show_span(patience.limit)}",
        "limit": show_span(wanted.limit) + (", and kept until then" if wanted.keep else ""),
        "cost": f"{estimate.total:.2f} EUR at the most, without tax: {estimate.hours} h of machine {estimate.machine:.2f}, "
        f"disk {estimate.disk:.2f}, address {estimate.address:.2f}",
        "max_cost": f"{planned.max_cost:.2f} EUR" + ("" if planned.is_affordable else ", which is less: this run would not begin"),
    }
    return [f"{key:11} {value}" for key, value in rows.items()]


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / _MIB / 1024:.1f}G" if size_bytes % (_MIB * 1024) else f"{size_bytes // _MIB // 1024}G"


def _encode(name: str, wanted: "RunFile", planned: "Planned", config: Config) -> dict[str, Any]:
    from plexguard.core.records import encode

    return {
        "run": name,
        "provider": config.provider,
        "machine": encode(planned.choice),
        "monitoring": wanted.monitoring,
        "limit_s": wanted.limit.total_seconds(),
        "keep": wanted.keep,
        "estimate": {**encode(planned.estimate), "total": planned.estimate.total},
        "max_cost": planned.max_cost,
        "is_affordable": planned.is_affordable,
    }
