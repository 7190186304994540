"""`reaper`: give back what no run holds any more. Its timer runs it."""

from pathlib import Path

import click

from plexguard.cloud_run.commands import begin
from plexguard.cloud_run.config import Config
from plexguard.core.program import Ports


@click.command()
@click.pass_obj
def reaper(config_path: Path) -> int:
    """Give back what no run holds any more."""
    return run(*begin.load_to_return(config_path))


def run(config: Config, ports: Ports) -> int:
    from plexguard.cloud_run.reap.act import carry_out
    from plexguard.cloud_run.reap.decide import decide
    from plexguard.cloud_run.reap.world import look, open_world

    if config.provider == "none":
        begin.refuse_leases(ports)
        click.echo("The cloud is not configured: nothing is rented. [cloud-run] provider in plexguard.toml names one.")
        return 0
    world = open_world(config, ports)
    return carry_out(decide(look(config, world)), world)
