"""`resume`: take up what a boot has cut off. A unit calls it at boot."""

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plexguard.cloud_run.commands import begin
from plexguard.cloud_run.config import Config
from plexguard.cloud_run.life.chain import PHASES, phase_unit, run_unit
from plexguard.core.program import FOUND_PROBLEMS, Ports

if TYPE_CHECKING:  # --help needs none of it
    from plexguard.cloud_run.reap.world import World

# How long the first phase may take, which finds a machine that is there.
_START_S = 60.0
# How often it is tried, and how long after one try the next begins.
_TRIES = 4
_PAUSE_S = 10.0


@click.command(hidden=True)
@click.pass_obj
def resume(config_path: Path) -> int:
    """Take up the runs that a boot has cut off."""
    return run(*begin.load_to_return(config_path))


def run(config: Config, ports: Ports) -> int:
    from plexguard.cloud_run.commands.phase import open_book
    from plexguard.cloud_run.reap.act import give_back_all
    from plexguard.cloud_run.reap.world import look, open_world
    from plexguard.core.errors import PlexguardError

    world, code = open_world(config, ports), 0
    for name, read in world.leases.read_all().items():
        lease = read.lease
        if lease is None or ports.clock.moment().is_of_boot_of(lease.made):
            continue
        state = open_book(ports, name).peek()
        is_over = state is None or state.ended is not None
        if (is_over and lease.keep) or (not is_over and _take_up(name, world)):
            continue
        # Of this boot from now on, in which nothing holds it: what cannot be given back just now the reaper tries again.
        with contextlib.suppress(PlexguardError):
            world.leases.save(replace(lease, made=ports.clock.moment()))
        # It was over before the boot and could not be given back, or it can't be taken up.
        why = "its run ended before this boot" if is_over else "its run cannot be taken up again"
        try:
            code = max(code, give_back_all(name, world, look(config, world), why=why), 0 if is_over else FOUND_PROBLEMS)
        except PlexguardError as error:
            code = max(code, error.exit_code)  # and the next one has its turn
    return code


def _take_up(name: str, world: "World") -> bool:
    """Start a run again, and return whether it was. Its first phase makes the lease one of this boot; until then the reaper leaves
    it alone. What is past its deadline the reaper gives back, by the provider's clock: this one may be wrong after a boot."""
    from plexguard.cloud_run.life.runs import find_runs
    from plexguard.core.errors import PlexguardError

    if name not in find_runs():
        return False
    for _ in range(_TRIES):
        try:
            world.manager.start(run_unit(name))
            _await_start(name, world)
            return True
        except PlexguardError:  # early at boot the manager may not be asked yet
            world.clock.sleep(_PAUSE_S)
    return False


def _await_start(name: str, world: "World") -> None:
    """Wait until the first phase has taken the run up. Raises TryAgain when it has not."""
    from plexguard.core.errors import TryAgain

    deadline_s = world.clock.monotonic_s() + _START_S
    while world.manager.unit(phase_unit(PHASES[0], name)).active_state != "active":
        if world.clock.monotonic_s() > deadline_s:
            raise TryAgain(f"{name}: was not started")
        world.clock.sleep(0.5)
