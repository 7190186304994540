"""`hold`: keep the machine of a run for a person who looks at it, for as long as a unit runs."""

from datetime import timedelta
from pathlib import Path

import click

from plexguard.cloud_run.commands import begin
from plexguard.cloud_run.config import Config
from plexguard.cloud_run.life.runs import check_name
from plexguard.core.program import Ports
from plexguard.core.spans import show_span

# How often it looks whether there is still something to keep.
_TICK_S = 60.0


@click.command(hidden=True)
@click.argument("name", metavar="NAME")
@click.pass_obj
def hold(config_path: Path, name: str) -> int:
    """Keep a run's machine, as its unit does."""
    config, ports = begin.load(config_path)
    return run(config, ports, check_name(name))


def run(config: Config, ports: Ports, name: str) -> int:
    from plexguard.cloud_run import events
    from plexguard.cloud_run.life.runs import read_run
    from plexguard.cloud_run.reap.world import open_world
    from plexguard.core.errors import TryAgain

    limit, began = read_run(name).hold, ports.clock.moment()
    world = open_world(config, ports)
    while True:
        held = timedelta(seconds=round(ports.clock.moment().seconds_since(began)))
        read = world.leases.read(name)
        if read is None:
            raise TryAgain(f"{name}: it holds no machine", hint=f"systemctl start plexguard-cloud-run@{name}")
        if held >= limit:
            ports.journal.send(events.HOLD_OVER, run=name, limit=show_span(limit))
            return 0
        left = limit - held
        if read.lease is not None:
            # After its deadline it is given back, whoever holds it.
            left = max(min(left, read.lease.deadline - ports.clock.now()), timedelta(seconds=1))
        ports.notifier.tell(
            "READY=1", "WATCHDOG=1", f"STATUS=kept for {show_span(timedelta(seconds=round(left.total_seconds())))} more"
        )
        ports.clock.sleep(min(_TICK_S, left.total_seconds()))
