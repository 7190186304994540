"""`destroy`: give back all that a run holds, whatever it says."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from plexguard.cloud_run.chain import run_unit
from plexguard.cloud_run.commands import begin
from plexguard.cloud_run.config import Config
from plexguard.cloud_run.run_file import check_name
from plexguard.core.program import Ports

if TYPE_CHECKING:  # --help needs none of it
    from plexguard.cloud_run.reap.act import World
    from plexguard.cloud_run.reap.observe import Observation


@click.command()
@click.argument("name", metavar="NAME")
@click.pass_obj
def destroy(config_path: Path, name: str) -> int:
    """Give back all that a run has rented."""
    config, ports = begin.load_to_return(config_path)
    return run(config, ports, check_name(name))


def run(config: Config, ports: Ports, name: str) -> int:
    from plexguard.cloud_run.reap.observe import Hold
    from plexguard.core.errors import TryAgain

    world = begin.open_world(config, ports)
    seen = begin.look(config, world)
    held = seen.leases.get(name)
    if held is not None and held.lease is not None and held.hold is Hold.HELD and not held.lease.keep:
        raise TryAgain(f"{name}: {held.why}, and holds it", hint=f"systemctl stop {run_unit(name)}")
    code = give_back_all(name, world, seen, why="it was asked for")
    if code == 0 and held is not None and held.lease is None:
        # A person has said so, and nothing in any zone bears the run's name.
        click.echo(f"its lease could not be read, and is removed: {held.why}")
        world.leases.forget(name)
    return code


def give_back_all(name: str, world: "World", seen: "Observation", *, why: str) -> int:
    """Give back all of a run, whoever holds it, and return the exit code. why: for who reads of it."""
    from plexguard.cloud_run.reap.act import carry_out
    from plexguard.cloud_run.reap.decide import decide_destroy

    plan = decide_destroy(seen, name, why=why)
    if not plan.give_back and not plan.unlisted:
        click.echo(f"nothing is rented for {name}")
    return carry_out(plan, world)
