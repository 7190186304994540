"""`status` and `watch`: how far runs are, by what they have on disk and by their units. The provider is not asked."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plexguard.cloud_run.commands import begin
from plexguard.cloud_run.life.runs import check_name, find_runs
from plexguard.core import program
from plexguard.core.program import FOUND_PROBLEMS, Ports

if TYPE_CHECKING:  # --help needs none of it
    from plexguard.cloud_run.life.progress import Progress

# How often `watch` looks.
_TICK_S = 2.0
# So often in a row nothing of a run may be active, before it is taken for cut off: it is being started, or taken up again.
_GAPS = 5


@click.command()
@click.argument("name", metavar="[NAME]", required=False)
@program.format_option
@click.pass_obj
def status(config_path: Path, name: str | None, output: str) -> int:
    """Tell how far a run is, or every run."""
    _, ports = begin.load(config_path)
    found = [look(ports, one) for one in ([check_name(name)] if name else _find_all())]
    if output == "json":
        from plexguard.core.records import encode

        click.echo(json.dumps([encode(one) for one in found], indent=1))
        return 0
    from plexguard.cloud_run.life.progress import show, show_whole

    for one in found:
        click.echo("\n".join(show_whole(one)) if name else show(one))
    return 0


@click.command()
@click.argument("name", metavar="NAME")
@click.pass_obj
def watch(config_path: Path, name: str) -> int:
    """Follow a run until it ends."""
    _, ports = begin.load(config_path)
    return follow(ports, check_name(name))


def follow(ports: Ports, name: str) -> int:
    """Print a line at every change, and return 0 when the run is done, 1 when it has ended otherwise. The run has limits of its
    own."""
    from plexguard.cloud_run.life.progress import Standing, show
    from plexguard.cloud_run.life.state import DONE

    last, gaps = "", 0
    while True:
        found = look(ports, name)
        gaps = 0 if found.standing in (Standing.RUNNING, Standing.ENDED) else gaps + 1
        line = show(found)
        if line != last and gaps in (0, _GAPS):
            click.echo(line)
            last = line
        if found.standing is Standing.ENDED:
            return 0 if found.phase == DONE else FOUND_PROBLEMS
        if gaps == _GAPS:
            return FOUND_PROBLEMS
        ports.clock.sleep(_TICK_S)


def look(ports: Ports, name: str) -> "Progress":
    """Return how far a run is. Raises MissingInput when there is none of that name, and CommandError."""
    from plexguard.cloud_run.commands.phase import open_book
    from plexguard.cloud_run.life.chain import PHASES, phase_unit, run_unit
    from plexguard.cloud_run.life.progress import make_progress
    from plexguard.cloud_run.rent.lease import Leases
    from plexguard.core.errors import MissingInput
    from plexguard.core.state import state_directory

    state = open_book(ports, name).peek()
    if state is None and name not in find_runs():
        raise MissingInput(f"{name}: there is no such run", hint="plexguard-cloud-run")
    units = ports.manager.look_up([*(phase_unit(phase, name) for phase in PHASES), run_unit(name)])
    first = next((unit for unit in units if unit.name == phase_unit(PHASES[0], name)), None)
    if state is not None and state.ended is not None and first is not None and first.active_state == "activating":
        state = None  # of the run before this one, which is just beginning
    is_active = any(unit.active_state in ("active", "activating", "deactivating") for unit in units)
    lease = Leases(state_directory(begin.NAME), ports.journal).read(name)
    has_machine = lease is not None and lease.lease is not None and lease.lease.has_server
    return make_progress(name, state, is_active=is_active, now=ports.clock.now(), has_machine=has_machine)


def _find_all() -> tuple[str, ...]:
    """Return the runs that have a file, or have had one."""
    from plexguard.core.state import state_directory

    begun = (place.parent.name for place in state_directory(begin.NAME).glob("*/state.json"))
    return tuple(sorted({*find_runs(), *begun}))
