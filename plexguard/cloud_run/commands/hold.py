"""`hold`: keep the machine of a run for a person who looks at it, for as long as a unit runs."""

from datetime import timedelta
from pathlib import Path

import click

from plexguard.cloud_run.commands import begin
from plexguard.cloud_run.config import Config
from plexguard.cloud_run.run_file import check_name
from plexguard.core.program import Ports
from plexguard.core.spans import show_span

# Until it is stopped, or its unit's RuntimeMaxSec= is over.
_TICK_S = 60.0


@click.command()
@click.argument("name", metavar="NAME")
@click.pass_obj
def hold(config_path: Path, name: str) -> int:
    """Keep a run's machine, as its unit does."""
    config, ports = begin.load(config_path)
    return run(config, ports, check_name(name))


def run(config: Config, ports: Ports, name: str) -> int:
    from plexguard.core.errors import TryAgain

    world = begin.open_world(config, ports)
    began = ports.clock.moment()
    while True:
        read = world.leases.read(name)
        if read is None:
            raise TryAgain(f"{name}: it holds no machine", hint=f"systemctl start plexguard-cloud-run@{name}")
        held = timedelta(seconds=round(ports.clock.moment().seconds_since(began)))
        ports.notifier.tell(
            "READY=1", f"STATUS=kept for {show_span(held)}; systemctl stop plexguard-cloud-hold@{name} gives it back"
        )
        ports.clock.sleep(_TICK_S)
