"""`cost`: what is rented now has cost until now, and what runs have cost."""

import json
import os
from pathlib import Path

import click

from plexguard.cloud_run.commands import begin
from plexguard.cloud_run.config import Config
from plexguard.core import program
from plexguard.core.program import Ports
from plexguard.core.records import encode


@click.command()
@program.format_option
@click.pass_obj
def cost(config_path: Path, output: str) -> int:
    """Tell what runs cost, and have cost."""
    return run(*begin.load(config_path), output=output)


def run(config: Config, ports: Ports, *, output: str) -> int:
    from plexguard.cloud_run.reap.decide import decide
    from plexguard.cloud_run.reap.world import look, open_world
    from plexguard.cloud_run.rent.money import find_prices, find_spent, show_euros

    world = open_world(config, ports)
    seen = look(config, world)
    plan = decide(seen)
    groups = [(found.zone, found.label.run, found.resources) for found in plan.give_back]
    groups += [(kept.zone, kept.label.run, kept.resources) for kept in plan.kept]
    running = [
        one
        for zone, name, resources in groups
        for one in find_spent(name, resources, find_prices(world.provider, resources), seen.listings[zone].at)
    ]
    past = world.spent.read()
    if output == "json":
        click.echo(json.dumps({"running": encode(running), "past": encode(past), "unknown": list(seen.unlisted)}, indent=1))
    else:
        for word, ones in (("running", running), ("past", past)):
            for one in ones:
                hours = (one.ended - one.began).total_seconds() / 3600
                click.echo(
                    f"{word:8} {one.began.astimezone():%Y-%m-%d %H:%M}  {one.run}  {one.type} in {one.zone}  {hours:.1f} h  "
                    f"{show_euros(one.euros)} EUR"
                )
        for zone, reason in seen.unlisted.items():
            click.echo(f"unknown  {zone}: {reason}")
        if not (running or past or seen.unlisted):
            click.echo("nothing was rented yet")
    return os.EX_UNAVAILABLE if seen.unlisted else 0
