"""`resume`: take up what a boot has cut off. A unit calls it at boot."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from plexguard.cloud_run.chain import PHASES, phase_unit, run_unit
from plexguard.cloud_run.commands import begin
from plexguard.cloud_run.config import Config
from plexguard.core.program import FOUND_PROBLEMS, Ports

if TYPE_CHECKING:  # --help needs none of it
    from plexguard.cloud_run.reap.act import World

# How long the first phase may take to be started.
_START_S = 30.0


@click.command()
@click.pass_obj
def resume(config_path: Path) -> int:
    """Take up the runs that a boot has cut off."""
    return run(*begin.load(config_path))


def run(config: Config, ports: Ports) -> int:
    from plexguard.cloud_run.reap.observe import Hold, look_at_lease

    if config.provider == "none":
        begin.refuse_leases(ports)
        return 0
    world, code = begin.open_world(config, ports), 0
    for name, read in world.leases.read_all().items():
        if look_at_lease(read, world.manager, ports.clock.moment()).hold is not Hold.OTHER_BOOT:
            continue
        code = max(code, _take_up(name, config, world))
    return code


def _take_up(name: str, config: Config, world: "World") -> int:
    """Start a run again; what can't be is given back. The first phase makes the lease one of this boot."""
    from plexguard.cloud_run.commands import destroy
    from plexguard.cloud_run.run_file import find_runs
    from plexguard.core.errors import PlexguardError

    read = world.leases.read(name)
    assert read is not None and read.lease is not None
    if name in find_runs() and world.clock.now() < read.lease.deadline:
        try:
            world.manager.start(run_unit(name))
            _await_start(name, world)
            return 0
        except PlexguardError:
            pass  # then it can't be
    destroy.give_back_all(name, world, begin.look(config, world))
    return FOUND_PROBLEMS


def _await_start(name: str, world: "World") -> None:
    """Wait until something of the run is active. Raises TryAgain."""
    from plexguard.core.errors import TryAgain

    deadline_s = world.clock.monotonic_s() + _START_S
    while world.manager.unit(phase_unit(PHASES[0], name)).active_state in ("inactive", "failed"):
        if world.clock.monotonic_s() > deadline_s:
            raise TryAgain(f"{name}: was not started")
        world.clock.sleep(0.5)
