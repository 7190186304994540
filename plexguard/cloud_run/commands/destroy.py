"""`destroy`: give back all that a run holds, whatever it says."""

from pathlib import Path

import click

from plexguard.cloud_run.commands import begin
from plexguard.cloud_run.config import Config
from plexguard.cloud_run.life.chain import run_unit
from plexguard.cloud_run.life.runs import check_name
from plexguard.core.program import Ports


@click.command()
@click.argument("name", metavar="NAME")
@click.pass_obj
def destroy(config_path: Path, name: str) -> int:
    """Give back all that a run has rented."""
    config, ports = begin.load_to_return(config_path)
    return run(config, ports, check_name(name))


def run(config: Config, ports: Ports, name: str) -> int:
    from plexguard.cloud_run.reap.act import carry_out
    from plexguard.cloud_run.reap.decide import decide_destroy
    from plexguard.cloud_run.reap.observe import Hold
    from plexguard.cloud_run.reap.world import look, open_world
    from plexguard.core.errors import TryAgain

    world = open_world(config, ports)
    seen = look(config, world)
    held = seen.leases.get(name)
    if held is not None and held.lease is not None and held.hold is Hold.HELD and not held.lease.keep:
        raise TryAgain(f"{name}: {held.why}, and holds it", hint=f"systemctl stop {run_unit(name)}")
    plan = decide_destroy(seen, name, why="it was asked for")
    if not plan.give_back and not plan.unlisted:
        click.echo(f"nothing is rented for {name}")
    code = carry_out(plan, world)
    if code == 0 and held is not None and held.lease is None:
        # A person has said so, and nothing in any zone bears the run's name.
        click.echo(f"its lease could not be read, and is removed: {held.why}")
        world.leases.forget(name)
    return code
